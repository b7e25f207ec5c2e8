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
