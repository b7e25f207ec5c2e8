"""Row 31: what watches and serves each CPU does so for one that came, before and after it went and came back."""

import contextlib
import re

import pytest

from cpuhp import paths, scenario
from cpuhp.gate import parse_cpus
from cpuhp.numa import two_nodes
from cpuhp.vm import wait_until

pytestmark = pytest.mark.closer

PROBED = "__arm64_sys_execve"       # what taskset calls on the CPU that it has moved to


def traced(vm, cpu, script, pattern):
    """While a script runs, that CPU records an event that matches."""
    vm.sh(f"echo > {scenario.TRACING}/trace")
    vm.sh(script)
    trace = vm.sh(f"cat {scenario.TRACING}/per_cpu/cpu{cpu}/trace")
    assert re.search(pattern, trace), trace


def has_bpf(vm):
    """Not 6.1's lockdep kernel: linux/6.1/lockdep.config says why."""
    return (vm.spec.linux, paths.DEBUG) != ("6.1", "lockdep")


def counts(vm):
    """What the BPF program has counted on each CPU; None without BPF."""
    return list(map(int, vm.sh("bpfcount read").split())) if has_bpf(vm) else None


@contextlib.contextmanager
def watched(vm):
    """A kprobe and the workqueues are traced, and a BPF program counts, for the whole block."""
    scenario.mount_tracing(vm)
    vm.sh(f"mount -t bpf bpf /sys/fs/bpf;"
          f" cd {scenario.TRACING} && echo 'p:test/exec {PROBED}' > kprobe_events && echo 1 > events/test/exec/enable &&"
          " echo 1 > events/workqueue/workqueue_execute_start/enable")
    if has_bpf(vm):
        pid = int(vm.sh(f"bpfcount attach {PROBED} > /dev/null 2>&1 & echo $!"))
        wait_until("the BPF program to be attached", lambda: vm.run("bpfcount read").status == 0)
    yield
    if has_bpf(vm):
        vm.sh(f"kill {pid}")
    vm.sh(f"cd {scenario.TRACING}; echo 0 > events/enable; echo > kprobe_events")


def find_interrupt(vm):
    """The interrupt of the agent's own virtqueues, and its thread."""
    number = int(vm.sh("sed -n 's/^ *\\([0-9]*\\):.*virtio[0-9]*-virtqueues$/\\1/p' /proc/interrupts"))
    thread = int(vm.sh(f"ps -o pid,args | sed -n 's/^ *\\([0-9]*\\) \\[irq\\/{number}-.*/\\1/p'"))
    return number, scenario.Task(vm, thread)


def interrupts_on(vm, number, cpu):
    """How often an interrupt came on a CPU."""
    head, *lines = vm.sh("cat /proc/interrupts").splitlines()
    line, = [line.split() for line in lines if line.split()[0] == f"{number}:"]
    return int(line[head.split().index(f"CPU{cpu}") + 1])


def interrupt_moves_to(vm, number, thread, cpu):
    """Moved to a CPU, the interrupt comes there, and its thread serves it there."""
    vm.sh(f"echo {cpu} > /proc/irq/{number}/smp_affinity_list")
    before = interrupts_on(vm, number, cpu)
    wait_until("the thread to move", lambda: thread.cpu() == cpu)
    assert interrupts_on(vm, number, cpu) > before
    assert thread.allowed() == str(cpu)


def all_work_on(vm, cpu, number, thread):
    assert int(vm.sh(f"perfcount {cpu}")) > 100000
    before = counts(vm)
    traced(vm, cpu, f"taskset -c {cpu} true", r" exec: \(" + PROBED)
    assert not before or counts(vm)[cpu] > before[cpu]
    traced(vm, cpu, "echo 1 > /proc/sys/vm/stat_refresh", r"workqueue_execute_start: .*refresh_vm_stats")
    interrupt_moves_to(vm, number, thread, cpu)


@pytest.mark.vm(smp="cpus=2,maxcpus=4", append="threadirqs")
def test_all_of_it_active(vm):
    """
    CPU  0 1 | 2 3
         x x |       -> 2 added: a counter, a kprobe, a bound work item, a threaded interrupt and a BPF program work
                        there; 2 offline, online, ejected with all of them active; and once more
    """
    number, thread = find_interrupt(vm)
    with watched(vm):
        for _ in range(2):
            scenario.add(vm, 2)
            scenario.online(vm, 2)
            all_work_on(vm, 2, number, thread)

            vm.sh("perfcount 2 100000 > /dev/null 2>&1 &")
            scenario.offline(vm, 2)
            assert thread.cpu() in {0, 1}
            scenario.online(vm, 2)
            all_work_on(vm, 2, number, thread)

            vm.sh("killall perfcount; perfcount 2 100000 > /dev/null 2>&1 &")
            scenario.eject(vm, 2)
            before = counts(vm)
            all_work_on(vm, 1, number, thread)
            assert not before or counts(vm)[2] == before[2]
            vm.run("killall perfcount")      # it may have ended with its CPU


DISK = ("-blockdev", "driver=null-co,node-name=disk,size=1073741824,read-zeroes=on",
        "-device", "virtio-blk-pci,drive=disk,num-queues=4")
READ = "dd if=/dev/vda of=/dev/null bs=64k count=50 iflag=direct 2> /dev/null"


