"""The steps of an add and an eject, each with the checks that belong to it.  Tests, demo and soak walk the same steps."""

import contextlib
import dataclasses
import re
from typing import Iterator

from .agent import GuestError
from .vm import EVENT_TIMEOUT, VM, wait_until

CPU_SYSFS = "/sys/devices/system/cpu"
TRACING = "/sys/kernel/tracing"
UEVENT_LOG = "/tmp/uevents"

# ACPI notifications and _OST status codes (ACPI 6.5, 6.3.5)
BUS_CHECK = 0
DEVICE_CHECK = 1
EJECT_REQUEST = 3
OST_SUCCESS = 0
OST_BUSY = 0x82
OST_IN_PROGRESS = 0x84


class StepFailed(GuestError):
    """A step of an add or an eject did not do what it must; `step` names it."""

    def __init__(self, step: str, what: str):
        super().__init__(f"{step}: {what}")
        self.step = step


def _require(step: str, holds: bool, what: object) -> None:
    if not holds:
        raise StepFailed(step, str(what))


def mount_tracing(vm: VM) -> None:
    vm.sh(f"grep -q '^tracefs' /proc/mounts || mount -t tracefs tracefs {TRACING}")


def add(vm: VM, cpu: int, timeout: float = EVENT_TIMEOUT, **properties: object) -> None:
    """device_add; the guest answers success and the CPU becomes present, not online."""
    since = vm.mark()
    vm.device_add(cpu, **properties)
    wait_present(vm, cpu, since, timeout)


def wait_present(vm: VM, cpu: int, since: int, timeout: float = EVENT_TIMEOUT) -> None:
    """After a device_add: _OST says success and the CPU is registered."""
    try:
        ost = vm.wait_event("ACPI_DEVICE_OST", since, timeout, lambda data: data["info"]["slot"] == str(cpu))["info"]
    except GuestError as error:
        raise StepFailed("add", str(error)) from error
    _require("add", (ost["source"], ost["status"]) == (DEVICE_CHECK, OST_SUCCESS), f"_OST: {ost}")
    _require("add", cpu in vm.masks()["present"], f"cpu{cpu} is not present after the guest's success")


def online(vm: VM, cpu: int) -> None:
    result = vm.run(f"echo 1 > {CPU_SYSFS}/cpu{cpu}/online")
    _require("online", result.status == 0, result.output)
    _require("online", cpu in vm.masks()["online"], "not in the online mask")


def offline(vm: VM, cpu: int) -> None:
    result = vm.run(f"echo 0 > {CPU_SYSFS}/cpu{cpu}/online")
    _require("offline", result.status == 0, result.output)


def add_and_work(vm: VM, cpu: int, **properties: object) -> None:
    """A CPU is added, brought online, and works."""
    add(vm, cpu, **properties)
    online(vm, cpu)
    works(vm, cpu)


def comes_and_goes(vm: VM, cpu: int) -> None:
    """A CPU is added, works, and is ejected."""
    add_and_work(vm, cpu)
    eject(vm, cpu)


def refused_add(vm: VM, cpu: int, reason: str) -> None:
    """An add that the guest cannot carry out: _OST says so, nothing changes, and the log gives the reason, a pattern."""
    before, directories, times = vm.masks(), vm.cpu_directories(), len(said(vm, reason))
    since = vm.mark()
    vm.device_add(cpu)
    _require("add", answer(vm, cpu, since) != OST_SUCCESS, "success for a CPU that cannot be added")
    _require("add", (vm.masks(), vm.cpu_directories()) == (before, directories), f"{vm.masks()}, before: {before}")
    _require("add", len(said(vm, reason)) == times + 1, f"the log has not got once more: {reason}")


def answer(vm: VM, cpu: int, since: int, timeout: float = EVENT_TIMEOUT, source: int | None = None) -> int:
    """The final status that the guest gives, through _OST, for what was asked of a CPU, or for one kind of that."""
    info = vm.wait_event("ACPI_DEVICE_OST", since, timeout, lambda data: data["info"]["slot"] == str(cpu)
                         and source in (None, data["info"]["source"])
                         and data["info"]["status"] != OST_IN_PROGRESS)["info"]
    return int(info["status"])


def said(vm: VM, pattern: str) -> list[str]:
    """The lines of the kernel's log in which a pattern is found."""
    return [line for line in vm.dmesg().splitlines() if re.search(pattern, line)]


def request_eject(vm: VM, cpu: int, device: str = "") -> int:
    """device_del only, of another id or path if there is one; returns the mark to wait from."""
    since = vm.mark()
    vm.qmp("device_del", id=device or f"core{cpu}")
    return since


def eject(vm: VM, cpu: int) -> None:
    """device_del of a CPU in whatever state; the guest says in progress, and the CPU is gone on both sides."""
    since = request_eject(vm, cpu)
    wait_gone(vm, cpu, since)


