"""Firmware that describes the performance of its CPUs: what the kernel keeps of it comes and goes with them."""

import re

import pytest

from cpuhp import scenario, tables

# KASAN sees what is freed twice, or read after that; cpufreq is in that kernel alone.
pytestmark = [pytest.mark.of_debug("kasan"), pytest.mark.part("complete")]

SMP = "cpus=2,maxcpus=4"
CPU = 2
# The machine has no such registers: those of its clock can be read, one of them written
COUNTER, SPARE = 0x09010000, 0x09010004


def register(address):
    return f"ResourceTemplate () {{ Register (SystemMemory, {32 if address else 0}, 0, 0x{address:X}, {3 if address else 0}) }}"


NONE = register(0)
CPC = ", ".join(["23", "3", "300", "200", "100", "50", NONE, register(SPARE), *[NONE] * 5, register(COUNTER), register(COUNTER),
                 register(COUNTER), *[NONE] * 4, "200", "500", "2000"])
# All that the kernel asks for
OSC = "Scope (\\_SB) { Method (_OSC, 4) { Return (Arg3) } }"


def with_cpc(text):
    text, count = re.subn(r"(Device \(C[0-9A-F]{3}\)\s*{)", rf"\1 Name (_CPC, Package () {{ {CPC} }})", text)
    assert count == 4, "the DSDT has changed: other devices of CPUs"
    return tables.with_more(text, OSC)


@pytest.fixture
def guest(boot, request):
    dsdt = tables.of_machine(smp=SMP)["DSDT"]
    with boot(smp=SMP, tables=tables.initrd(tables.edit_asl(dsdt, with_cpc)), append=getattr(request, "param", "")) as vm:
        assert performance(vm, 1) == ["300", "2000000"]
        yield vm


def performance(vm, cpu):
    """What the CPU can do, by its CPPC data and by cpufreq, which has them from there."""
    return vm.sh(f"cd /sys/devices/system/cpu/cpu{cpu}; cat acpi_cppc/highest_perf cpufreq/cpuinfo_max_freq").split()


def test_comes_and_goes(guest):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, online, with its data; ejected, 3 comes; 2 is back, is ejected before it is online; once more, all of it
    """
    for _ in range(2):
        scenario.add(guest, CPU)
        scenario.online(guest, CPU)
        assert performance(guest, CPU) == performance(guest, 1)
        scenario.eject(guest, CPU)
        scenario.comes_and_goes(guest, 3)
        scenario.add(guest, CPU)
        scenario.eject(guest, CPU)
    scenario.add_and_work(guest, CPU)
    assert performance(guest, CPU) == performance(guest, 1)
    assert not scenario.said(guest, "cpu_capacity: .*(missing|partial)")


@pytest.mark.parametrize("guest", ["driver_async_probe=processor"], indirect=True)
def test_driver_that_may_be_bound_late(guest):
    """
    CPU  0 1 | 2 3
         x x |         who starts the CPUs at boot finds them bound to their driver all the same; -> 2
    """
    scenario.add(guest, CPU)
    scenario.online(guest, CPU)
    assert performance(guest, CPU) == performance(guest, 1)
