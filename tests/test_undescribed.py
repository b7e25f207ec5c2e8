"""An SRAT and a PPTT that say nothing of the CPUs that are not there."""

import struct

import pytest

from cpuhp import scenario, tables
from cpuhp.gate import parse_cpus
from cpuhp.numa import two_nodes, with_srat

SMP = "cpus=2,maxcpus=4,sockets=1,clusters=2,cores=2,threads=1"
TOPOLOGY = f"grep . {scenario.CPU_SYSFS}/cpu[01]/topology/*"

GICC_AFFINITY = 3       # SRAT
PROCESSOR = 0           # PPTT
LEAF = 1 << 3


def without_gicc_affinity(srat, uids):
    """The SRAT without what it says of some CPUs."""
    entries, offset, kept = srat[48:], 0, b""
    while offset < len(entries):
        entry = entries[offset:offset + entries[offset + 1]]
        offset += len(entry)
        if entry[0] != GICC_AFFINITY or struct.unpack_from("<I", entry, 6)[0] not in uids:
            kept += entry
    assert len(kept) == len(entries) - 18 * len(uids)
    return tables.seal(bytearray(srat[:48] + kept))


def without_processors(pptt, uids):
    """The PPTT with the leaves of some CPUs given to CPUs that nobody has."""
    edited, offset, found = bytearray(pptt), 36, 0
    while offset < len(edited):
        kind, length = edited[offset:offset + 2]
        flags, _, uid = struct.unpack_from("<III", edited, offset + 4)
        if kind == PROCESSOR and flags & LEAF and uid in uids:
            struct.pack_into("<I", edited, offset + 12, 0x1000 + uid)
            found += 1
        offset += length
    assert found == len(uids)
    return tables.seal(edited)


def test_srat(boot):
    """
    node  0     1
    CPU   0 1 |         2 3 ?       the nodes of 2 and 3 are not known: -> 2 works, on the first node; 0 and 1 stay there
    """
    words = with_srat(two_nodes("cpus=2,maxcpus=4,sockets=2,clusters=1,cores=2,threads=1", "0-1", "2-3"),
                      lambda srat: without_gicc_affinity(srat, {2, 3}))

    def cpus_of_nodes():
        return [parse_cpus(vm.sh(f"cat /sys/devices/system/node/node{node}/cpulist")) for node in (0, 1)]

    with boot(**words) as vm:
        assert cpus_of_nodes() == [{0, 1}, set()]
        scenario.add_and_work(vm, 2, socket_id=1, core_id=0)
        assert cpus_of_nodes() == [{0, 1, 2}, set()]
        scenario.eject(vm, 2)
        assert cpus_of_nodes() == [{0, 1}, set()]
        scenario.add_and_work(vm, 3, socket_id=1, core_id=1)
        scenario.eject(vm, 3)


@pytest.mark.part("complete")
def test_pptt(boot, linux):
    """
    cluster  0     1
    CPU      0 1 |      2 3 ?       the PPTT has no 2 and no 3: the topology of 0 and 1 is as with a good PPTT; -> 2 works,
                                    and has caches where the kernel takes the CPU's own word for them, as from 6.12 on
    """
    pptt = without_processors(tables.of_machine(smp=SMP)["PPTT"], {2, 3})
    with boot(smp=SMP) as good:
        described = good.sh(TOPOLOGY)
    with boot(smp=SMP, tables=tables.initrd(pptt)) as vm:
        assert vm.sh(TOPOLOGY) == described
        scenario.add_and_work(vm, 2, cluster_id=1, core_id=0)
        vm.sh(f"cat {scenario.CPU_SYSFS}/cpu2/topology/*")
        assert vm.sh(f"cat {scenario.CPU_SYSFS}/cpu2/topology/core_cpus_list") == "2"
        caches = vm.run(f"ls {scenario.CPU_SYSFS}/cpu2/cache")
        assert caches.status != 0 if linux == "6.1" else "index0" in caches.output
        assert vm.sh(TOPOLOGY) == described
        scenario.eject(vm, 2)
        scenario.add_and_work(vm, 3, cluster_id=1, core_id=1)
        scenario.eject(vm, 3)


@pytest.mark.part("complete")
def test_pptt_and_a_cpu_that_the_scan_finds(boot):
    """
    cluster  0     1
    CPU      0 1   2 | 3 ?      the MADT calls 0 alone enabled, the PPTT has no 2 and no 3: 0, 1 and 2 are online after boot
    """
    smp = SMP.replace("cpus=2", "cpus=3", 1)
    machine = "gic-version=3,x-madt-boot-cpu-only=on"
    pptt = without_processors(tables.of_machine(smp=smp, machine=machine)["PPTT"], {2, 3})
    with boot(smp=smp, machine=machine, tables=tables.initrd(pptt)) as vm:
        assert vm.masks()["online"] == {0, 1, 2}
        scenario.works(vm, 2)
        scenario.add_and_work(vm, 3, cluster_id=1, core_id=1)