def interrupt_of_queue(vm, cpu):
    """The interrupt that a CPU shares with no other, of a queue of the disk."""
    numbers = vm.sh("sed -n 's/^ *\\([0-9]*\\):.*-req\\.[0-9]*$/\\1/p' /proc/interrupts").split()
    number, = [number for number in numbers if vm.sh(f"cat /proc/irq/{number}/smp_affinity_list") == str(cpu)]
    return number


@pytest.mark.vm(smp="cpus=2,maxcpus=4", args=DISK)
def test_disk_with_a_queue_for_each_cpu(vm):
    """
    CPU  0 1 | 2 3
         x x |       -> 2 added: it reads through the queue that waited for it; it is ejected while a task reads there,
                        which goes on elsewhere and loses nothing; and once more
    """
    number = interrupt_of_queue(vm, 2)
    for _ in range(2):
        scenario.add(vm, 2)
        scenario.online(vm, 2)
        before = interrupts_on(vm, number, 2)
        vm.sh(f"taskset -c 2 {READ}")
        assert interrupts_on(vm, number, 2) >= before + 50

        reader = int(vm.sh(f"taskset -c 2 sh -c 'while {READ}; do :; done' > /dev/null 2>&1 & echo $!"))
        wait_until("the task to read", lambda: interrupts_on(vm, number, 2) > before + 100)
        scenario.eject(vm, 2)
        vm.sh(f"sleep 0.5; kill {reader} && taskset -c 1 {READ}")


@pytest.mark.part("complete")
@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_kswapd(vm):
    """
    CPU  0 1 | 2 3
         x x |       -> 2: kswapd may run there as well; kept to 1 by somebody, it stays there when 3 comes, and when 2 does;
                     kept to 0, it stays there when all others were offline, as for a suspend
    """
    kswapd = scenario.Task(vm, int(vm.sh("pidof kswapd0")))
    for _ in range(2):
        scenario.add(vm, 2)
        scenario.online(vm, 2)
        assert kswapd.allowed() == "0-2"
        scenario.eject(vm, 2)
    vm.sh(f"taskset -pc 1 {kswapd.pid}")
    for cpu in (3, 2):
        scenario.add(vm, cpu)
        scenario.online(vm, cpu)
        assert kswapd.allowed() == "1"
    vm.sh(f"taskset -pc 0 {kswapd.pid}")
    for step in (scenario.offline, scenario.online):
        for cpu in (1, 2, 3):
            step(vm, cpu)
    assert kswapd.allowed() == "0"


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
@pytest.mark.part("complete")
def test_kswapd_and_an_isolated_cpu(vm):
    """
    CPU  0 1 | 2 3
         x x |       -> 2 added and isolated by a cpuset partition: kswapd does not run there, not after 2 was offline either;
                        -> 3: kswapd may run there
    """
    kswapd = scenario.Task(vm, int(vm.sh("pidof kswapd0")))

    def allowed():
        return parse_cpus(kswapd.allowed())

    scenario.add(vm, 2)
    scenario.online(vm, 2)
    assert allowed() == {0, 1, 2}
    vm.sh("cd /sys/fs/cgroup && echo +cpuset > cgroup.subtree_control &&"
          " mkdir alone && cd alone && echo 2 > cpuset.cpus && echo isolated > cpuset.cpus.partition")
    assert allowed() - {3} == {0, 1}    # 6.12 has the absent CPUs in it, too
    scenario.offline(vm, 2)
    scenario.online(vm, 2)
    assert allowed() - {3} == {0, 1}
    scenario.add(vm, 3)
    scenario.online(vm, 3)
    wait_until("kswapd to be allowed on 3", lambda: allowed() == {0, 1, 3})


@pytest.mark.part("complete")
def test_kswapd_of_a_node_without_cpus(boot):
    """
    node  0     1
    CPU   0 1 | 2 3
          x x |       -> 2: the kswapd of node 1 leaves the CPUs of node 0, as on mainline; 3; then as well if 2 is offline,
                         both are gone, or they come in the other order
    """
    words = two_nodes("cpus=2,maxcpus=4,sockets=2,clusters=1,cores=2,threads=1", "0-1", "2-3")
    with boot(**words) as vm:
        places = {(entry["props"]["socket-id"], entry["props"]["core-id"]): entry["props"]
                  for entry in vm.qmp("query-hotpluggable-cpus")}

        def add_and_online(cpu):
            place = places[(cpu // 2, cpu % 2)]
            scenario.add(vm, cpu, **{name.replace("-", "_"): value for name, value in place.items()})
            scenario.online(vm, cpu)

        kswapd = [scenario.Task(vm, int(vm.sh(f"pidof kswapd{node}"))) for node in (0, 1)]
        assert [task.allowed() for task in kswapd] == ["0-1", "0-3"]
        add_and_online(2)
        assert [task.allowed() for task in kswapd] == ["0-1", "2"]
        add_and_online(3)
        assert [task.allowed() for task in kswapd] == ["0-1", "2-3"]
        scenario.offline(vm, 2)
        scenario.eject(vm, 3)
        scenario.online(vm, 2)
        assert [task.allowed() for task in kswapd] == ["0-1", "2"]
        scenario.eject(vm, 2)
        add_and_online(3)
        assert [task.allowed() for task in kswapd] == ["0-1", "3"]
        scenario.offline(vm, 1)
        scenario.online(vm, 1)
        assert [task.allowed() for task in kswapd] == ["0-1", "3"]
