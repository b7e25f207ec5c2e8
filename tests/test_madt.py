"""Rows 7, 8, 21, 22 and 23: GICCs that are wrong, in a MADT that takes the place of the firmware's."""

import re
import struct

import pytest

from cpuhp import scenario, tables
from cpuhp.agent import GuestGone
from cpuhp.vm import VM, Spec

SMP = "cpus=2,maxcpus=6"
NR_CPUS = 512
UID, MPIDR = ("<I", 8), ("<Q", 68)      # format and offset of a GICC's field


@pytest.fixture(scope="module")
def madt():
    return tables.of_machine(smp=SMP)["APIC"]


def with_field(gicc, field, value):
    edited = bytearray(gicc)
    struct.pack_into(field[0], edited, field[1], value)
    return bytes(edited)


def with_giccs(madt, edit):
    """The MADT with its GICCs as edit() gives them back."""
    entries = tables.structures(madt)
    first = next(number for number, entry in enumerate(entries) if entry[0] == tables.GICC)
    others = [entry for entry in entries if entry[0] != tables.GICC]
    return tables.with_structures(madt, others[:first] + edit([e for e in entries if e[0] == tables.GICC]) + others[first:])


def replace(core, change):
    """An edit of the GICC of one core."""
    return lambda giccs: [change(gicc) if number == core else gicc for number, gicc in enumerate(giccs)]


def short(gicc):
    return bytes([gicc[0], 40]) + gicc[2:40]


# The GICCs; how many CPUs are possible; what is said, once; the core that is lost
HOT_PLUGGABLE = {
    "short": (replace(4, short), 5, r"GICC at offset \d+ is too short, skipped", 4),
    "short, the last one": (replace(5, short), 5, r"GICC at offset \d+ is too short, skipped", 5),
    "UID of another": (replace(4, lambda gicc: with_field(gicc, UID, 3)), 5, r"duplicate CPU UID 3, skipping MPIDR 0x4", 4),
    "MPIDR of another": (replace(4, lambda gicc: with_field(gicc, MPIDR, 3)), 5,
                         r"duplicate CPU MPIDR 0x3, skipping UID 4", 4),
    "MPIDR of the boot CPU": (replace(4, lambda gicc: with_field(gicc, MPIDR, 0)), 5,
                              r"duplicate boot CPU MPIDR 0x0, skipping UID 4", 4),
    "MPIDR with a reserved bit": (replace(4, lambda gicc: with_field(gicc, MPIDR, 1 << 31 | 4)), 5,
                                  r"skipping CPU entry with invalid MPIDR 0x80000004, UID 4", 4),
}


@pytest.mark.parametrize("name", HOT_PLUGGABLE)
def test_hot_pluggable(boot, madt, name):
    """
    CPU  0 1 | 2 3 4 5
         x x |     ? ?      one GICC is wrong: named; its CPU is lost, and no other
    """
    edit, possible, line, lost = HOT_PLUGGABLE[name]
    with boot(smp=SMP, tables=tables.initrd(with_giccs(madt, edit))) as vm:
        assert vm.masks()["online"] == {0, 1}
        assert vm.masks()["possible"] == set(range(possible))
        assert len(scenario.said(vm, line)) == 1, scenario.said(vm, "MADT")
        scenario.refused_add(vm, lost, rf"CPU with UID {lost} cannot be used: its GICC is not in the MADT or was ignored at boot")
        scenario.comes_and_goes(vm, 2)


def test_one_that_is_there_is_short(boot, madt):
    """
    CPU  0 1 | 2 3 4 5
         x ? |              the GICC of 1 is too short: named; the others are there
    """
    with boot(smp=SMP, tables=tables.initrd(with_giccs(madt, replace(1, short)))) as vm:
        assert vm.masks()["online"] == vm.masks()["present"] == {0}
        assert vm.masks()["possible"] == set(range(5))
        assert len(scenario.said(vm, r"GICC at offset \d+ is too short, skipped")) == 1


def test_boot_cpu_missing(boot, madt):
    """
    CPU  0 1 | 2 3 4 5
         ? x |              no GICC of the boot CPU: said; it runs, alone
    """
    with boot(smp=SMP, tables=tables.initrd(with_giccs(madt, lambda giccs: giccs[1:]))) as vm:
        assert vm.masks()["online"] == vm.masks()["present"] == {0}
        assert len(scenario.said(vm, r"missing boot CPU MPIDR, not enabling secondaries")) == 1


