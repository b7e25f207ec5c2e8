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
    path, = [entry["qom-path"] for entry in vm.qmp("query-hotpluggable-cpus") if entry["props"]["core-id"] == 0]
    with pytest.raises(Refused, match="(?i)boot CPU"):
        vm.qmp("device_del", id=path)
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
