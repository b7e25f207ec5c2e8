"""512 possible CPUs: those that are absent cost next to nothing, and any of them can come."""

import pytest

from cpuhp import bench, paths, scenario

pytestmark = pytest.mark.part("cost")

MORE_PROCESSES = 10
SLOWER = 1.2
PAGE_OF_RESERVATIONS = 255
THREADS = 10000
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


@pytest.mark.check_all
def test_reservations(boot):
    """
    CPU  0 1 | 2 ... 263       the list of the pending tables that the next kernel must not use grows by a page at the 255th:
         x x |                 -> each is online once; nearly all memory that is free was the initrd's, as that page was
    """
    if paths.DEBUG == "kasan":
        pytest.skip("with KASAN, so many possible CPUs need more than this memory to boot")
    last = PAGE_OF_RESERVATIONS + 8
    with boot(smp=f"cpus=2,maxcpus={last + 1}", memory="1G", append="mem=180M", files=bytes(300 << 20),
              args=bench.FAULTLESS, expected=bench.BIG_TABLES) as vm:
        vm.sh(f"echo {THREADS} > /proc/sys/kernel/threads-max")     # its default goes by the memory that was free early
        for cpu in range(2, last + 1):
            scenario.add(vm, cpu)
        # One at a time: so many that are online are too much for an emulated machine
        vm.sh(f"for cpu in $(seq 2 {last}); do cd {scenario.CPU_SYSFS}/cpu$cpu; echo 1 > online && echo 0 > online || exit; done",
              timeout=300)
        assert vm.masks()["present"] == set(range(last + 1))
        scenario.online(vm, last)
        scenario.works(vm, last)
