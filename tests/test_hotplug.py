"""One CPU comes, works and goes: each step with everything that belongs to it."""

import re

import pytest

from cpuhp import scenario
from cpuhp.gate import parse_cpus
from cpuhp.numa import two_nodes
from cpuhp.scenario import CPU_SYSFS

PER_CPU_THREADS = ("cpuhp", "migration", "ksoftirqd")


def threads_of(vm, cpu):
    """The per-CPU kernel threads of a CPU that ps lists."""
    listed = vm.sh("ps -o args")
    return {name for name in PER_CPU_THREADS if f"[{name}/{cpu}]" in listed}


@pytest.mark.every_dialect
@pytest.mark.vm(smp="cpus=4,maxcpus=6", append="maxcpus=2")
def test_add_online_work_eject(vm, dialect):
    """Rows 2 and 3, twice over the same slot.

    CPU  0 1 2 3 | 4 5
         x x . . |     -> 4 added -> 4 online, a task pinned on it -> 4 ejected under load -> once more
    """
    booted = vm.masks()
    assert not threads_of(vm, 4)
    for _ in range(2):
        with scenario.cpu_uevents(vm) as uevents:
            scenario.add(vm, 4)
        assert uevents.count("add cpu4") == 1
        assert set(uevents) <= {"add cpu4", "bind cpu4"}        # bind: the ACPI processor driver, as on every system
        assert vm.masks()["present"] == {0, 1, 2, 3, 4}
        assert vm.masks()["online"] == {0, 1}
        assert vm.cpu_directories() == {0, 1, 2, 3, 4}

        scenario.online(vm, 4)
        assert vm.masks() == booted | {"present": {0, 1, 2, 3, 4}, "enabled": {0, 1, 2, 3, 4},
                                       "online": {0, 1, 4}, "offline": {2, 3, 5}}
        scenario.works(vm, 4)
        assert threads_of(vm, 4) == set(PER_CPU_THREADS)

        with scenario.busy(vm, 4) as task, scenario.cpu_uevents(vm) as uevents:
            assert task.runs_on(4)
            scenario.eject(vm, 4)
            assert task.cpu() in {0, 1}
            before = task.ticks()
            scenario.wait_until("the task to go on elsewhere", lambda: task.ticks() > before)
        assert uevents[-1] == "remove cpu4"
        assert uevents.count("remove cpu4") == 1
        assert vm.masks() == booted
        assert vm.cpu_directories() == {0, 1, 2, 3}
    assert not re.search(r"(?i)failed|error", "\n".join(line for line in vm.dmesg().splitlines() if "cpu4" in line.lower()))


