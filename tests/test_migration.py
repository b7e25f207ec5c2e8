"""Row 15: a VM with a hot-added CPU is saved and goes on in another QEMU, where CPUs come and go as before."""

from cpuhp import scenario
from cpuhp.vm import wait_until

SMP = "cpus=2,maxcpus=5"
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def save(vm, path):
    """The VM's state, and then it goes on."""
    vm.qmp("migrate", uri=f"file:{path}")
    wait_until("the VM to be saved", lambda: vm.qmp("query-migrate").get("status") == "completed")
    vm.qmp("cont")


def restore(vm, path):
    vm.qmp("migrate-incoming", uri=f"file:{path}")
    wait_until("the VM to be restored", lambda: vm.qmp("query-status")["status"] == "paused")
    vm.qmp("cont")


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

    with_two = ("-incoming", "defer", "-device", f"{vm.spec.cpu}-arm-cpu,id=core2,core-id=2")
    with boot(smp=SMP, dialect=dialect, args=with_two, paused=True) as vm:
        restore(vm, state)
        assert vm.sh(BOOT_ID) == boot_id
        assert vm.masks() == before
        scenario.works(vm, 2)
        scenario.eject(vm, 2)
        scenario.add_and_work(vm, 3)
        scenario.add_and_work(vm, 2)
