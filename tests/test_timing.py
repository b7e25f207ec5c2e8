"""Rows 16 and 17: adds and ejects at awkward times."""

import time

import pytest

from cpuhp import scenario
from cpuhp.vm import wait_until


@pytest.mark.parametrize("delay", [0.3, 1, 1.7])
def test_add_during_boot(boot, dialect, delay):
    """
    CPU  0 1 | 2 3
         x x |           2 is added while firmware or kernel boots: registered once, not lost
    """
    with boot(smp="cpus=2,maxcpus=4", dialect=dialect, paused=True) as vm:
        vm.qmp("cont")
        time.sleep(delay)
        vm.device_add(2)
        vm.wait_boot()
        wait_until("CPU 2 to be present", lambda: vm.masks()["present"] == {0, 1, 2})
        assert vm.cpu_directories() == {0, 1, 2}
        vm.run(f"echo 1 > {scenario.CPU_SYSFS}/cpu2/online")
        scenario.works(vm, 2)
        scenario.eject(vm, 2)
        scenario.add(vm, 2)


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_add_and_eject_while_paused(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |           paused: 3 added; running: there within 5 s; paused: ejected; running: gone within 5 s
    """
    vm.qmp("stop")
    since = vm.mark()
    vm.device_add(3)
    assert any(cpu["props"].get("core-id") == 3 and cpu["thread-id"] for cpu in vm.qmp("query-cpus-fast"))
    vm.qmp("cont")
    scenario.wait_present(vm, 3, since, timeout=5)
    scenario.online(vm, 3)
    scenario.works(vm, 3)

    vm.qmp("stop")
    since = scenario.request_eject(vm, 3)
    vm.qmp("cont")
    vm.wait_event("DEVICE_DELETED", since, timeout=5)
    scenario.wait_gone(vm, 3, since)


@pytest.mark.vm(smp="cpus=2,maxcpus=4", paused=True)
def test_add_before_start(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |           2 is added to a machine that has not run yet, as libvirt does: three CPUs after boot
    """
    vm.device_add(2)
    vm.qmp("cont")
    vm.wait_boot()
    wait_until("CPU 2 to be present", lambda: vm.masks()["present"] == {0, 1, 2})
    vm.run(f"echo 1 > {scenario.CPU_SYSFS}/cpu2/online")
    scenario.works(vm, 2)
    scenario.eject(vm, 2)
