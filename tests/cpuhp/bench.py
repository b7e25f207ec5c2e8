"""What absent CPUs cost, and how fast a new one is there.  tools/bench measures it and draws it, the tests hold the counters."""

import contextlib
import dataclasses
import pathlib
import re
import statistics
import time
from typing import Iterator

from . import scenario
from .agent import GuestError
from .vm import EVENT_TIMEOUT, VM, wait_until

PRESENT = 2
PAGE_KB = 4
GICR_READ = "gicv3_redist_read"
ACPI_ACCESS = "cpuhp_acpi_"     # what AML reads and writes of the CPU hotplug registers
TTY = "/dev/ttyAMA0"
# The host's page faults are no cost of the guest's, and the bigger machine meets more memory that was never used
FAULTLESS = ("-mem-prealloc",)
# QEMU thinks of how big a table old machines had room for
BIG_TABLES = (r"warning: ACPI table size", r"^Try removing CPUs")


def spec(possible: int, log: pathlib.Path | None = None) -> dict[str, object]:
    """Words of vm.Spec for a machine with so many possible CPUs, whose trace, if there is one, goes to @log."""
    args = FAULTLESS + (("-D", str(log)) if log else ())
    return {"smp": f"cpus={PRESENT},maxcpus={possible}", "memory": "1G", "args": args, "expected": BIG_TABLES}


# At boot

def processes(vm: VM) -> int:
    return int(vm.sh("set -- /proc/[0-9]*; echo $#"))


def bringup_seconds(vm: VM) -> float:
    """How long the kernel took from "Bringing up secondary CPUs" to "Brought up", by its own clock."""
    stamps = [line.split("]")[0].strip("[ ") for line in
              scenario.said(vm, r"\] smp: (?:Bringing up secondary CPUs|Brought up)")]
    before, after = map(float, stamps)
    return after - before


def free_kb(vm: VM) -> int:
    """Free memory when nothing is cached, with what lies in the lists of CPUs: megabytes or nothing, as it happens."""
    vm.sh("echo 3 > /proc/sys/vm/drop_caches; sleep 1")
    zones = vm.sh("cat /proc/zoneinfo")
    pages = re.findall(r"^  pages free +(\d+)$", zones, re.M) + re.findall(r"^ +count: +(\d+)$", zones, re.M)
    return sum(map(int, pages)) * PAGE_KB


# Of /proc/meminfo; and what no line of it has, but the kernel's log tells
MEMINFO = ("Percpu", "Slab", "KernelStack", "PageTables")
LOGGED = {"log buffer": r"log_buf_len: (\d+) bytes", "futex hash": r"futex hash table entries: .*, (\d+) bytes"}
PENDING = "LPI pending tables"     # which the GIC has one of for each possible CPU
ACCOUNTS = (*MEMINFO, *LOGGED, PENDING)
PENDING_KB = 64
PENDING_KB_ABSENT = 8               # without what the GIC has no use for
# The log's buffer has a struct prb_desc and a struct printk_info for each 32 bytes of text
LOG_FACTOR = 1 + (24 + 88) / 32


def accounts_kb(vm: VM) -> dict[str, float]:
    """What the kernel says it uses memory for.  Percpu has all of it, also the areas that are there before MemTotal is."""
    said = dict(re.findall(r"^(\w+): +(\d+) kB$", vm.sh("cat /proc/meminfo"), re.M))
    found: dict[str, float] = {name: int(said[name]) for name in MEMINFO}
    log = vm.dmesg()
    for name, pattern in LOGGED.items():
        match = re.search(pattern, log)
        found[name] = int(match[1]) / 1024 if match else 0      # with few CPUs the log has the buffer that is linked in
    found["log buffer"] *= LOG_FACTOR
    masks = vm.masks()
    present = len(masks["present"])
    found[PENDING] = present * PENDING_KB + (len(masks["possible"]) - present) * PENDING_KB_ABSENT
    return found


def caches_kb(vm: VM) -> dict[str, int]:
    """The parts of Slab: {cache: KB}."""
    found = {}
    for line in vm.sh("cat /proc/slabinfo").splitlines()[2:]:
        fields = line.split()
        found[fields[0]] = int(fields[5]) * int(fields[14]) * PAGE_KB
    return found


def unit_bytes(vm: VM) -> dict[str, int]:
    """The parts of a CPU's area in the first chunk of per-CPU memory."""
    match, = scenario.said(vm, r"percpu: Embedded \d+ pages/cpu s\d+ r\d+ d\d+")
    return dict(zip(("static", "reserved", "dynamic"), map(int, re.findall(r" [srd](\d+)", match))))


