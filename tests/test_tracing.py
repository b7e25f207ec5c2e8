"""The kernel's trace events: what an administrator sees of a CPU that comes and goes."""

import re

import pytest

from cpuhp import scenario, tables

pytestmark = [pytest.mark.closer, pytest.mark.part("optional")]

SMP = "cpus=2,maxcpus=4"
EVENT = re.compile(r"\bcpu_hotplug_(\w+): (.*)")


def watch(vm):
    scenario.mount_tracing(vm)
    vm.sh(f"echo 1 > {scenario.TRACING}/events/cpu_hotplug/enable")


def events(vm):
    """[(event, {field: value})], and the trace is empty again."""
    said = EVENT.findall(vm.sh(f"cat {scenario.TRACING}/trace; echo > {scenario.TRACING}/trace"))
    return [(name, dict(field.split("=") for field in fields.split())) for name, fields in said]


@pytest.mark.vm(smp=SMP)
def test_events_of_a_cpu(vm):
    """
    CPU  0 1 | 2 3
         x x |       -> 3 added, online, offline, ejected: an event for each step of the add, one for the eject, none between
    """
    watch(vm)
    scenario.add(vm, 3)
    assert events(vm) == [("insert", {"uid": "3"}), ("map", {"cpu": "3", "uid": "3", "hwid": "0x3", "ret": "0"}),
                          ("register", {"cpu": "3", "ret": "0"})]
    scenario.online(vm, 3)
    scenario.offline(vm, 3)
    assert not events(vm)
    scenario.eject(vm, 3)
    assert events(vm) == [("eject", {"cpu": "3", "uid": "3"})]


def test_no_event_of_an_eject_that_failed(boot):
    """
    CPU  0 1 | 2 3
         x x |       -> 2 added; _EJ0 does nothing: no event, 2 is not ejected
    """
    nothing = tables.edit_asl(tables.of_machine(smp=SMP)["DSDT"], lambda text: text.replace("CEJ0 (0x02)\n", "\n"))
    with boot(smp=SMP, tables=tables.initrd(nothing)) as vm:
        scenario.add(vm, 2)
        watch(vm)
        assert scenario.refused_eject(vm, 2) != scenario.OST_SUCCESS
        assert not events(vm)
