"""The kernel's trace events: what an administrator sees of a CPU that comes and goes."""

import re

import pytest

from cpuhp import bench, scenario

pytestmark = [pytest.mark.closer, pytest.mark.part("optional")]

EVENT = re.compile(r"\bcpu_hotplug_(\w+): (.*)")


def watch(vm):
    scenario.mount_tracing(vm)
    vm.sh(f"echo 1 > {scenario.TRACING}/events/cpu_hotplug/enable")


def events(vm):
    """[(event, {field: value})], and the trace is empty again."""
    said = EVENT.findall(vm.sh(f"cat {scenario.TRACING}/trace; echo > {scenario.TRACING}/trace"))
    return [(name, dict(field.split("=") for field in fields.split())) for name, fields in said]


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_events_of_a_cpu(vm):
    """
    CPU  0 1 | 2 3
         x x |       -> 3 added, online, offline, ejected; then added and brought online by the kernel, ejected while online
    """
    watch(vm)

    def ok(name):
        return name, {"cpu": "3", "ret": "0"}

    inserted = [("insert", {"uid": "3"}), ("map", {"cpu": "3", "uid": "3", "hwid": "0x3", "ret": "0"}), ok("register")]
    ejected = [("eject", {"cpu": "3", "uid": "3"})]

    scenario.add(vm, 3)
    assert events(vm) == inserted
    scenario.online(vm, 3)
    scenario.offline(vm, 3)
    assert events(vm) == [ok("online"), ok("offline")]
    scenario.eject(vm, 3)
    assert events(vm) == ejected

    assert bench.set_auto_online(vm, True)
    scenario.add(vm, 3)
    scenario.eject(vm, 3)
    assert events(vm) == inserted + [ok("online"), ok("offline")] + ejected


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_events_say_what_failed(vm):
    """
    CPU  0 1 | 2 3
         x x |       -> 2 added; a step of its online fails: the event has the error
    """
    watch(vm)
    scenario.add(vm, 2)
    directory = f"{scenario.CPU_SYSFS}/cpu2"
    vm.sh(f"echo $(sed -n 's/: workqueue:online//p' {scenario.CPU_SYSFS}/hotplug/states) > {directory}/hotplug/fail")
    assert vm.run(f"echo 1 > {directory}/online").status != 0
    assert ("online", {"cpu": "2", "ret": "-11"}) in events(vm)
    scenario.online(vm, 2)


@pytest.mark.of_debug("lockdep")
@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_function_graph(vm):
    """
    CPU  0 1 | 2 3
         x x |       -> functions are traced; 2 added and online, for the first time, and its idle thread is in the trace
    """
    scenario.mount_tracing(vm)
    vm.sh(f"cd {scenario.TRACING} && echo 'tick_nohz_idle_*' > set_ftrace_filter && echo function_graph > current_tracer")
    scenario.add_and_work(vm, 2)
    scenario.wait_until("the idle thread to be traced",
                        lambda: vm.run(f"grep -q -m 1 tick_nohz_idle {scenario.TRACING}/per_cpu/cpu2/trace").status == 0)
    scenario.eject(vm, 2)
    vm.sh(f"echo nop > {scenario.TRACING}/current_tracer")
    scenario.comes_and_goes(vm, 3)
