"""Rows 12, 25 and 26: redistributors that firmware describes wrongly, in a MADT that takes the place of its own."""

import pytest

from cpuhp import scenario, tables

SMP = "cpus=2,maxcpus=6"
FRAMES = 0x20000        # of one redistributor
GICR_BASE = 0x080A0000
NOWHERE = 1 << 50       # beyond the physical addresses


@pytest.fixture(scope="module")
def madt():
    return tables.of_machine(smp=SMP)["APIC"]


def refused(vm, cpu):
    scenario.refused_add(vm, cpu, rf"CPU{cpu}: no GICR range has the redistributor of MPIDR 0x{cpu}, refused")


@pytest.mark.part("hardening")
def test_region_that_ends_too_early(boot, madt):
    """
    CPU   0 1 | 2 3 4 5
    GICR  [- - - -]         -> 4: refused, and named; 3: works
    """
    with boot(smp=SMP, tables=tables.initrd(tables.with_gicrs(madt, (GICR_BASE, 4 * FRAMES)))) as vm:
        assert vm.masks()["online"] == {0, 1}
        refused(vm, 4)
        scenario.comes_and_goes(vm, 3)


@pytest.mark.part("hardening")
def test_none_for_a_cpu_that_is_there(boot, madt):
    """
    CPU   0 1 | 2 3 4 5
    GICR  [-]               1 does not come online, and the log says why; 0 works
    """
    reason = r"CPU1: no region has the redistributor of MPIDR 0x1, not brought online"
    with boot(smp=SMP, tables=tables.initrd(tables.with_gicrs(madt, (GICR_BASE, FRAMES)))) as vm:
        assert vm.masks()["present"] == {0, 1}
        assert vm.masks()["online"] == {0}
        assert len(scenario.said(vm, reason)) == 1
        assert vm.run(f"echo 1 > {scenario.CPU_SYSFS}/cpu1/online").status != 0
        assert len(scenario.said(vm, reason)) == 2
        scenario.works(vm, 0)


ALL = (GICR_BASE, 6 * FRAMES)
# GICR entries; what is said, once
ODD = {
    "length 0": ([(0x10000000, 0), ALL], r"GICR range @10000000 of 0 bytes holds no redistributor, skipped"),
    "too short for one": ([(GICR_BASE, 0x10000), ALL], r"GICR range @80a0000 of 65536 bytes holds no redistributor, skipped"),
    "cannot be mapped": ([(NOWHERE, FRAMES), ALL], r"Couldn't map GICR region @4000000000000, skipped"),
    "overlap": ([(GICR_BASE, 4 * FRAMES), ALL], r"GICR ranges @0x0*80a0000 and @0x0*80a0000 overlap"),
    "entry that ends early": ([b"\x0e\x08" + bytes(6), ALL], r"GICR entry of 8 bytes is too short, skipped"),
}


@pytest.mark.part("hardening")
@pytest.mark.parametrize("name", ODD)
def test_odd_ranges(boot, madt, name):
    """
    CPU   0 1 | 2 3 4 5
    GICR  ? [- - - - - -]   one entry is odd: named, and nobody misses it
    """
    entries, line = ODD[name]
    with boot(smp=SMP, tables=tables.initrd(tables.with_gicrs(madt, *entries))) as vm:
        assert vm.masks()["online"] == {0, 1}
        assert vm.masks()["possible"] == set(range(6))
        assert len(scenario.said(vm, line)) == 1, scenario.said(vm, "GICR|GICv3")
        scenario.comes_and_goes(vm, 5)


def test_only_in_the_gicc(boot, madt):
    """
    CPU   0 1 | 2 3 4 5
    GICR  x x   x x x x     in the GICCs only: those of CPUs that are not there are not always on, so 3 is refused
    """
    bases = {cpu: GICR_BASE + cpu * FRAMES for cpu in range(6)}
    with boot(smp=SMP, tables=tables.initrd(tables.with_gicr_in_gicc(madt, bases))) as vm:
        assert vm.masks()["online"] == {0, 1}
        refused(vm, 3)
        scenario.offline(vm, 1)
        scenario.online(vm, 1)
        scenario.works(vm, 1)
