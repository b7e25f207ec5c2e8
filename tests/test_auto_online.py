"""CPUs that the kernel brings online as firmware adds them: auto_online, and cpuhp_default_state= at boot."""

import re
import time

import pytest

from cpuhp import button, scenario, tables
from cpuhp.scenario import BUS_CHECK, DEVICE_CHECK

pytestmark = [pytest.mark.closer, pytest.mark.part("optional")]

AUTO_ONLINE = f"{scenario.CPU_SYSFS}/auto_online"
SOON = 5.0      # s


def policy(vm):
    return vm.sh(f"cat {AUTO_ONLINE}")


def set_policy(vm, word):
    vm.sh(f"echo {word} > {AUTO_ONLINE}")
    assert policy(vm) == word


def goes_online(vm, cpu, **properties):
    """device_add, and nothing else: the CPU is online soon."""
    started = time.monotonic()
    scenario.add(vm, cpu, **properties)
    scenario.wait_until(f"cpu{cpu} to be online", lambda: cpu in vm.masks()["online"], SOON)
    assert time.monotonic() - started < SOON


@pytest.mark.vm(smp="cpus=2,maxcpus=5")
def test_policy(vm, dialect):
    """
    CPU  0 1 | 2 3 4
         x x |         offline is the default: -> 2 stays offline; online: -> 3 is told of, then goes online, 2 does not;
                       3 ejected; offline again: -> 3 stays offline
    """
    assert policy(vm) == "offline"
    scenario.add(vm, 2)
    for word in ("", "1", "Online", "online offline", "onlin"):
        result = vm.run(f"echo '{word}' > {AUTO_ONLINE}")
        assert result.status != 0
        assert "Invalid argument" in result.output
        assert policy(vm) == "offline"

    set_policy(vm, "online")
    with scenario.cpu_uevents(vm) as uevents:
        goes_online(vm, 3)
    assert [event for event in uevents if event.split()[0] != "bind"] == ["add cpu3", "online cpu3"]
    assert vm.masks()["online"] == {0, 1, 3}
    scenario.works(vm, 3)
    scenario.eject(vm, 3)

    set_policy(vm, "offline")
    scenario.add(vm, 3)
    vm.sh("sleep 1")
    assert vm.masks()["online"] == {0, 1}


def test_only_what_is_added(boot):
    """
    CPU  0 1 2 | 3 4 5
         x x . |         maxcpus=2 and cpuhp_default_state=online: 2 stays offline, whatever is scanned again; -> 3 goes
                         online, and stays as it was put, offline; so does 4, whose eject fails; 3 comes back online;
                         5 is denied: said so, and there all the same
    """
    smp = "cpus=3,maxcpus=6"
    scans = [(button.CONTAINER, BUS_CHECK, 1), *((cpu, code, 1) for cpu in (2, 3) for code in (BUS_CHECK, DEVICE_CHECK))]

    def edit(text):
        text, count = re.subn(r"\bCEJ0 \(0x04\)", "Noop", text)
        assert count == 1, "no _EJ0 of CPU 4"
        return button.edit(text, scans)

    dsdt = tables.edit_asl(tables.of_machine(smp=smp)["DSDT"], edit)
    with boot(smp=smp, append="maxcpus=2 cpuhp_default_state=online", tables=tables.initrd(dsdt)) as vm:
        assert policy(vm) == "online"
        assert vm.masks()["online"] == {0, 1}

        goes_online(vm, 3)
        scenario.offline(vm, 3)
        button.press(vm)
        assert vm.masks()["online"] == {0, 1}

        goes_online(vm, 4)
        assert vm.masks()["online"] == {0, 1, 4}
        scenario.offline(vm, 4)
        assert scenario.refused_eject(vm, 4) != scenario.OST_BUSY
        assert vm.masks()["present"] == {0, 1, 2, 3, 4}
        assert vm.masks()["online"] == {0, 1}

        scenario.eject(vm, 3)
        goes_online(vm, 3)

        scenario.add(vm, 5, **{"x-psci-deny-on": True})
        assert vm.masks()["online"] == {0, 1, 3}
        said = scenario.said(vm, "cannot be brought online")
        assert len(said) == 1 and re.search(r"cpu5: added, but .*: -1$", said[0]), said


def test_wrong_word_at_boot(boot):
    """cpuhp_default_state=always: one warning that names the words there are, and the default."""
    with boot(smp="cpus=1,maxcpus=2", append="cpuhp_default_state=always") as vm:
        said = [line for line in vm.dmesg().splitlines() if "cpuhp_default_state" in line and "ommand line" not in line]
        assert len(said) == 1 and "use offline or online" in said[0], said
        assert policy(vm) == "offline"
