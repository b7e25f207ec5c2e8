"""The harness itself: what must fail fails, what must time out times out, and a panic is not a success."""

import gzip
import pathlib
import subprocess
import sys

import pytest

from cpuhp import gate, ktap, paths, tables
from cpuhp.agent import CommandFailed, GuestError, GuestGone, GuestTimeout
from cpuhp.cpio import Archive
from cpuhp.vm import modules, wait_until

pytestmark = pytest.mark.once


@pytest.mark.vm(smp="cpus=2")
def test_agent(vm):
    """2 CPUs: exit status, output of any size and content, signals, what is left behind, no pinning, and no taint."""
    assert vm.run("exit 3").status == 3
    assert vm.run("kill -9 $$").status == 128 + 9
    assert vm.sh("echo out; echo err >&2") == "out\nerr"
    assert vm.sh("true") == ""
    assert len(vm.sh("head -c 3000000 /dev/zero | tr '\\0' x")) == 3000000
    assert vm.sh("sleep 1000 & echo left behind", timeout=20) == "left behind"
    assert vm.sh("sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status") == "0-1"
    assert vm.sh("cat /proc/sys/kernel/tainted") == "0"


@pytest.mark.vm(smp="cpus=2")
def test_must_fail_and_must_time_out(vm):
    """2 CPUs: a script that fails raises; one that hangs is killed in time; and the channel lives on."""
    with pytest.raises(CommandFailed, match="status 1"):
        vm.sh("false")
    with pytest.raises(GuestTimeout, match=f"killed after {paths.patient(2):g} s"):
        vm.sh("echo before; sleep 1000", timeout=2)
    with pytest.raises(GuestTimeout, match="pigs"):
        wait_until("pigs to fly", lambda: False, timeout=1)
    assert vm.sh("echo alive") == "alive"


def test_must_panic(boot):
    """1 CPU: a guest that panics, with the word of success on its console, raises and shows the console."""
    with pytest.raises(GuestGone, match="Kernel panic"):
        with boot(smp="cpus=1") as vm:
            vm.sh("echo PASS > /dev/console; echo c > /proc/sysrq-trigger")


def test_must_not_boot(boot):
    """1 CPU, a kernel without its init: the boot fails and says so."""
    with pytest.raises(GuestError, match="Kernel panic"):
        with boot(smp="cpus=1", append="rdinit=/nothing root=none"):
            pass


STARTS_A_VM = """\
import pathlib, sys
sys.path.insert(0, sys.argv[1])
from cpuhp.vm import VM, Spec
vm = VM(Spec(paused=True), pathlib.Path(sys.argv[2]))
vm.launch()
print(vm.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.once
def test_killed(directory):
    """A program that is killed leaves no QEMU behind."""
    with subprocess.Popen([sys.executable, "-c", STARTS_A_VM, paths.ROOT / "tests", directory], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        qemu = pathlib.Path("/proc") / program.stdout.readline().strip()
        assert (qemu / "exe").resolve().name.startswith("qemu-system")
        program.kill()
        wait_until("QEMU to be gone", lambda: not (qemu / "exe").exists())


@pytest.mark.parametrize("line", ["WARNING: CPU: 1 PID: 1 at kernel/cpu.c:1", "BUG: sleeping function called",
                                  "INFO: task sh:1 blocked for more than 120 seconds",
                                  "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"])
def test_gate_sees(line):
    """No VM: the lines that close the gate, and that an expected one does not."""
    assert gate.log_complaints(f"fine\n[    1.0] {line}\n") == [f"[    1.0] {line}"]
    assert not gate.log_complaints(line, (line[:12],))
    assert not gate.log_complaints("[    0.1] Detected PIPT I-cache on CPU1\nsmp: Brought up 1 node, 2 CPUs")


def test_gate_closes(boot):
    """1 CPU: a bad line in the log of a guest closes the gate although the test itself has passed."""
    with pytest.raises(GuestError, match="the gate is closed"):
        with boot(smp="cpus=1") as vm:
            vm.sh("echo 'BUG: made up' > /dev/kmsg")


@pytest.mark.closer
@pytest.mark.of_debug("lockdep")
def test_gate_finds_a_leak(boot, linux):
    """1 CPU: a module forgets what it has allocated."""
    with pytest.raises(GuestError, match="kmemleak: .* suspected memory leaks"):
        with boot(smp="cpus=1", leaks=True, files=modules(linux, "samples/kmemleak/kmemleak-test.ko")) as vm:
            vm.sh("insmod /lib/kmemleak-test.ko")


@pytest.mark.parametrize("masks, directories, complaint", [
    ({"present": {0, 2}}, {0, 2}, "not within possible"),
    ({"online": {0, 1}}, {0}, "not within present"),
    ({"offline": set()}, {0}, "offline"),
    ({"enabled": {0, 1}}, {0}, "is not present"),
    ({}, {0, 1}, "directories"),
])
def test_gate_holds_masks_against_each_other(masks, directories, complaint):
    """No VM: one broken invariant at a time."""
    good = {"possible": {0, 1}, "present": {0}, "enabled": {0}, "online": {0}, "offline": {1}}
    assert not gate.mask_complaints(good, {0})
    assert any(complaint in line for line in gate.mask_complaints(good | masks, directories))


def test_parse_cpus():
    assert gate.parse_cpus("0-2,5\n") == {0, 1, 2, 5}
    assert gate.parse_cpus("\n") == set()


def test_archive_is_a_cpio(directory):
    """No VM: cpio reads what we pack."""
    archive = Archive()
    archive.file("a/b/c", b"text", 0o755)
    archive.char_device("dev/null", 1, 3)
    listed = subprocess.run(["cpio", "-t", "--quiet"], input=archive.pack(), capture_output=True, check=True)
    assert listed.stdout.decode().split() == ["a", "a/b", "a/b/c", "dev", "dev/null"]
    assert gzip.compress(archive.pack(), mtime=0) == gzip.compress(archive.pack(), mtime=0)


def test_madt_editor():
    """No VM: flags, checksum and revision of an edited MADT."""
    gicc = bytes([tables.GICC, 80]) + bytes(78)
    madt = tables.seal(bytearray(b"APIC" + bytes(40) + bytes([0x0C, 24]) + bytes(22) + gicc * 3))
    edited = tables.with_gicc_flags(madt, {1: 9, 2: 1})
    assert tables.gicc_flags(edited) == [0, 9, 1]
    assert sum(edited) % 256 == 0
    assert edited[24] == madt[24] + 1


KTAP = """KTAP version 1
1..1
    KTAP version 1
    # Subtest: suite
    1..3
    ok 1 one
    # two: EXPECTATION FAILED
    not ok 2 - two
    ok 3 three # SKIP no such machine
# suite: pass:1 fail:1 skip:1 total:3
not ok 1 suite
"""


def test_ktap():
    """No VM: the results of KUnit and of kselftest; one that is lost, or given twice, is an error."""
    assert ktap.results(KTAP) == {"suite": "not ok"}
    assert ktap.results(KTAP, depth=1) == {"one": "ok", "two": "not ok", "three": "skip"}
    assert ktap.results("1..2\nok 1 rest # SKIP no\nok 2 rest # SKIP no\n") == {"rest": "skip"}
    for bad in ("", KTAP.replace("    ok 1 one\n", ""), KTAP.replace("1..3", "1..4"), KTAP.replace("- two", "one"),
                "1..0\n"):
        with pytest.raises(ValueError):
            ktap.results(bad, depth=bad.startswith("KTAP"))
