"""Row 35, as counters: what a CPU costs does not depend on how many there may be."""

import pytest

from cpuhp import bench, paths, scenario

READS = 16          # of GICRs at an online; a search from the first one needs two for each that is before
KB_PER_CPU = {"6.1": 180, "6.12": 230}      # of memory that an absent CPU costs; per-CPU memory is 112 to 124 of them
KB_UNKNOWN = 8      # of these, what none of bench.ACCOUNTS has
MORE = 64
MOST = 512          # what is there once for all absent CPUs counts for little, so that this is what one costs
KB_OF_KERNEL = 512  # the patched kernel's own text and data, and what differs from boot to boot


@pytest.mark.part("cost")
def test_reads_of_an_online(boot, directory):
    """
    CPU  0 1 | 2 ... 63
         x x |             -> 2 and 60: their redistributors are found with few reads, the 61st as soon as the third
    """
    log = directory / "trace.log"
    with boot(**bench.spec(MORE, log)) as vm:
        for cpu in (2, 60):
            scenario.add(vm, cpu)
            for _ in range(2):
                with bench.counted(vm, log, bench.GICR_READ) as counts:
                    scenario.online(vm, cpu)
                assert 0 < counts[bench.GICR_READ] <= READS
                scenario.offline(vm, cpu)


@pytest.mark.part("cost")
@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_locks_of_an_online(vm):
    """
    CPU  0 1 | 2 3
         x x |             -> 2: memory hotplug is not locked, which takes a grace period, to see that its node is online
    """
    scenario.mount_tracing(vm)
    vm.sh(f"cd {scenario.TRACING} && echo 'p:test/lock mem_hotplug_begin' > kprobe_events && echo 1 > events/test/lock/enable")
    scenario.add(vm, 2)
    scenario.online(vm, 2)
    assert vm.sh(f"grep -o 'lock: (mem_hotplug_begin' {scenario.TRACING}/trace || true") == ""


@pytest.mark.part("cost")
def test_accesses_of_an_add(boot, directory):
    """
    CPU  0 1 | 2 ...       -> the last of 8, and the last of 64: AML looks as often at the CPU hotplug registers
    """
    found = []
    for possible in (8, MORE):
        log = directory / f"trace-{possible}.log"
        with boot(**bench.spec(possible, log)) as vm:
            with bench.counted(vm, log, bench.ACPI_ACCESS) as counts:
                scenario.add(vm, possible - 1)
            found.append(counts[bench.ACPI_ACCESS])
    assert 0 < found[0] == found[1]


@pytest.mark.part("cost")
@pytest.mark.skipif(bool(paths.DEBUG), reason="a debug kernel has other data for each CPU")
def test_memory_of_absent_cpus(boot, linux):
    """
    CPU  0 1 | 2 ... 511       against a machine with 0 and 1 alone: the memory that is free, and where the rest is
    """
    free, used = [], []
    for possible in (bench.PRESENT, MOST):
        with boot(**bench.spec(possible)) as vm:
            free.append(bench.free_kb(vm))
            used.append(sum(bench.accounts_kb(vm).values()))
    absent = MOST - bench.PRESENT
    lost, known = (free[0] - free[1]) / absent, (used[1] - used[0]) / absent
    assert lost <= KB_PER_CPU[linux]
    assert abs(lost - known) <= KB_UNKNOWN


@pytest.mark.part("cost")
def test_ordinary_guest(boot, directory):
    """
    CPU  0 1                   none can come: memory, processes and GICR reads, against the unpatched kernel
    """
    costs = []
    for kernel in ("base", "patched"):
        log = directory / f"trace-{kernel}.log"
        words = bench.spec(bench.PRESENT, log)
        words["args"] += ("-trace", bench.GICR_READ)
        with boot(**words, kernel=kernel) as vm:
            reads_of_boot = log.read_text(errors="replace").count(bench.GICR_READ)
            scenario.offline(vm, 1)
            before = log.stat().st_size
            scenario.online(vm, 1)
            reads_of_online = log.read_text(errors="replace")[before:].count(bench.GICR_READ)
            costs.append((reads_of_boot, reads_of_online, bench.processes(vm), bench.free_kb(vm)))
    base, patched = costs
    assert 0 < patched[0] <= base[0]
    assert 0 < patched[1] <= base[1]
    assert patched[2] <= base[2] + 2       # workers come and go
    assert patched[3] >= base[3] - KB_OF_KERNEL
