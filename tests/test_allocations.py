"""Row 9, from inside: memory is short at one step of an online.

Of an add it cannot be tried: at an allocation that fails ACPICA itself leaves AML locks behind, for good.
"""

import pytest

from cpuhp import scenario

pytestmark = [pytest.mark.closer, pytest.mark.part("cost")]

SMP = "cpus=2,maxcpus=4"
CPU = 2
MANY = 2000

# Allocations that may sleep fail as well, and without a backtrace each time; single pages are left to the shell itself
ARM = ("for what in failslab fail_page_alloc; do cd /sys/kernel/debug/$what; echo N > ignore-gfp-wait; echo 0 > verbose; done;"
       "echo 1 > min-order")

# One allocation of the shell's fails, the first, the second and so on, until it had less of them: how each attempt ended
EACH_ONLINE = f"""
{ARM}
cd {scenario.CPU_SYSFS}/cpu{CPU}
exec 3> /proc/$$/fail-nth 4> /dev/null      # to open them later would be one of the allocations
n=0 left=0
while [ $n -lt {MANY} ] && [ "${{left:-0}}" = 0 ]; do
    n=$((n + 1))
    echo $n >&3
    {{ echo 1 > online; }} 2>&4 && how=passed || how=refused
    {{ read left < /proc/$$/fail-nth; }} 2>&4
    echo 0 >&3
    case $how,$(cat online) in
    passed,1) echo 0 > online || how=stuck ;;
    refused,0) ;;
    *) how=half-way ;;
    esac
    echo $n $how
done
"""

# Linux has a WARN() for a trace buffer that cannot be had
NO_TRACE_BUFFER = (r"WARNING: .* trace_rb_cpu_prepare", r"Call trace:$")


@pytest.mark.vm(smp=SMP, leaks=True, expected=NO_TRACE_BUFFER)
def test_online(vm):
    """
    CPU  0 1 | 2 3
         x x |         -> 2; each allocation of an online fails in its turn: refused, or it went without; 2 works
    """
    scenario.add(vm, CPU)
    results = [line.split()[1] for line in vm.sh(EACH_ONLINE, timeout=240).splitlines()]
    assert set(results) == {"passed", "refused"}, results
    assert results.count("refused") >= 20 and len(results) < MANY
    scenario.online(vm, CPU)
    scenario.works(vm, CPU)
    scenario.eject(vm, CPU)
    scenario.comes_and_goes(vm, CPU)


# The largest piece that an online needs: 64 KB, for LPIs that are pending
NO_PENDING_TABLE = f"""
{ARM}
echo 4 > min-order; echo 100 > probability; echo -1 > times; echo Y > task-filter
echo 1 > /proc/$$/make-it-fail
echo 1 > {scenario.CPU_SYSFS}/cpu{CPU}/online && echo passed
echo 0 > /proc/$$/make-it-fail
echo 0 > probability
"""


# Fewer than there are: nothing can be forked, and the shell does it all by itself
NO_FORK = f"""
limit=$(cat /proc/sys/kernel/threads-max)
echo 20 > /proc/sys/kernel/threads-max
echo 1 > {scenario.CPU_SYSFS}/cpu{CPU}/online && echo passed
echo $limit > /proc/sys/kernel/threads-max
"""

SHORTAGES = {
    "pending table": (NO_PENDING_TABLE, rf"Failed to allocate PENDBASE for CPU{CPU}"),
    "idle thread": (NO_FORK, rf"fork_idle\(\) failed for CPU {CPU}"),
}


@pytest.mark.vm(smp=SMP, leaks=True)
@pytest.mark.parametrize("what", SHORTAGES)
def test_none_for_it(vm, what):
    """
    CPU  0 1 | 2 3
         x x |         -> 2; what it needs when it first comes up cannot be had: the online is refused, and named; then it works
    """
    online_without, named = SHORTAGES[what]
    scenario.add(vm, CPU)
    assert "passed" not in vm.sh(online_without)
    assert scenario.said(vm, named)
    assert CPU not in vm.masks()["online"]
    scenario.online(vm, CPU)
    scenario.works(vm, CPU)
    scenario.eject(vm, CPU)
    scenario.comes_and_goes(vm, CPU)


def reserved(vm):
    """The ranges of memory that /proc/iomem calls reserved, as (first, last)."""
    lines = vm.sh("cat /proc/iomem").splitlines()
    return [tuple(int(end, 16) for end in line.split()[0].split("-")) for line in lines if line.endswith(": reserved")]


def test_pending_tables_where_the_initrd_was(boot):
    """
    CPU  0 1 | 2 ... 7
         x x |         -> 2 ... 7; memory that was the initrd's is taken for pending tables, and marked for kexec
    """
    with boot(smp="cpus=2,maxcpus=8", files=bytes(32 << 20)) as vm:
        before = reserved(vm)
        for cpu in range(2, 8):
            scenario.add(vm, cpu)
            scenario.online(vm, cpu)
        said = scenario.said(vm, r"CPU[2-7]: using allocated LPI pending table")
        tables = [int(line.split("@")[1], 16) for line in said]
        assert len(tables) == 6
        assert any(first <= table <= last for table in tables for first, last in before)
        after = reserved(vm)        # a table across the initrd's end has one range with it
        assert all(any(first <= table and table + 0xFFFF <= last for first, last in after) for table in tables)
