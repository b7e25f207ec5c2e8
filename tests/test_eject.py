"""Row 10: what must not be ejected is refused, with the reason, and goes on working."""

import pytest

from cpuhp import scenario
from cpuhp.vm import Refused

pytestmark = pytest.mark.closer


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_boot_cpu(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |           device_del of CPU 0 by its QOM path: QEMU refuses, and CPU 0 works
    """
    with pytest.raises(Refused, match="(?i)boot CPU"):
        vm.qmp("device_del", id=scenario.path_of(vm, 0))
    scenario.works(vm, 0)


@pytest.mark.vm(smp="cpus=1,maxcpus=4")
def test_last_online_cpu(vm, dialect):
    """
    CPU  0 | 1 2 3
         x |            -> 1 added and online, 0 offline: the eject of 1 is refused with busy, and both work after
    """
    scenario.add(vm, 1)
    scenario.online(vm, 1)
    scenario.offline(vm, 0)
    assert scenario.refused_eject(vm, 1) == scenario.OST_BUSY
    assert vm.masks()["online"] == {1}
    scenario.works(vm, 1)
    scenario.online(vm, 0)
    scenario.works(vm, 0)
    scenario.eject(vm, 1)
    assert vm.masks()["present"] == {0}


@pytest.mark.vm(smp="cpus=1,maxcpus=4")
def test_offline_cpu(vm, dialect):
    """
    CPU  0 | 1 2 3
         x |            -> 1 added, never online: ejected just so
    """
    scenario.add(vm, 1)
    scenario.eject(vm, 1)
    assert vm.masks()["present"] == {0}
    assert vm.cpu_directories() == {0}


@pytest.mark.part("complete")
@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_moved_by_its_target(vm):
    """
    CPU  0 1 | 2 3
         x x |          -> 2, taken up and down by hotplug/target: `online` agrees; up and busy, it is ejected, offline first
    """
    directory = f"{scenario.CPU_SYSFS}/cpu2"
    top, bottom = int(vm.sh(f"cat {scenario.CPU_SYSFS}/cpu0/hotplug/state")), 0

    def move(target, online):
        vm.sh(f"echo {target} > {directory}/hotplug/target")
        assert vm.sh(f"cat {directory}/online") == str(online)
        assert (2 in vm.masks()["online"]) == bool(online)

    scenario.add(vm, 2)
    move(top, 1)
    scenario.offline(vm, 2)
    scenario.online(vm, 2)
    move(bottom, 0)
    move(top, 1)
    taken = len(scenario.said(vm, r"psci: CPU2 killed"))
    with scenario.busy(vm, 2):
        scenario.eject(vm, 2)
    assert len(scenario.said(vm, r"psci: CPU2 killed")) == taken + 1
    scenario.comes_and_goes(vm, 2)


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
@pytest.mark.part("complete")
def test_driver_not_bound(vm):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, online while the driver is not bound to it, and ejected: nothing is left of it; -> 2 once more
    """
    scenario.add(vm, 2)
    vm.sh("echo cpu2 > /sys/bus/cpu/drivers/processor/unbind")
    scenario.online(vm, 2)
    scenario.works(vm, 2)
    scenario.eject(vm, 2)
    scenario.comes_and_goes(vm, 2)


@pytest.mark.part("complete")
@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_alone_in_its_partition(vm):
    """
    CPU  0 1 | 2 3
         x x |          -> 2, alone in a cpuset partition: it is ejected, comes again, and works for all
    """
    scenario.add(vm, 2)
    scenario.online(vm, 2)
    vm.sh("cd /sys/fs/cgroup && echo +cpuset > cgroup.subtree_control &&"
          " mkdir alone && cd alone && echo 2 > cpuset.cpus && echo root > cpuset.cpus.partition")
    assert vm.sh("cat /sys/fs/cgroup/alone/cpuset.cpus.partition") == "root"
    scenario.eject(vm, 2)
    vm.sh("rmdir /sys/fs/cgroup/alone")
    scenario.add_and_work(vm, 2)
