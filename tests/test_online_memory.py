"""What memory an online takes: with none in large pieces it works, and without hot-pluggable CPUs it takes what the unpatched kernel does."""

import pytest

from cpuhp import alloctrace, scenario
from cpuhp.vm import wait_until

COSTLY = 4          # the order of blocks that the kernel does without, rather than kill somebody for them: 64 KB


def blocks(vm, order):
    """How many free blocks there are of that order and above."""
    return sum(int(count) for line in vm.sh("cat /proc/buddyinfo").splitlines()
               for count in line.split()[4 + order:])


def fragment(vm):
    """Leaves much memory free, and no large block in it."""
    vm.sh("fragment > /tmp/fragment 2>&1 &")
    wait_until("memory to be fragmented", lambda: vm.sh("cat /tmp/fragment"))
    said = vm.sh("cat /tmp/fragment")
    assert said.startswith("fragmented: "), said
    assert int(said.split()[1]) > 50 << 10


@pytest.mark.vm(smp="cpus=2", append="maxcpus=1")
def test_fragmented_and_a_cpu_of_boot(vm):
    """
    CPU  0 1           1 is left out at boot; then there is no block of 64 KB any more -> online
    """
    fragment(vm)
    assert blocks(vm, COSTLY) == 0
    scenario.online(vm, 1)
    scenario.works(vm, 1)


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_fragmented_and_a_cpu_that_is_added(vm):
    """
    CPU  0 1 | 2 3
         x x |         2 is added; then there is no block of 64 KB any more -> 2 is online, 3 is added and online
    """
    scenario.add(vm, 2)
    fragment(vm)
    assert blocks(vm, COSTLY) == 0
    scenario.online(vm, 2)
    scenario.works(vm, 2)
    scenario.add_and_work(vm, 3)


def of_first_onlines(boot, kernel, cpus):
    """What the first online of each of these CPUs allocates, on a machine where none can be added."""
    found = []
    with boot(smp=f"cpus={max(cpus) + 1}", append="maxcpus=1", kernel=kernel) as vm:
        for cpu in cpus:
            with alloctrace.traced(vm) as allocations:
                scenario.online(vm, cpu)
            found.append(alloctrace.summary([one for one in allocations if one.of_online and not one.refills]))
    return found


def test_same_allocations(boot):
    """
    CPU  0 1 2 3       1, 2 and 3 are left out at boot -> online: each makes the allocations that it makes with the unpatched kernel
    """
    unpatched, patched = (of_first_onlines(boot, kernel, (1, 2, 3)) for kernel in ("base", "patched"))
    assert set().union(*patched) == set().union(*unpatched)
