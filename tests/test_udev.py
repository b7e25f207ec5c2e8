"""Row 30: with our udev rule an added CPU goes online by itself, without it it does not.  A real systemd-udevd."""

import time

import pytest

from cpuhp import paths, scenario
from cpuhp.cpio import Archive

RULES = paths.ROOT / "guest" / "udev"
SOON = 5.0      # s


def rules():
    """The rules of the project where an administrator puts rules."""
    archive = Archive()
    for path in sorted(RULES.glob("*.rules")):
        archive.file(f"etc/udev/rules.d/{path.name}", path.read_bytes())
    return archive.pack()


def start_udevd(vm):
    """systemd-udevd, and what Debian does with it at boot: every device is told of once more."""
    vm.sh("/lib/systemd/systemd-udevd --daemon > /tmp/udevd.log 2>&1 &&"
          " udevadm trigger --type=devices --action=add && udevadm settle")


@pytest.mark.vm(smp="cpus=3,maxcpus=6", append="maxcpus=2", userland=True, files=rules())
@pytest.mark.part("optional")
def test_rule(vm):
    """
    CPU  0 1 2 | 3 4 5
         x x . |         maxcpus=2: udev leaves 2 alone; -> 3 is online within 5 s; with auto_online, 4 goes online
                         once; without the rule 5 stays offline
    """
    start_udevd(vm)
    assert vm.masks()["online"] == {0, 1}

    started = time.monotonic()
    scenario.add(vm, 3)
    scenario.wait_until("cpu3 to be online", lambda: 3 in vm.masks()["online"], SOON)
    assert time.monotonic() - started < SOON
    scenario.works(vm, 3)

    vm.sh(f"echo online > {scenario.CPU_SYSFS}/auto_online")
    with scenario.cpu_uevents(vm) as uevents:
        scenario.add(vm, 4)
        vm.sh("udevadm settle")
    assert uevents.count("online cpu4") == 1
    vm.sh(f"echo offline > {scenario.CPU_SYSFS}/auto_online")

    vm.sh("rm /etc/udev/rules.d/*-cpu-hotplug.rules; udevadm control --reload")
    scenario.add(vm, 5)
    vm.sh(f"udevadm settle; sleep {SOON}")
    assert vm.masks()["online"] == {0, 1, 3, 4}
