"""The management interface: what the queries say, and what is refused, with its reason and without harm."""

import pytest

from cpuhp import scenario
from cpuhp.vm import Refused

pytestmark = pytest.mark.once


def plugged(vm):
    """core-id -> qom-path (None: empty slot) as query-hotpluggable-cpus has it."""
    return {entry["props"]["core-id"]: entry.get("qom-path") for entry in vm.qmp("query-hotpluggable-cpus")}


@pytest.mark.every_dialect
@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_queries(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |       -> 3 -> ejected: every query follows
    """
    slots = vm.qmp("query-hotpluggable-cpus")
    assert len(slots) == 4
    assert {slot["type"] for slot in slots} == {"cortex-a57-arm-cpu"}
    assert {slot["vcpus-count"] for slot in slots} == {1}
    assert [core for core, path in sorted(plugged(vm).items()) if path] == [0, 1]
    assert len(vm.qmp("query-cpus-fast")) == 2

    since = vm.mark()
    vm.device_add(3)
    assert [core for core, path in sorted(plugged(vm).items()) if path] == [0, 1, 3]
    added, = (cpu for cpu in vm.qmp("query-cpus-fast") if cpu["props"].get("core-id") == 3)
    assert added["thread-id"] > 0
    assert added["qom-path"] == plugged(vm)[3]
    assert added["qom-path"].endswith("/core3")
    scenario.wait_present(vm, 3, since)
    status, = (entry for entry in vm.qmp("query-acpi-ospm-status") if entry["slot"] == "3")
    assert (status["slot-type"], status["device"], status["source"], status["status"]) == ("CPU", "core3", 1, 0)

    scenario.eject(vm, 3)
    assert [core for core, path in sorted(plugged(vm).items()) if path] == [0, 1]
    assert len(vm.qmp("query-cpus-fast")) == 2


@pytest.mark.vm(smp="cpus=2,maxcpus=8,sockets=2,clusters=2,cores=2,threads=1")
def test_properties_fed_back_verbatim(vm):
    """
    socket   0         1
    cluster  0   1     0   1
    core     0 1 0 1   0 1 0 1
             x x |                 every free slot's own words, last slot first, plug it
    """
    free = [slot for slot in vm.qmp("query-hotpluggable-cpus") if "qom-path" not in slot]
    assert len(free) == 6
    for number, slot in enumerate(free):
        since = vm.mark()
        vm.qmp("device_add", driver=slot["type"], id=f"hot{number}",
               **{name.replace("-", "_"): value for name, value in slot["props"].items()})
        vm.wait_event("ACPI_DEVICE_OST", since, match=lambda data: data["info"]["status"] == 0)
    assert vm.masks()["present"] == set(range(8))
    assert all("qom-path" in slot for slot in vm.qmp("query-hotpluggable-cpus"))


@pytest.mark.vm(smp="cpus=2,maxcpus=4,threads=2,cores=2,sockets=1")
def test_threads(vm):
    """
    core    0   1
    thread  0 1 0 1
            x x |       -> core 1, thread 1 and then thread 0: siblings of each other
    """
    for thread in (1, 0):
        since = vm.mark()
        vm.qmp("device_add", driver="cortex-a57-arm-cpu", id=f"thread{thread}", core_id=1, thread_id=thread)
        vm.wait_event("ACPI_DEVICE_OST", since, match=lambda data: data["info"]["status"] == 0)
    scenario.online(vm, 2)
    scenario.online(vm, 3)
    assert vm.sh(f"cat {scenario.CPU_SYSFS}/cpu2/topology/thread_siblings_list") == "2-3"


REFUSED_ADDS = [
    ({"core_id": 1}, "(?i)core-id.*1.*(?:in use|exist|plugged)|already"),
    ({"core_id": 4}, "(?i)core-id|out of range|invalid"),
    ({"core_id": -1}, "(?i)core-id|negative|invalid|range"),
    ({}, "(?i)core-id"),
    ({"core_id": 2, "socket_id": 1}, "(?i)socket-id"),
    ({"core_id": 2, "cluster_id": 1}, "(?i)cluster-id"),
    ({"core_id": 2, "thread_id": 1}, "(?i)thread-id"),
    ({"core_id": 2, "driver": "cortex-a53-arm-cpu"}, "(?i)cortex-a5[37]"),
    ({"core_id": 2, "driver": "max-arm-cpu"}, "(?i)cortex-a57|max"),
    ({"core_id": 2, "pmu": False}, "(?i)pmu"),
]


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_refused_adds(vm):
    """
    CPU  0 1 | 2 3
         x x |           every add that cannot be says why; nothing changes; a right one works after all of them
    """
    before = vm.qmp("query-hotpluggable-cpus")
    for arguments, reason in REFUSED_ADDS:
        with pytest.raises(Refused, match=reason):
            vm.qmp("device_add", **{"driver": "cortex-a57-arm-cpu", "id": "wrong", **arguments})
        assert vm.qmp("query-hotpluggable-cpus") == before
        assert vm.sh("nproc") == "2"
    scenario.add(vm, 2)
    with pytest.raises(Refused):
        vm.device_add(2, id="again")
    scenario.online(vm, 2)
    scenario.works(vm, 2)


@pytest.mark.vm(smp="cpus=2,maxcpus=4", cpu="max")
def test_refused_features(vm):
    """
    CPU  0 1 | 2 3
         x x |           features that the others have not, or that cannot be: nothing of the CPU is left; a right one works
    """
    before = vm.qmp("query-hotpluggable-cpus")
    for wrong, reason in ({"sve": False}, "sve"), ({"sve128": False}, "(?i)vector length"), \
            ({"sme256": False}, "(?i)vector length"), ({"pauth": False}, "pauth"):
        with pytest.raises(Refused, match=reason):
            vm.device_add(2, **wrong)
        assert vm.qmp("query-hotpluggable-cpus") == before
        assert len(vm.qmp("query-cpus-fast")) == 2
    since = vm.mark()
    assert vm.hmp("device_add max-arm-cpu,id=core2,core-id=2,has_el3=off") == ""      # what the board gives them all
    scenario.wait_present(vm, 2, since)
    scenario.online(vm, 2)
    scenario.works(vm, 2)
    assert vm.sh("nproc") == "3"


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_add_while_the_eject_is_under_way(vm):
    """
    CPU  0 1 | 2 3
         x x |           -> 2; the guest is stopped between request and eject: no second CPU in that slot
    """
    scenario.add(vm, 2)
    scenario.online(vm, 2)
    vm.qmp("stop")
    since = scenario.request_eject(vm, 2)
    with pytest.raises(Refused):
        vm.device_add(2, id="second")
    vm.qmp("cont")
    scenario.wait_gone(vm, 2, since)
    scenario.add(vm, 2)


MACHINES_WITHOUT = {
    "GICv2": ({"smp": "cpus=2,maxcpus=4", "machine": "gic-version=2"}, "(?i)gic"),
    "acpi=off": ({"smp": "cpus=2,maxcpus=4", "acpi": False}, "(?i)acpi"),
    "no firmware": ({"smp": "cpus=2,maxcpus=4", "firmware": False}, "(?i)firmware|acpi"),
    "thread=single": ({"smp": "cpus=2,maxcpus=4", "args": ("-accel", "tcg,thread=single")}, "(?i)thread|tcg"),
    "no spare slot": ({"smp": "cpus=4"}, "(?i)maxcpus|hotplug"),
}


@pytest.mark.parametrize("name", MACHINES_WITHOUT)
def test_machines_without_hotplug(boot, name):
    """A machine that cannot hotplug: the add is refused with that reason, and the machine boots all its CPUs."""
    words, reason = MACHINES_WITHOUT[name]
    with boot(**words) as vm:
        online = vm.masks()["online"]
        with pytest.raises(Refused, match=reason):
            vm.device_add(3)
        assert vm.masks()["online"] == online == (set(range(4)) if name == "no spare slot" else {0, 1})


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_human_monitor(vm):
    """
    CPU  0 1 | 2 3
         x x |           the user's two commands, typed; and a refusal that is readable
    """
    since = vm.mark()
    assert vm.hmp("device_add cortex-a57-arm-cpu,id=core2,core-id=2") == ""
    scenario.wait_present(vm, 2, since)
    assert 'core-id: "2"' in vm.hmp("info hotpluggable-cpus")
    assert "Error:" in vm.hmp("device_add cortex-a57-arm-cpu,id=twice,core-id=2")
    since = vm.mark()
    assert vm.hmp("device_del core2") == ""
    scenario.wait_gone(vm, 2, since)