# Counters

@contextlib.contextmanager
def counted(vm: VM, log: pathlib.Path, *events: str) -> Iterator[dict[str, int]]:
    """How often QEMU meets each of its trace events in the block; a name that ends in _ counts all that begin so."""
    names = {event: event + "*" if event.endswith("_") else event for event in events}
    counts: dict[str, int] = {}
    log.touch()
    before = log.stat().st_size
    for name in names.values():
        vm.qmp("trace-event-set-state", name=name, enable=True)
    try:
        yield counts
    finally:
        for name in names.values():
            vm.qmp("trace-event-set-state", name=name, enable=False)
    with open(log, encoding="utf-8", errors="replace") as text:
        text.seek(before)
        lines = text.read()
    counts.update({event: lines.count(event) for event in events})


# Times, all by the host's clock

class Watch:
    """The moments at which the guest's oncpu says on the console that it waits, and that it runs."""

    def __init__(self, vm: VM, cpu: int, how: str = ""):
        self.vm, self.cpu = vm, cpu
        self._from = len(vm.console())
        vm.sh(f"oncpu {cpu} {how} > {TTY} 2>&1 &")

    def at(self, what: str, timeout: float = EVENT_TIMEOUT) -> float:
        wanted = f"oncpu {self.cpu}: {what}"
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if wanted in self.vm.console()[self._from:]:
                return time.monotonic()
            time.sleep(0.0005)
        raise GuestError(f"the guest has not said: {wanted}\n{self.vm.console_tail()}")


# A step that follows another one at once goes through the guest's CPU hotplug lock without waiting for a grace period
SETTLED = 0.5


def plain_online(vm: VM, cpu: int) -> float:
    """From the request in the guest to a task that runs on the CPU: it is there, and offline."""
    watch = Watch(vm, cpu, "online")
    start = watch.at("waiting")
    return watch.at("running") - start


def added_online(vm: VM, cpu: int, auto: bool) -> float:
    """From device_add's return to a task that runs on the CPU; @auto: the kernel brings it online."""
    watch = Watch(vm, cpu, "" if auto else "online")
    watch.at("waiting")
    vm.device_add(cpu)
    start = time.monotonic()
    return watch.at("running") - start


def eject(vm: VM, cpu: int) -> None:
    """As scenario.eject(), for unpatched kernels too: they answer otherwise, and keep the CPU present."""
    vm.wait_event("DEVICE_DELETED", scenario.request_eject(vm, cpu))


def set_auto_online(vm: VM, wanted: bool) -> bool:
    """False if the kernel cannot."""
    return vm.run(f"echo {'online' if wanted else 'offline'} > {scenario.CPU_SYSFS}/auto_online").status == 0


@dataclasses.dataclass(frozen=True)
class Latency:
    """Medians, in seconds."""

    add: float
    plain: float

    @property
    def ratio(self) -> float:
        return self.add / self.plain


def latency(vm: VM, cpu: int, rounds: int) -> Latency:
    auto = set_auto_online(vm, True)
    added, plain = [], []
    for _ in range(rounds):
        time.sleep(SETTLED)
        added.append(added_online(vm, cpu, auto))
        scenario.offline(vm, cpu)
        time.sleep(SETTLED)
        plain.append(plain_online(vm, cpu))
        eject(vm, cpu)
    set_auto_online(vm, False)
    return Latency(statistics.median(added), statistics.median(plain))


# What the guest's trace says of an add, from its interrupt to the task that runs on the CPU
MOMENTS = (
    ("interrupt", r"irq_handler_entry: .* name=ACPI:Ged"),
    ("insert", r"cpu_hotplug_insert: "),
    ("register", r"cpu_hotplug_register: "),
    ("running", r"sched_switch: .* next_comm=oncpu "),
)
TRACED = f"""
cd {scenario.TRACING}
echo 'name == "ACPI:Ged"' > events/irq/irq_handler_entry/filter
echo 'next_comm == "oncpu"' > events/sched/sched_switch/filter
echo 1 > events/irq/irq_handler_entry/enable
echo 1 > events/sched/sched_switch/enable
echo 1 > events/cpu_hotplug/enable
"""


def moments(trace: str, cpu: int) -> list[float]:
    """When each of MOMENTS came, by the guest's clock; the task's first one on the CPU counts."""
    found = []
    for name, pattern in MOMENTS:
        where = rf"\[{cpu:03}\]" if name == "running" else r"\[\d+\]"
        match = re.search(rf"^.* {where} \S+ +([\d.]+): {pattern}", trace, re.M)
        if not match:
            raise GuestError(f"the guest's trace has no {name}:\n{trace[-2000:]}")
        found.append(float(match.group(1)))
    return found


