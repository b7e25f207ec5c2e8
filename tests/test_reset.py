"""Row 13: a reset keeps what is plugged, and the next boot sees it."""

import pytest

from cpuhp import scenario


def system_reset(vm):
    vm.qmp("system_reset")


def guest_reboot(vm):
    vm.sh("(sleep 0.5; reboot -f) > /dev/null 2>&1 &")


@pytest.mark.parametrize("reset", [system_reset, guest_reboot])
@pytest.mark.vm(smp="cpus=2,maxcpus=4", reboots=True)
def test_reset(vm, dialect, reset):
    """
    CPU  0 1 | 2 3
         x x |           -> 3 added: a reset finds three CPUs -> it is ejected: a reset finds two -> 3 once more
    """
    def present_after_reset():
        reset(vm)
        vm.wait_boot()
        plugged = sum("qom-path" in entry for entry in vm.qmp("query-hotpluggable-cpus"))
        present = vm.masks()["present"]
        assert vm.masks()["online"] == present
        assert len(present) == plugged
        vm.gate()
        return len(present)

    scenario.add(vm, 3)
    scenario.online(vm, 3)
    assert present_after_reset() == 3
    assert vm.masks()["online"] == {0, 1, 3}
    scenario.works(vm, 3)

    since = scenario.request_eject(vm, 3)
    vm.wait_event("DEVICE_DELETED", since)
    assert present_after_reset() == 2
    scenario.add_and_work(vm, 3)
