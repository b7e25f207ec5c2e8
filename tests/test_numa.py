"""What Debian 12's firmware makes of a machine with two nodes, and why.

The other tests with nodes have Debian 13's firmware, which is right, and QEMU's own SRAT: test_boot, test_hotplug.
"""

import functools
import re

import pytest

from cpuhp import scenario, tables
from cpuhp.gate import parse_cpus
from cpuhp.numa import FIRMWARE, FLASH, two_nodes, with_srat

NODES = "/sys/devices/system/node"
WORDS = {**two_nodes("cpus=2,maxcpus=4,sockets=2,clusters=1,cores=2,threads=1", "0-1", "2-3"), "efi": None}


def skip_unless_debian12(vm):
    """QEMU_EFI= may name another firmware, and another Debian has another.  Debian 12's does not tell its version."""
    version = re.search(r"DMI: .* BIOS (\S+)", vm.dmesg()).group(1)
    if version != "0.0.0":
        pytest.skip(f"the firmware is {version}, not Debian 12's")


def add_and_work(vm, node):
    """CPU 2, which is of node 1, comes up on that node, works, and goes."""
    scenario.add(vm, 2, socket_id=1, core_id=0, node_id=1)
    assert vm.sh(f"cd {scenario.CPU_SYSFS}/cpu2; ls -d node*") == f"node{node}"
    scenario.online(vm, 2)
    assert 2 in parse_cpus(vm.sh(f"cat {NODES}/node{node}/cpulist"))
    scenario.works(vm, 2)
    scenario.eject(vm, 2)


def test_one_node_with_debian12(boot):
    """
    node  0           the firmware reports a flash as memory that the SRAT does not have: the kernel fakes one node
    CPU   0 1 | 2 3   -> 2, which is of node 1: comes up on node 0, and works
    """
    with boot(**WORDS) as vm:
        skip_unless_debian12(vm)
        assert vm.sh(f"cat {NODES}/online") == "0"
        assert len(scenario.said(vm, "Faking a node")) == 1
        add_and_work(vm, 0)


def test_two_nodes_with_debian12_and_the_flash_in_the_srat(boot):
    """
    node  0     1
    CPU   0 1 | 2 3   the same with an SRAT that has the flash: two nodes -> 2, on node 1
    """
    words = with_srat(WORDS, functools.partial(tables.with_memory_affinity, base=FLASH[0], size=FLASH[1], node=0))
    with boot(**words) as vm:
        skip_unless_debian12(vm)
        assert vm.sh(f"cat {NODES}/online") == "0-1"
        add_and_work(vm, 1)


def test_two_nodes(boot):
    """
    node  0     1
    CPU   0 1 | 2 3   Debian 13's firmware, nothing edited: two nodes -> 2, on node 1
    """
    with boot(**{**WORDS, "efi": FIRMWARE}) as vm:
        assert vm.sh(f"cat {NODES}/online") == "0-1"
        assert scenario.said(vm, "Faking a node") == []
        add_and_work(vm, 1)