def stages(vm: VM, cpu: int, rounds: int) -> list[float]:
    """Medians of the times between MOMENTS, in seconds, of adds that the kernel brings online; there is no such CPU."""
    scenario.mount_tracing(vm)
    vm.sh(TRACED)
    assert set_auto_online(vm, True), "its stages need auto_online"
    found = []
    for _ in range(rounds):
        vm.sh(f"echo > {scenario.TRACING}/trace")
        time.sleep(SETTLED)
        added_online(vm, cpu, auto=True)
        at = moments(vm.sh(f"cat {scenario.TRACING}/trace"), cpu)
        found.append([after - before for before, after in zip(at, at[1:])])
        eject(vm, cpu)
    set_auto_online(vm, False)
    vm.sh(f"echo 0 > {scenario.TRACING}/events/enable")
    return [statistics.median(times) for times in zip(*found)]


@dataclasses.dataclass(frozen=True)
class Burst:
    """So many CPUs, in seconds.  An online ends with a task that runs on the CPU."""

    singles: float      # onlines, each by itself, after a pause
    loop: float         # onlines in one loop of the guest
    added: float        # all added at once, and brought online by the kernel
    register: float     # of that: each CPU from its insertion until it is registered
    online: float       # of that: each from there until the next one is inserted, so also until it is online
    tasks: float        # of that: a task on each, when all are online
    device_adds: float  # until the last device_add has returned
    ejects: float       # ejects, each by itself
    eject: float        # all ejected at once


def burst_stages(trace: str) -> tuple[float, float]:
    """Seconds in which CPUs were registered, and brought online, but for the last one's online."""
    inserted, registered = ([float(at) for at in re.findall(rf" ([\d.]+): cpu_hotplug_{event}: ", trace)]
                            for event in ("insert", "register"))
    if len(inserted) != len(registered) or not all(map(float.__le__, inserted, registered)):
        raise GuestError(f"the guest's trace has other CPUs than were added:\n{trace[-2000:]}")
    return (sum(after - before for before, after in zip(inserted, registered)),
            sum(after - before for before, after in zip(registered, inserted[1:])))


def burst(vm: VM, cpus: range) -> Burst:
    """All of them are added and brought online in three ways, each for the first time, and ejected in two.

    Nothing runs in the guest for the harness while CPUs come or go.  In the end all of them are online.
    """
    numbers = " ".join(map(str, cpus))

    def all_gone(start: float) -> float:
        wait_until("all CPUs to be gone", lambda: not set(cpus) & vm.masks()["present"], timeout=300)
        return time.monotonic() - start

    def add_all() -> None:
        for cpu in cpus:
            scenario.add(vm, cpu)

    def eject_all() -> float:
        time.sleep(SETTLED)
        start, since = time.monotonic(), vm.mark()
        for cpu in cpus:
            vm.device_del(cpu)
        for cpu in cpus:
            vm.wait_event("DEVICE_DELETED", since, match=lambda data, cpu=cpu: data.get("device") == f"core{cpu}", timeout=300)
        return all_gone(start)

    add_all()
    singles = sum(plain_online(vm, cpu) for cpu in cpus)
    ejected = eject_all()

    add_all()
    time.sleep(SETTLED)
    start = time.monotonic()
    vm.sh(f"for cpu in {numbers}; do oncpu $cpu online; done", timeout=300)
    loop = time.monotonic() - start
    time.sleep(SETTLED)
    start = time.monotonic()
    for cpu in cpus:
        eject(vm, cpu)
    ejects = all_gone(start)

    scenario.mount_tracing(vm)
    vm.sh(f"cd {scenario.TRACING}; echo > trace; echo 1 > events/cpu_hotplug/enable")
    assert set_auto_online(vm, True), "a burst needs auto_online"
    time.sleep(SETTLED)
    start = time.monotonic()
    for cpu in cpus:
        vm.device_add(cpu)
    device_adds = time.monotonic() - start
    wait_until("all CPUs to be online", lambda: set(cpus) <= vm.masks()["online"], timeout=300)
    tasks = time.monotonic()
    vm.sh(f"for cpu in {numbers}; do oncpu $cpu; done", timeout=300)
    end = time.monotonic()
    set_auto_online(vm, False)
    register, online = burst_stages(vm.sh(f"cat {scenario.TRACING}/trace; echo 0 > {scenario.TRACING}/events/enable"))
    return Burst(singles, loop, end - start, register, online, end - tasks, device_adds, ejects, ejected)
