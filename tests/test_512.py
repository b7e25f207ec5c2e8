"""512 possible CPUs: those that are absent cost next to nothing, and any of them can come."""

import re

from cpuhp import scenario

FEW, MANY = "cpus=2,maxcpus=2", "cpus=2,maxcpus=512"
MORE_PROCESSES = 10
SLOWER = 1.2
# QEMU thinks of how big a table old machines had room for
BIG_TABLES = (r"warning: ACPI table size", r"^Try removing CPUs")
BOOTS = 10          # of each machine at most: the least disturbed ones are held against each other
# The host's page faults are no cost of the guest's, and the bigger machine meets more memory that was never used
MEMORY = {"memory": "1G", "args": ("-mem-prealloc",)}


def processes(vm):
    return int(vm.sh("ls -d /proc/[0-9]* | wc -l"))


def bringup_seconds(vm):
    """How long the kernel took from "Bringing up secondary CPUs" to "Brought up", by its own clock."""
    stamps = re.findall(r"^\[ *([\d.]+)\] smp: (?:Bringing up secondary CPUs|Brought up)", vm.dmesg(), re.M)
    before, after = map(float, stamps)
    return after - before


def test_512(boot):
    """
    CPU  0 1 | 2 ... 511       against a machine with 0 and 1 alone: few more processes, secondary CPUs as fast;
         x x |                 -> 2, 100, 300, 511 added, online, at work, and ejected
    """
    with boot(smp=FEW, **MEMORY) as vm:
        processes_of_few, few = processes(vm), [bringup_seconds(vm)]
    with boot(smp=MANY, **MEMORY, expected=BIG_TABLES) as vm:
        many = [bringup_seconds(vm)]
        assert processes(vm) <= processes_of_few + MORE_PROCESSES
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
        for smp, seconds in ((FEW, few), (MANY, many)):
            with boot(smp=smp, **MEMORY, expected=BIG_TABLES) as vm:
                seconds.append(bringup_seconds(vm))
    assert min(many) <= SLOWER * min(few), (few, many)
