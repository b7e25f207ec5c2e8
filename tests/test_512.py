"""512 possible CPUs: those that are absent cost next to nothing, and any of them can come."""

import pytest

from cpuhp import bench, scenario

pytestmark = pytest.mark.part("cost")

MORE_PROCESSES = 10
SLOWER = 1.2
BOOTS = 10          # of each machine at most: the least disturbed ones are held against each other
FEW, MANY = bench.spec(bench.PRESENT), bench.spec(512)


def test_512(boot):
    """
    CPU  0 1 | 2 ... 511       against a machine with 0 and 1 alone: few more processes, secondary CPUs as fast;
         x x |                 -> 2, 100, 300, 511 added, online, at work, and ejected
    """
    with boot(**FEW) as vm:
        processes, few = bench.processes(vm), [bench.bringup_seconds(vm)]
    with boot(**MANY) as vm:
        many = [bench.bringup_seconds(vm)]
        assert bench.processes(vm) <= processes + MORE_PROCESSES
        assert vm.masks()["possible"] == set(range(512))
        added = (2, 100, 300, 511)
        for cpu in added:
            scenario.add(vm, cpu)
            scenario.online(vm, cpu)
        assert vm.masks()["online"] == {0, 1, *added}
        for cpu in added:
            scenario.works(vm, cpu)
            scenario.eject(vm, cpu)
        assert vm.masks()["present"] == vm.cpu_directories() == {0, 1}

    while min(many) > SLOWER * min(few) and len(many) < BOOTS:
        for spec, seconds in ((FEW, few), (MANY, many)):
            with boot(**spec) as vm:
                seconds.append(bench.bringup_seconds(vm))
    assert min(many) <= SLOWER * min(few), (few, many)
