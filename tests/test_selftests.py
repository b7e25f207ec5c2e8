"""Row 34: the kernel's own tests of CPU hotplug, from the patched tree, in the guest."""

import pytest

from cpuhp import ktap, paths, scenario
from cpuhp.cpio import Archive

DIRECTORY = "tools/testing/selftests/cpu-hotplug"
SKIP = 4


@pytest.fixture
def files(linux):
    """The scripts as `make install` of kselftest would put them into /cpu-hotplug."""
    archive = Archive()
    for path in sorted((paths.ROOT / "work" / f"linux-{linux}" / DIRECTORY).glob("*.sh")):
        archive.file(f"cpu-hotplug/{path.name}", path.read_bytes(), 0o755)
    return archive.pack()


class Watcher:
    """cpu-add-eject-test.sh, running in the guest."""

    def __init__(self, vm):
        self.vm = vm
        vm.sh("rm -f /tmp/ktap.status; : > /tmp/ktap; "      # the script may write late, and is read at once
              "(/cpu-hotplug/cpu-add-eject-test.sh -t 60 >> /tmp/ktap 2>&1; echo $? > /tmp/ktap.status) > /dev/null 2>&1 &")

    def output(self):
        return self.vm.sh("cat /tmp/ktap")

    def wait_for(self, what):
        """Until the script says that it waits."""
        said = f"# waiting for {what}"
        scenario.wait_until(f"the script to wait for {what}", lambda: said in self.output() or self.ended())
        assert said in self.output(), self.output()

    def ended(self):
        return self.vm.run("test -s /tmp/ktap.status").status == 0

    def end(self):
        """(exit status, results)"""
        scenario.wait_until("the script to end", self.ended)
        return int(self.vm.sh("cat /tmp/ktap.status")), ktap.results(self.output())


def test_add_and_eject(boot, files):
    """
    CPU  0 1 | 2 3
         x x |       -> 2, ejected: all passes, and is watched; -> 3, which is denied: fails to go online, and says so;
                     nobody adds one: skipped
    """
    with boot(smp="cpus=2,maxcpus=4", files=files) as vm:
        watcher = Watcher(vm)
        watcher.wait_for("a CPU to be added")
        scenario.add(vm, 2)
        watcher.wait_for("the request to eject cpu2")
        scenario.eject(vm, 2)
        status, results = watcher.end()
        assert set(results.values()) == {"ok"}, watcher.output()
        assert status == 0

        watcher = Watcher(vm)
        watcher.wait_for("a CPU to be added")
        scenario.add(vm, 3, **{"x-psci-deny-on": True})
        status, results = watcher.end()
        assert [name for name, verdict in results.items() if verdict == "not ok"] == ["online"], watcher.output()
        assert status == 1
        scenario.eject(vm, 3)

        result = vm.run("/cpu-hotplug/cpu-add-eject-test.sh -t 1")
        assert result.status == SKIP
        assert "1..0 # SKIP nobody added a CPU within 1 s" in result.output
        assert not vm.sh("cat /sys/kernel/debug/tracing/kprobe_events")


def on_off(vm, option=""):
    """cpu-on-off-test.sh must pass; without -a, it leaves everything as it was."""
    before = vm.masks()
    result = vm.run(f"/bin/bash /cpu-hotplug/cpu-on-off-test.sh {option}")
    assert result.status == 0, result.output
    assert "unexpected" not in result.output
    expected = before["present"] if option == "-a" else before["online"]
    assert vm.masks()["online"] == expected, result.output


def test_on_off(boot, files):
    """
    CPU  0 1 2 | 3 4 5
         x x . |          maxcpus=2 -> 5 added -> 5 online -> 1 offline -> all -> 5 ejected -> 0 alone online
    """
    with boot(smp="cpus=3,maxcpus=6", append="maxcpus=2", files=files, userland=True) as vm:
        on_off(vm)
        scenario.add(vm, 5)
        on_off(vm)
        scenario.online(vm, 5)
        on_off(vm)
        scenario.offline(vm, 1)
        assert vm.masks()["online"] == {0, 5}
        on_off(vm)
        on_off(vm, "-a")
        on_off(vm, "-a")
        scenario.eject(vm, 5)
        on_off(vm)
        on_off(vm, "-a")
        scenario.offline(vm, 1)
        scenario.offline(vm, 2)
        assert vm.run("/bin/bash /cpu-hotplug/cpu-on-off-test.sh").status == SKIP


def test_nothing_to_add(boot, files):
    """CPUs 0 and 1, and no more: the watcher is skipped with the reason, the other test passes."""
    with boot(smp="2", files=files, userland=True) as vm:
        result = vm.run("/cpu-hotplug/cpu-add-eject-test.sh")
        assert result.status == SKIP
        assert "# SKIP this machine has all the CPUs that it can have: 0-1" in result.output
        on_off(vm)
        on_off(vm, "-a")
