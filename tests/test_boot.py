"""What is there after boot: masks, numbering, parameters, and the price of CPUs that are absent."""

import fcntl
import re
import struct

import pytest

from cpuhp import kexec, scenario
from cpuhp.gate import parse_cpus
from cpuhp.look import messages, processes
from cpuhp.numa import two_nodes

# What 6.12 says of things that it sizes by the possible CPUs, whether they are there or not
SIZED_BY_POSSIBLE = re.compile(r"Timer migration: |SWIOTLB bounce buffer size roundup")
# What firmware of that dialect is told
DIALECT = re.compile(r"GICCs with no flag set are hot-pluggable CPUs")
TRACED = "trace_event=cpuhp:cpuhp_enter"


def masks_are(vm, **expected):
    """Each mask named is that list of CPUs."""
    masks = vm.masks()
    assert {name: masks[name] for name in expected} == {name: parse_cpus(cpus) for name, cpus in expected.items()}


def per_cpu_threads(vm):
    """CPUs that own a kernel thread: name/N."""
    return {int(cpu) for cpu in re.findall(r"^\[\w+/(\d+)[\]:]", vm.sh("ps -o args"), re.M)}


@pytest.mark.every_dialect
@pytest.mark.vm(smp="cpus=4,maxcpus=6", append="maxcpus=2")
def test_masks_of_the_design(vm, dialect):
    """
    CPU  0 1 2 3 | 4 5
         x x . . |        x online, . present; maxcpus=2; right of the bar: absent
    """
    masks_are(vm, possible="0-5", present="0-3", enabled="0-3", online="0-1", offline="2-5")
    assert vm.cpu_directories() == {0, 1, 2, 3}


@pytest.mark.part("cost")
@pytest.mark.vm(smp="cpus=1,maxcpus=4", append=TRACED)
def test_absent_cpus_cost_nothing(vm, boot, dialect):
    """Row 1.

    CPU  0 | 1 2 3
         x |            against a machine that has but CPU 0: same processes, same log, no thread for an absent CPU,
                        and no attempt to bring one up
    """
    masks_are(vm, possible="0-3", present="0", online="0", offline="1-3")
    assert vm.cpu_directories() == {0}
    assert per_cpu_threads(vm) == {0}
    attempts = vm.sh("grep -o 'cpuhp_enter: cpu: [0-9]*' /sys/kernel/debug/tracing/trace | sort -u")
    assert attempts == "cpuhp_enter: cpu: 0000"
    assert not [line for line in vm.dmesg().splitlines() if re.search(r"\b(?:CPU|cpu|Processor )[ #]?[1-9]", line)]
    with boot(smp="cpus=1", append=TRACED) as alone:
        assert processes(vm) == processes(alone)
        assert [line for line in messages(vm) - messages(alone) if not SIZED_BY_POSSIBLE.search(line) and not DIALECT.search(line)] == []


@pytest.mark.vm(smp="cpus=4,maxcpus=6", machine="gic-version=3,x-madt-boot-cpu-only=on")
def test_only_the_boot_cpu_is_enabled(vm):
    """
    CPU   0 1 2 3 | 4 5
    MADT  e o o o | o o       e enabled, o online-capable; _STA 0xF up to the bar: all four are online after boot
    """
    masks_are(vm, possible="0-5", present="0-3", online="0-3", offline="4-5")


@pytest.mark.vm(smp="cpus=4,maxcpus=6", machine="gic-version=3,x-madt-boot-cpu-only=on", append="maxcpus=2")
def test_only_the_boot_cpu_is_enabled_and_maxcpus(vm):
    """As above, with maxcpus=2: two online, four present."""
    masks_are(vm, possible="0-5", present="0-3", online="0-1", offline="2-5")


@pytest.mark.vm(smp="cpus=4,maxcpus=6", machine="gic-version=3,x-madt-boot-cpu-only=on",
                append="trace_event=initcall:initcall_level,cpuhp:cpuhp_enter")