@pytest.mark.part("complete")
@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_the_sysfs_of_a_hot_added_cpu(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |       -> 2: the same files as CPU 1 has, and the same in them where it is the same core
    """
    scenario.add(vm, 2)
    scenario.online(vm, 2)

    def tree(cpu):
        listed = vm.sh(f"cd {CPU_SYSFS}/cpu{cpu}; find . | sort")
        return listed.replace(f"cpu{cpu}", "cpuN").splitlines()

    assert tree(2) == tree(1)
    for name in ("regs/identification/midr_el1", "topology/physical_package_id", "topology/package_cpus_list"):
        here, there = (vm.sh(f"cat {CPU_SYSFS}/cpu{cpu}/{name}") for cpu in (2, 1))
        assert here == there, name
    assert vm.sh(f"cat {CPU_SYSFS}/cpu2/topology/core_id") not in vm.sh(f"cat {CPU_SYSFS}/cpu[01]/topology/core_id").split()
    assert parse_cpus(vm.sh(f"cat {CPU_SYSFS}/cpu2/topology/core_cpus_list")) == {2}
    assert vm.sh("grep -c ^processor /proc/cpuinfo; nproc").split() == ["3", "3"]


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_perf_counts(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |       -> 2: the PMU counts cycles there, after a second add as well
    """
    for _ in range(2):
        scenario.add(vm, 2)
        scenario.online(vm, 2)
        assert int(vm.sh("perfcount 2")) > 100000
        scenario.eject(vm, 2)
        assert vm.run("perfcount 2").status != 0


def test_node(boot, dialect):
    """
    node  0         1
    CPU   0 1 | 2   3 4 5
          x x |             -> 4, 2: each on its node, from add to eject
    """
    words = two_nodes("cpus=2,maxcpus=6,sockets=2,clusters=1,cores=3,threads=1", "0-2", "3-5")
    with boot(dialect=dialect, **words) as vm:
        def cpus_of_node(node):
            return parse_cpus(vm.sh(f"cat /sys/devices/system/node/node{node}/cpulist"))

        properties = {entry["props"]["core-id"] + 3 * entry["props"]["socket-id"]: entry["props"]
                      for entry in vm.qmp("query-hotpluggable-cpus")}
        for cpu, node in ((4, 1), (2, 0)):
            assert properties[cpu]["node-id"] == node
            scenario.add(vm, cpu, **{name.replace("-", "_"): value for name, value in properties[cpu].items()})
            assert vm.sh(f"cd {CPU_SYSFS}/cpu{cpu}; ls -d node*") == f"node{node}"
            scenario.online(vm, cpu)
            assert cpu in cpus_of_node(node)
            assert cpu not in cpus_of_node(1 - node)
        assert cpus_of_node(0) == {0, 1, 2}
        assert cpus_of_node(1) == {4}
        scenario.works(vm, 4)
        scenario.eject(vm, 4)
        assert cpus_of_node(1) == set()


def test_node_without_memory(boot, dialect):
    """
    node  0         1 (no memory)
    CPU   0 1       | 2 3
          x x       |             -> 2, twice: on its node, and works; its memory is that of node 0; with its last CPU the node
                                  goes, as on x86, and is there again once a CPU of it is online
    """
    words = two_nodes("cpus=2,maxcpus=4,sockets=2,clusters=1,cores=2,threads=1", "0-1", "2-3", memoryless=True)
    with boot(dialect=dialect, **words) as vm:
        nodes = "/sys/devices/system/node"
        assert vm.sh(f"cat {nodes}/has_memory") == "0"
        place, = [entry["props"] for entry in vm.qmp("query-hotpluggable-cpus")
                  if (entry["props"]["socket-id"], entry["props"]["core-id"]) == (1, 0)]
        assert place["node-id"] == 1
        for again in (False, True):
            assert vm.run(f"[ -d {nodes}/node1 ]").status == again
            scenario.add(vm, 2, **{name.replace("-", "_"): value for name, value in place.items()})
            assert vm.sh(f"cd {CPU_SYSFS}/cpu2; ls -d node1 2> /dev/null || true") == ("" if again else "node1")
            scenario.online(vm, 2)
            assert vm.sh(f"cd {CPU_SYSFS}/cpu2; ls -d node*") == "node1"
            assert parse_cpus(vm.sh(f"cat {nodes}/node1/cpulist")) == {2}
            assert parse_cpus(vm.sh(f"cat {nodes}/node0/cpulist")) == {0, 1}
            assert vm.sh(f"cat {nodes}/has_cpu") == "0-1"
            scenario.works(vm, 2)
            scenario.eject(vm, 2)


@pytest.mark.vm(smp="cpus=2,maxcpus=8")
def test_ids_stay_with_their_cpus(vm, dialect):
    """
    CPU  0 1 | 2 3 4 5 6 7
         x x |               -> 7, 3, 5 added, then ejected and added in another order: a number keeps its MPIDR
    """
    def mpidr_of(cpu):
        return vm.sh("dmesg | sed -n 's/.*CPU%d: Booted secondary processor \\(0x[0-9a-f]*\\).*/\\1/p' | tail -n 1" % cpu)

    seen = {}
    for order in ((7, 3, 5), (5, 7, 3)):
        for cpu in order:
            scenario.add(vm, cpu)
            scenario.online(vm, cpu)
            assert seen.setdefault(cpu, mpidr_of(cpu)) == mpidr_of(cpu)
            assert int(mpidr_of(cpu), 16) == cpu
        for cpu in order:
            scenario.eject(vm, cpu)


@pytest.mark.part("complete")
@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_realtime_task(vm):
    """
    CPU  0 1 | 2 3
         x x |         -> 2: a real-time task that never sleeps leaves other tasks some of the time, on 2 as on 1
    """
    scenario.add(vm, 2)
    scenario.online(vm, 2)
    for cpu in (1, 2):
        with scenario.busy(vm, cpu, "fifo"), scenario.busy(vm, cpu) as task:
            assert task.runs_on(cpu)
    scenario.eject(vm, 2)


@pytest.mark.part("complete")
@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_fair_server_that_is_due(vm):
    """
    CPU  0 1 | 2 3
         x x |          -> 2 and 3, busy, go offline again and again while the timer of their fair server, which 6.1 has
                           not got, is due each millisecond: it is nothing that was left behind (the gate looks on)
    """
    server = "/sys/kernel/debug/sched/fair_server"
    late = (2, 3)
    for cpu in late:
        scenario.add(vm, cpu)
        scenario.online(vm, cpu)
        with scenario.busy(vm, cpu) as task:        # a server that is not active, unpatched 6.12 stops twice, with a warning
            assert task.runs_on(cpu)
            vm.sh(f"cd {server}/cpu{cpu} 2> /dev/null || exit 0; echo 1000000 > runtime && echo 2000000 > period")
    with scenario.busy(vm), scenario.busy(vm), scenario.busy(vm), scenario.busy(vm):
        for _ in range(10):
            for step in (scenario.offline, scenario.online):
                for cpu in late:
                    step(vm, cpu)
        for cpu in late:
            scenario.eject(vm, cpu)


@pytest.mark.vm(smp="cpus=2,maxcpus=4", cpu="max")
def test_cpu_max(vm):
    """-cpu max: max-arm-cpu comes, works and goes, twice."""
    for _ in range(2):
        scenario.comes_and_goes(vm, 3)


@pytest.mark.vm(smp="cpus=2,maxcpus=4", args=("-device", "cortex-a57-arm-cpu,id=core3,core-id=3"))
def test_cold_plugged_by_device(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |   c        c given by -device at start: online after boot, as CPU 3
    """
    assert vm.masks()["present"] == vm.masks()["online"] == {0, 1, 3}
    scenario.works(vm, 3)
    since = vm.mark()
    vm.device_del(3)
    vm.wait_event("DEVICE_DELETED", since, match=lambda data: data.get("device") == "core3")
    scenario.wait_until("the CPU to leave", lambda: vm.masks()["present"] == {0, 1})


@pytest.mark.vm(smp="cpus=3,maxcpus=4")
def test_eject_cold_plugged_cpu(vm, dialect):
    """
    CPU  0 1 2 | 3
         x x x |       CPU 2 has no id to name it by: device_del by its QOM path ejects it, and an add brings it back
    """
    scenario.eject_cold_plugged(vm, 2)
    assert vm.masks()["present"] == {0, 1}
    scenario.add_and_work(vm, 2)