@pytest.mark.part("hardening")
def test_two_that_are_there_share_a_uid(boot, madt):
    """
    UID  0 0 | 2 3 4 5
         x x |              said; both are there, as nobody looks them up; others can be added
    """
    shared = with_giccs(madt, replace(1, lambda gicc: with_field(gicc, UID, 0)))
    with boot(smp=SMP, tables=tables.initrd(shared)) as vm:
        assert vm.masks()["online"] == {0, 1}
        assert len(scenario.said(vm, r"duplicate CPU UID 0, keeping MPIDR 0x1")) == 1
        scenario.offline(vm, 1)
        scenario.online(vm, 1)
        scenario.works(vm, 1)
        scenario.comes_and_goes(vm, 2)


@pytest.mark.parametrize("place", ["among the GICCs", "at the end"])
def test_entry_of_length_zero(linux, directory, madt, place):
    """
    CPU  0 1 | 2 3 4 5
         x x |              an entry of length 0: the GIC is not found, as on an unpatched kernel, so the boot ends; it says why
    """
    if place == "at the end":
        broken = tables.with_structures(madt, [*tables.structures(madt), bytes(8)])
    else:
        broken = with_giccs(madt, lambda giccs: [*giccs[:3], bytes(8), *giccs[3:]])
    vm = VM(Spec(linux=linux, smp=SMP, tables=tables.initrd(broken), append="earlycon=pl011,0x9000000"), directory)
    with pytest.raises(GuestGone), vm:
        pass
    assert re.search(r"entry at offset \d+ has an invalid length, the entries after it are ignored", vm.console())
    assert re.search(r"Kernel panic - not syncing", vm.console())


def test_more_than_there_is_room_for(boot, madt):
    """
    CPU  0 1 | 2 ... 512    one more than NR_CPUS: said how many are dropped; those that are there are there
    """
    def more(giccs):
        return giccs + [with_field(with_field(giccs[-1], UID, number), MPIDR, (number // 16) << 8 | number % 16)
                        for number in range(len(giccs), NR_CPUS + 1)]

    with boot(smp=SMP, memory="1G", tables=tables.initrd(with_giccs(madt, more))) as vm:
        assert vm.masks()["online"] == {0, 1}
        assert vm.masks()["possible"] == set(range(NR_CPUS))
        assert len(scenario.said(vm, rf"1 CPUs dropped, the kernel has room for {NR_CPUS}")) == 1
        scenario.comes_and_goes(vm, 5)


def test_nr_cpus(boot, madt):
    """
    CPU  2 3 4 5 0 1        hot-pluggable ones first in the table, nr_cpus=2: said; 0 and 1, which are there, are kept
    """
    reordered = with_giccs(madt, lambda giccs: [giccs[0], *giccs[2:], giccs[1]])
    with boot(smp=SMP, append="nr_cpus=2", tables=tables.initrd(reordered)) as vm:
        assert vm.masks()["online"] == vm.masks()["possible"] == {0, 1}
        assert len(scenario.said(vm, r"\(6\) exceeds configured maximum of 2 - clipping")) == 1
        scenario.refused_add(vm, 3, r"CPU with UID 3, MPIDR 0x3 cannot be used: nr_cpus=")


def test_nr_cpus_with_room_for_some(boot, madt):
    """
    CPU  0 2 3 4 5 1        the same table, nr_cpus=4: 4 and 5 are left out; the others are numbered in its order
    """
    reordered = with_giccs(madt, lambda giccs: [giccs[0], *giccs[2:], giccs[1]])
    with boot(smp=SMP, append="nr_cpus=4", tables=tables.initrd(reordered)) as vm:
        assert vm.masks()["possible"] == {0, 1, 2, 3}
        assert vm.masks()["online"] == {0, 3}
        since = vm.mark()
        vm.device_add(2)
        assert scenario.answer(vm, 2, since) == scenario.OST_SUCCESS
        assert vm.masks()["present"] == {0, 1, 3}
        scenario.online(vm, 1)
        scenario.works(vm, 1)
        scenario.refused_add(vm, 4, r"CPU with UID 4, MPIDR 0x4 cannot be used: nr_cpus=")
