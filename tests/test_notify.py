"""Row 27: notifications that nobody asked for."""

import pytest

from cpuhp import button, scenario, tables
from cpuhp.button import press
from cpuhp.scenario import BUS_CHECK, DEVICE_CHECK, EJECT_REQUEST
from cpuhp.vm import VM, Spec

SMP = "cpus=2,maxcpus=4"
BURST = 1000
UNKNOWN = 0x42


@pytest.fixture(scope="module")
def dsdt(request, tmp_path_factory):
    """The DSDT of the machine, and the name of each CPU's device in it."""
    with VM(Spec(smp=SMP, linux=request.config.getoption("--linux")), tmp_path_factory.mktemp("dsdt")) as vm:
        return tables.read(vm, "DSDT")


CASES = {
    "device check, CPU there": (1, DEVICE_CHECK),
    "bus check, CPU there": (1, BUS_CHECK),
    "unknown, CPU there": (1, UNKNOWN),
    "device check, CPU absent": (3, DEVICE_CHECK),
    "bus check, CPU absent": (3, BUS_CHECK),
    "eject request, CPU absent": (3, EJECT_REQUEST),
    "unknown, CPU absent": (3, UNKNOWN),
}


@pytest.mark.part("hardening")
def test_notifications(boot, dsdt, dialect):
    """
    CPU  0 1 | 2 3
         x x |           each notification of the cases: no mask changes; _OST says success for a CPU that is there,
                         failure for one that is not, and of an unknown code nothing; an add works after all
    """
    presses = [[(cpu, code, 1)] for cpu, code in CASES.values()]
    with boot(smp=SMP, dialect=dialect, tables=button.initrd(dsdt, *presses)) as vm:
        booted = vm.masks()
        for name, (cpu, code) in CASES.items():
            since = vm.mark()
            press(vm)
            if code != UNKNOWN:
                vm.wait_event("ACPI_DEVICE_OST", since,
                              match=lambda data: data["info"]["slot"] == str(cpu))
            assert vm.masks() == booted, name
            succeeded = [status == scenario.OST_SUCCESS for _, status in vm.osts(cpu, since)]
            if code == UNKNOWN:
                assert succeeded == [], name
            else:
                assert succeeded == [cpu == 1], name
        scenario.add_and_work(vm, 2)


def test_burst(boot, dsdt):
    """
    CPU  0 1 | 2 3
         x x |           1000 device checks each for one that is there and one that is not: no queue is left, nothing grows
    """
    burst = [(1, DEVICE_CHECK, BURST), (3, DEVICE_CHECK, BURST), (2, UNKNOWN, BURST)]
    with boot(smp=SMP, tables=button.initrd(dsdt, burst, burst, burst)) as vm:
        def press_and_wait():
            since = vm.mark()
            press(vm)
            scenario.wait_until("the guest to answer all",
                                lambda: all(len(vm.osts(cpu, since)) >= BURST for cpu in (1, 3)), timeout=120)
            return since

        def slab():
            return int(vm.sh("awk '/^Slab:/ { print $2 }' /proc/meminfo"))

        for _ in range(2):      # the first one fills caches; a debug kernel's are larger
            press_and_wait()
        before = slab()
        since = press_and_wait()
        vm.sh("sleep 1")
        assert len(vm.osts(1, since)) == BURST
        assert slab() < before * 1.05
        assert vm.masks()["present"] == {0, 1}
        scenario.add_and_work(vm, 2)


def test_eject_that_firmware_did_not_ask_for(boot, dsdt):
    """
    CPU  0 1 | 2 3
         x x |           -> 2; an eject request from the button, not from QEMU: the guest gives the CPU back all the same
    """
    with boot(smp=SMP, tables=button.initrd(dsdt, [(2, EJECT_REQUEST, 1)])) as vm:
        scenario.add(vm, 2)
        scenario.online(vm, 2)
        since = vm.mark()
        vm.qmp("system_powerdown")
        scenario.wait_gone(vm, 2, since)
        scenario.add(vm, 2)


def test_two_device_checks_for_one_add(boot, dsdt):
    """
    CPU  0 1 | 2 3
         x x |           -> 2, then device check and bus check once more: registered once
    """
    with boot(smp=SMP, tables=button.initrd(dsdt, [(2, DEVICE_CHECK, 1), (2, BUS_CHECK, 1)])) as vm:
        scenario.add(vm, 2)
        scenario.online(vm, 2)
        with scenario.cpu_uevents(vm) as uevents:
            press(vm)
        assert [event for event in uevents if event.split()[0] in ("add", "remove")] == []
        assert vm.masks()["online"] == {0, 1, 2}
        scenario.works(vm, 2)
        scenario.eject(vm, 2)