def test_only_the_boot_cpu_is_enabled_and_drivers(vm):
    """As above: the steps of their onlines come before the first driver's initcall, but for those that drivers add."""
    trace = vm.sh("grep -o 'initcall_level: .*\\|cpuhp_enter: cpu: [0-9]* target: *[0-9]* step: *1 ' "
                  "/sys/kernel/debug/tracing/trace").splitlines()
    drivers = trace.index("initcall_level: level=device")
    started = [int(line.split()[2]) for line in trace if line.startswith("cpuhp_enter")]
    assert sorted(started) == [1, 2, 3]
    assert all(line.startswith("initcall_level") for line in trace[drivers:]), trace


@pytest.fixture
def network():
    """Arguments of a network device that has queues for six CPUs; needs the right to make a tap device."""
    try:
        with open("/dev/net/tun", "r+b", buffering=0) as tun:
            fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"", 0x5102))     # TUNSETIFF: tap, multi-queue, vnet header
    except OSError as error:
        pytest.skip(f"no tap device: {error}")
    return ("-netdev", "tap,id=net,queues=6,script=no,downscript=no,vhost=off",
            "-device", "virtio-net-pci,netdev=net,mq=on,vectors=14,romfile=")


def queues(vm):
    """Queue pairs that virtio-net uses: one for each CPU that is online when it is set up."""
    pairs, transmit = (int(vm.sh(f"ls -d /sys/class/net/eth0/queues/{kind}-* | wc -l")) for kind in ("rx", "tx"))
    assert pairs == transmit
    return pairs


def test_only_the_boot_cpu_is_enabled_and_network(boot, network):
    """cpus=4,maxcpus=6, only the boot CPU enabled in the MADT: a built-in virtio-net has queues for all four CPUs."""
    with boot(smp="cpus=4,maxcpus=6", machine="gic-version=3,x-madt-boot-cpu-only=on", args=network) as vm:
        assert queues(vm) == 4


def test_network_after_kexec(boot, linux, network):
    """
    CPU  0 1 | 2 3 4 5
         x x | x   x       2 and 4 added: two queues, as at boot -> kexec: four
    """
    with boot(smp="cpus=2,maxcpus=6", args=(*kexec.disks(linux), *network)) as vm:
        for cpu in (2, 4):
            scenario.add(vm, cpu)
            scenario.online(vm, cpu)
        assert queues(vm) == 2
        kexec.reboot(vm)
        assert vm.masks()["online"] == {0, 1, 2, 4}
        assert queues(vm) == 4


@pytest.mark.parametrize("append, expected", [
    ("nr_cpus=4", {"possible": "0-3", "present": "0-3", "online": "0-3"}),
    ("nr_cpus=5", {"possible": "0-4", "present": "0-3", "online": "0-3"}),
    ("nr_cpus=2", {"possible": "0-1", "present": "0-1", "online": "0-1"}),
    ("maxcpus=1", {"possible": "0-5", "present": "0-3", "online": "0"}),
])
def test_parameters(boot, dialect, append, expected):
    """cpus=4,maxcpus=6: nr_cpus= takes the absent CPUs first; maxcpus= limits what is brought up, not what is there."""
    with boot(smp="cpus=4,maxcpus=6", dialect=dialect, append=append) as vm:
        masks_are(vm, **expected)


@pytest.mark.parametrize("append", ["nosmp", "maxcpus=0"])
def test_without_smp(boot, append):
    """cpus=4,maxcpus=6, uniprocessor by parameter: CPU 0 is all there is, and an add does not change that."""
    with boot(append=append) as vm:
        masks_are(vm, present="0", online="0")
        assert vm.cpu_directories() == {0}


def test_node_of_absent_cpus(boot, dialect):
    """
    node  0     1
    CPU   0 1 | 2 3          the absent ones' node is there from the start; none of them is counted in it
    """
    with boot(dialect=dialect, **two_nodes("cpus=2,maxcpus=4,sockets=2,clusters=1,cores=2,threads=1", "0-1", "2-3")) as vm:
        assert vm.sh("cat /sys/devices/system/node/online") == "0-1"
        assert parse_cpus(vm.sh("cat /sys/devices/system/node/node0/cpulist")) == {0, 1}
        assert parse_cpus(vm.sh("cat /sys/devices/system/node/node1/cpulist")) == set()
