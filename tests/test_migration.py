"""Row 15: a VM with a hot-added CPU is saved and goes on in another QEMU, where CPUs come and go as before."""

import pytest

from cpuhp import button, scenario, tables
from cpuhp.scenario import EJECT_REQUEST
from cpuhp.vm import wait_until

pytestmark = pytest.mark.once

SMP = "cpus=2,maxcpus=5"
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def wait_for(vm, status):
    wait_until(f"the migration to be {status}", lambda: vm.qmp("query-migrate").get("status") == status)


def save(vm, path):
    """The VM's state, and then it goes on."""
    vm.qmp("migrate", uri=f"file:{path}")
    wait_for(vm, "completed")
    vm.qmp("cont")


def restore(vm, path):
    vm.qmp("migrate-incoming", uri=f"file:{path}")
    wait_until("the VM to be restored", lambda: vm.qmp("query-status")["status"] == "paused")
    vm.qmp("cont")


def with_two(vm):
    """For Spec.args: waits for the state of a VM that CPU 2 was added to."""
    return "-incoming", "defer", "-device", f"{vm.spec.cpu}-arm-cpu,id=core2,core-id=2"


@pytest.mark.every_dialect
def test_save_and_restore(boot, directory, dialect):
    """
    CPU  0 1 | 2 3 4
         x x |          -> 2 online, 3 added and ejected; saved; elsewhere, with 2: the same boot goes on, 2 works and is
                        ejected, 3 and 2 are added and work
    """
    state = directory / "state"
    with boot(smp=SMP, dialect=dialect) as vm:
        scenario.add(vm, 2)
        scenario.online(vm, 2)
        scenario.comes_and_goes(vm, 3)
        save(vm, state)
        before, boot_id = vm.masks(), vm.sh(BOOT_ID)

    with boot(smp=SMP, dialect=dialect, args=with_two(vm), paused=True) as vm:
        restore(vm, state)
        assert vm.sh(BOOT_ID) == boot_id
        assert vm.masks() == before
        scenario.works(vm, 2)
        scenario.eject(vm, 2)
        scenario.add_and_work(vm, 3)
        scenario.add_and_work(vm, 2)


def test_without_a_cpu_of_smp(boot, directory):
    """
    CPU  0 1 | 2 3 4
         x x |          -> 1 ejected, 2 online; saved; elsewhere, where 0 is all of cpus=: the same boot goes on; 1 is back
    """
    state = directory / "state"
    with boot(smp=SMP) as vm:
        scenario.eject_cold_plugged(vm, 1)
        scenario.add(vm, 2)
        scenario.online(vm, 2)
        save(vm, state)
        before, boot_id = vm.masks(), vm.sh(BOOT_ID)

    with boot(smp="cpus=1,maxcpus=5", args=with_two(vm), paused=True) as vm:
        restore(vm, state)
        assert (vm.masks(), vm.sh(BOOT_ID)) == (before, boot_id)
        scenario.works(vm, 2)
        scenario.add_and_work(vm, 1)


def test_eject_meanwhile(boot):
    """
    CPU  0 1 | 2 3 4
         x x |          -> 2 online; a migration without end; the guest ejects 2, unasked: it stays, and works; cancelled: it goes
    """
    dsdt = tables.of_machine(smp=SMP)["DSDT"]
    with boot(smp=SMP, tables=button.initrd(dsdt, [(2, EJECT_REQUEST, 1)])) as vm:
        scenario.add(vm, 2)
        scenario.online(vm, 2)
        vm.qmp("migrate-set-parameters", **{"max-bandwidth": 4096})
        vm.qmp("migrate", uri="exec:cat > /dev/null")
        wait_for(vm, "active")
        since = vm.mark()
        button.press(vm)
        assert scenario.answer(vm, 2, since) != scenario.OST_SUCCESS
        scenario.works(vm, 2)
        assert not vm.events_since(since, "DEVICE_DELETED")
        assert [error["device"] for error in vm.events_since(since, "DEVICE_UNPLUG_GUEST_ERROR")] == ["core2"]
        vm.qmp("migrate_cancel")
        wait_for(vm, "cancelled")
        scenario.eject(vm, 2)
        scenario.add_and_work(vm, 2)
