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
# Highest, nominal, lowest nonlinear and lowest performance
USUAL, HALF, TWICE, WRONG = (300, 200, 100, 50), (150, 100, 50, 25), (600, 200, 100, 50), (100, 200, 100, 50)
INVALID = r"cpu_capacity: CPU4 missing/invalid highest performance"
# All that the kernel asks for
OSC = "Scope (\\_SB) { Method (_OSC, 4) { Return (Arg3) } }"
READS = 2       # the CPU's capacity and cpufreq
MANY, CPUS = "cpus=2,maxcpus=8", 8


def cpc(performance):
    return ", ".join(["23", "3", *map(str, performance), NONE, register(SPARE), *[NONE] * 5, register(COUNTER), register(COUNTER),
                      register(COUNTER), *[NONE] * 4, "200", "500", "2000"])


def with_cppc(smp, performances=None):
    """The initrd with a DSDT in which each CPU has a _CPC, with the usual performance or another one."""
    def edit(text):
        text, count = re.subn(r"(Device \(C([0-9A-F]{3})\)\s*{)", lambda match: "%s Name (_CPC, Package () { %s })" % (
            match[1], cpc((performances or {}).get(int(match[2], 16), USUAL))), text)
        assert count == int(smp.split("maxcpus=")[1]), "the DSDT has changed: other devices of CPUs"
        return tables.with_more(text, OSC)

    return tables.initrd(tables.edit_asl(tables.of_machine(smp=smp)["DSDT"], edit))


# Who reads the CPPC data of a CPU, and what follows if the capacity of any CPU has changed
PROBES = "p:test/read cppc_get_perf_caps", "p:test/changed update_topology_flags_workfn"


def calls(vm):
    """How often CPPC data were read and capacities changed since the last time."""
    trace = vm.sh(f"sleep 1; cat {scenario.TRACING}/trace; echo > {scenario.TRACING}/trace")
    return trace.count(" read: ("), trace.count(" changed: (")


def test_reads_of_cppc_data(boot):
    """
    CPU  0 1 | 2 ... 7
         x x |             -> 2 to 7, one after the other: each online reads its own CPU's data only, and no capacity changes
    """
    with boot(smp=MANY, tables=with_cppc(MANY)) as vm:
        scenario.mount_tracing(vm)
        vm.sh(f"cd {scenario.TRACING}; " + "; ".join(f"echo '{probe}' >> kprobe_events" for probe in PROBES)
              + "; echo 1 > events/test/enable")
        calls(vm)
        found = []
        for cpu in range(2, CPUS):
            scenario.add(vm, cpu)
            scenario.online(vm, cpu)
            found.append(calls(vm))
        for cpu in range(2, CPUS):
            assert performance(vm, cpu) == performance(vm, 1)
        reads, changes = zip(*found)
        assert 0 < reads[0] <= READS and set(reads) == {reads[0]}
        assert not any(changes)


def test_capacities(boot):
    """
    CPU  0   1   | 2   3   4
         300 300 | 150 600 -       -> 2, half as fast; 3, the fastest; 4, whose data are invalid; 3 is ejected; 2 once more
    """
    with boot(smp=MANY, tables=with_cppc(MANY, {2: HALF, 3: TWICE, 4: WRONG}), expected=(INVALID,)) as vm:
        def capacities():
            return vm.sh("cd /sys/devices/system/cpu; cat cpu[0-9]*/cpu_capacity").split()

        assert capacities() == ["1024", "1024"]
        scenario.add_and_work(vm, 2)
        assert capacities() == ["1024", "1024", "512"]
        scenario.add_and_work(vm, 3)
        assert capacities() == ["512", "512", "256", "1024"]
        scenario.add_and_work(vm, 4)
        assert capacities() == ["512", "512", "256", "1024", "1024"]
        assert scenario.said(vm, INVALID)
        scenario.eject(vm, 3)
        scenario.eject(vm, 2)
        scenario.add_and_work(vm, 2)
        assert capacities() == ["512", "512", "256", "1024"]


@pytest.fixture
def guest(boot, request):
    with boot(smp=SMP, tables=with_cppc(SMP), append=getattr(request, "param", "")) as vm:
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