def wait_gone(vm: VM, cpu: int, since: int, path: str = "") -> None:
    """
    After a device_del, of what has no id by its path: the device is gone, and _OST has said in progress, then success.

    The success comes last, after _EJ0: who does not wait for it may take it for the answer to what is asked next.
    """
    try:
        vm.wait_event("DEVICE_DELETED", since,
                      match=lambda data: data["path"] == path if path else data.get("device") == f"core{cpu}")
        answer(vm, cpu, since, source=EJECT_REQUEST)
    except GuestError as error:
        raise StepFailed("eject", str(error)) from error
    _require("eject", cpu not in vm.masks()["present"], f"cpu{cpu} is still present")
    statuses = [status for source, status in vm.osts(cpu, since) if source == EJECT_REQUEST]
    _require("eject", (statuses[0], statuses[-1]) == (OST_IN_PROGRESS, OST_SUCCESS), f"_OST: {vm.osts(cpu, since)}")


def path_of(vm: VM, cpu: int) -> str:
    """What stands for a CPU of cpus=, which has no id."""
    path, = [entry["qom-path"] for entry in vm.qmp("query-hotpluggable-cpus") if entry["props"]["core-id"] == cpu]
    return path


def eject_cold_plugged(vm: VM, cpu: int) -> None:
    """device_del of a CPU of cpus=."""
    path = path_of(vm, cpu)
    wait_gone(vm, cpu, request_eject(vm, cpu, path), path)


def refused_eject(vm: VM, cpu: int, timeout: float = EVENT_TIMEOUT, device: str = "") -> int:
    """device_del, by another id or path if there is one, that the guest must refuse; returns the last status that it gave."""
    since = request_eject(vm, cpu, device)
    status = answer(vm, cpu, since, timeout, EJECT_REQUEST)
    _require("eject", not vm.events_since(since, "DEVICE_DELETED"), "the device is gone")
    _require("eject", cpu in vm.masks()["present"], "the CPU is no longer present")
    return status


@dataclasses.dataclass(frozen=True)
class Task:
    """A busy loop in the guest."""

    vm: VM
    pid: int

    def cpu(self) -> int:
        return int(self._stat()[36])

    def ticks(self) -> int:
        return int(self._stat()[11])

    def _stat(self) -> list[str]:
        """/proc/PID/stat from the state (field 3 of proc(5)) on."""
        return self.vm.sh(f"read -r line < /proc/{self.pid}/stat; echo $line").rpartition(")")[2].split()

    def allowed(self) -> str:
        return self.vm.sh(f"sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/{self.pid}/status")

    def runs_on(self, cpu: int) -> bool:
        """The task burns time and is on that CPU."""
        before = self.ticks()
        return bool(wait_until(f"task {self.pid} to burn time", lambda: self.ticks() > before + 5)) and self.cpu() == cpu


@contextlib.contextmanager
def busy(vm: VM, cpu: int | None = None, policy: str = "") -> Iterator[Task]:
    """A busy loop in the guest, pinned to a CPU if one is named; a real-time task with the policy "fifo"."""
    pin = f"taskset -c {cpu} " if cpu is not None else ""
    pid = int(vm.sh(f"{pin}{policy} sh -c 'while :; do :; done' > /dev/null 2>&1 & echo $!"))
    try:
        yield Task(vm, pid)
    finally:
        vm.run(f"kill -9 {pid}")


def works(vm: VM, cpu: int) -> None:
    """Proof of work: a task pinned on the CPU runs there, its timer ticks and it takes IPIs, if others can send any."""
    expected = ("arch_timer", "IPI") if len(vm.masks()["online"]) > 1 else ("arch_timer",)
    before = interrupts(vm, cpu)
    with busy(vm, cpu) as task:
        _require("work", task.runs_on(cpu), f"a task pinned to cpu{cpu} does not run there")
    after = interrupts(vm, cpu)
    for name in expected:
        _require("work", after[name] > before[name], f"{name} does not rise on cpu{cpu}: {before} -> {after}")


def computes(vm: VM, cpu: int) -> None:
    """A short proof of work: a pinned script does some, and finds itself on that CPU."""
    where = vm.sh(f"taskset -c {cpu} sh -c 'i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done;"
                  " read -r line < /proc/self/stat; echo $line'")
    _require("work", int(where.rpartition(")")[2].split()[36]) == cpu, f"a task pinned to cpu{cpu} ran elsewhere")


def interrupts(vm: VM, cpu: int) -> dict[str, int]:
    """Counts of the timer interrupt and of all IPIs on an online CPU."""
    head, *lines = vm.sh("cat /proc/interrupts").splitlines()
    column = head.split().index(f"CPU{cpu}") + 1
    counts = {"arch_timer": 0, "IPI": 0}
    for line in lines:
        words = line.split()
        name = "IPI" if words[0].startswith("IPI") else "arch_timer" if words[-1] == "arch_timer" else None
        if name:
            counts[name] += int(words[column])
    return counts


@contextlib.contextmanager
def cpu_uevents(vm: VM) -> Iterator[list[str]]:
    """Collects 'action cpuN' of every uevent for a CPU; the list is filled at the end of the block."""
    seen: list[str] = []
    vm.sh(f": > {UEVENT_LOG}; uevent sh -c"
          f" 'case $DEVPATH in {CPU_SYSFS[4:]}/cpu*) echo $ACTION ${{DEVPATH##*/}};; esac >> {UEVENT_LOG}'"
          " > /dev/null 2>&1 & echo $! > /tmp/uevent.pid; sleep 0.5")
    yield seen
    vm.sh("sleep 0.5; kill $(cat /tmp/uevent.pid)")
    seen += vm.sh(f"cat {UEVENT_LOG}").splitlines()
