"""Boot a guest under QEMU, run scripts in it, plug CPUs, and hold it against the gate.

A process costs an emulated guest 20 ms and more: what is asked for often does with what the shell has built in.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from typing import Any, Callable, TypeVar

from . import gate, paths
from .agent import Agent, CommandFailed, GuestError, GuestTimeout, Result
from .cpio import Archive

paths.use_qemu_python()

from qemu.machine import QEMUMachine  # noqa: E402  (found through the line above)
from qemu.qmp import ExecuteError  # noqa: E402

BOOT_TIMEOUT = 240.0
SCRIPT_TIMEOUT = 60.0
EVENT_TIMEOUT = 60.0
CONSOLE_TAIL = 60
# Said at boot where nothing asks for it; also said by one that gives up, when it is wanted
NO_LEAK_DETECTOR = r"kmemleak: Kernel memory leak detector disabled"
# QEMU's coroutines tell ASan where their stacks are
OF_SANITIZER = (r"WARNING: ASan doesn't fully support makecontext/swapcontext functions",)
# What kmemleak finds it says in the log; what is younger than 5 s it does not tell from what is still being set up
LEAKS = "sleep 5; for n in 1 2; do echo scan > /sys/kernel/debug/kmemleak; done; cat /sys/kernel/debug/kmemleak"

# A QEMU ends with the program that started it, also with one that is killed
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")

Value = TypeVar("Value")


class Refused(Exception):
    """QEMU refused a command; the text is its reason."""


def modules(linux: str, *names: str) -> bytes:
    """Spec.files with modules of that kernel, named as in its build directory, for `insmod /lib/...`."""
    archive = Archive()
    for name in names:
        path = paths.image(linux).parent / name
        archive.file(f"lib/{path.name}", path.read_bytes())
    return archive.pack()


@dataclasses.dataclass(frozen=True)
class Spec:
    """A VM, described: what a test needs and nothing else."""

    smp: str = "cpus=4,maxcpus=6"
    machine: str = "gic-version=3"
    cpu: str = "cortex-a57"
    memory: str = "300M"
    dialect: str | None = None          # how firmware describes an absent CPU; None: as the machine has it
    append: str = ""
    args: tuple[str, ...] = ()
    linux: str = paths.LINUX_VERSION
    kernel: str = "patched"             # or "base", or "off": see paths.image()
    qemu_patched: bool = True
    acpi: bool = True
    firmware: bool = True
    efi: pathlib.Path | None = None     # another image than paths.FIRMWARE
    userland: bool = False              # Debian's bash, udev, lscpu and kexec in the guest, see tools/kitlib/userland.py
    tables: bytes = dataclasses.field(default=b"", repr=False)      # a cpio with ACPI tables in the place of the firmware's
    files: bytes = dataclasses.field(default=b"", repr=False)       # a cpio with more files for the guest's root
    reboots: bool = False               # a guest's reset is a reset; otherwise it ends the VM
    paused: bool = False                # started stopped, for QMP `cont`
    boots: bool = True                  # there will be an agent to talk to
    directories: bool = True            # cpuN/ must follow present; not so under nosmp without hotplug, as ever
    leaks: bool = False                 # memory that nobody points to is looked for, if the kernel is the one with lockdep
    expected: tuple[str, ...] = ()      # regular expressions of lines, of the guest's log or QEMU's, that the gate lets pass

    def looks_for_leaks(self) -> bool:
        return self.leaks and self.kernel == "patched" and paths.DEBUG == "lockdep"

    def command_line(self, initrd: pathlib.Path) -> list[str]:
        machine = f"virt,{self.machine}"
        if self.dialect:
            machine += f",x-acpi-cpu-dialect={self.dialect}"
        if not self.acpi:
            machine += ",acpi=off"
        append = "console=ttyAMA0 rdinit=/init panic=-1"
        if self.acpi and self.firmware:
            append += " acpi=force"
        if self.looks_for_leaks():
            append += " kmemleak=on"
        line = ["-machine", machine, "-cpu", self.cpu, "-smp", self.smp, "-m", self.memory,
                "-kernel", str(paths.image(self.linux, self.kernel)), "-initrd", str(initrd),
                "-append", f"{append} {self.append}".strip(), "-nodefaults",
                "-action", f"reboot={'reset' if self.reboots else 'shutdown'}"]
        if self.firmware:
            line += ["-bios", str(self.efi or paths.FIRMWARE)]
        if self.paused:
            line.append("-S")
        return line + list(self.args)


class VM:
    """One QEMU process.  A context manager: it is gone at the end, whatever happened."""

    def __init__(self, spec: Spec, directory: pathlib.Path):
        problem = paths.missing(spec.linux, spec.kernel, spec.qemu_patched, spec.userland)
        if spec.efi and not spec.efi.exists():
            problem = f"{spec.efi.relative_to(paths.ROOT)} is missing: run make first (make help)"
        if problem:
            raise GuestError(problem)
        self.spec = spec
        self.events: list[dict[str, Any]] = []
        directory.mkdir(parents=True, exist_ok=True)
        self._console = directory / "console.log"
        self._console.write_bytes(b"")
        self._qemus_output = directory / "qemu.log"
        self._agent = Agent()
        typed, keyboard = os.pipe()
        os.set_inheritable(typed, True)
        self._typed, self._keyboard = os.fdopen(typed, "rb"), os.fdopen(keyboard, "wb", buffering=0)
        self._machine = QEMUMachine(str(paths.qemu(spec.qemu_patched)), log_dir=str(directory), name="qemu",
                                    qmp_timer=EVENT_TIMEOUT, wrapper=ENDS_WITH_US)
        self._machine.add_args(*spec.command_line(self._initrd(directory)),
                               "-chardev", f"file,id=console,path={self._console},input-path=/dev/fd/{typed}",
                               "-serial", "chardev:console", *self._agent.qemu_args())

    def _initrd(self, directory: pathlib.Path) -> pathlib.Path:
        """The initramfs, behind the ACPI tables, which the kernel wants first and uncompressed, and before further files."""
        initramfs, *more = paths.INITRAMFS.read_bytes(), self.spec.files
        if self.spec.userland:
            more.insert(0, paths.USERLAND.read_bytes())
        if not self.spec.tables and not any(more):
            return paths.INITRAMFS
        initrd = directory / "initrd"
        initrd.write_bytes(self.spec.tables + b"".join(part + bytes(-len(part) % 4) for part in (initramfs, *more)))
        return initrd

    def __enter__(self) -> VM:
        self.launch()
        try:
            if self.spec.boots and not self.spec.paused:
                self.wait_boot()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.quit()
        else:
            self.kill()

    def launch(self) -> None:
        self._machine.launch()
        self._agent.qemu_started()
        self._typed.close()

    def quit(self) -> None:
        """End QEMU as a user does; a QEMU that crashes or hangs at its end raises."""
        self._hang_up()
        self._machine.shutdown()
        if self._machine.exitcode():
            raise GuestError(f"QEMU ended with status {self._machine.exitcode()}:\n{self._machine.get_log()}")

    def kill(self) -> None:
        self._hang_up()
        self._machine.kill()

    def _hang_up(self) -> None:
        self._agent.close()
        self._typed.close()
        self._keyboard.close()

    @property
    def pid(self) -> int:
        pid = self._machine.get_pid()
        if pid is None:
            raise GuestError(f"QEMU is gone\n{self.console_tail()}")
        return pid

    # The guest

    def wait_boot(self, timeout: float = BOOT_TIMEOUT) -> str:
        """Wait until the guest's agent is there; returns the boot id."""
        return self._with_console(lambda: self._agent.wait_hello(paths.patient(timeout)))

    def run(self, script: str, timeout: float = SCRIPT_TIMEOUT) -> Result:
        """Run a shell script in the guest, whatever its exit status."""
        return self._with_console(lambda: self._agent.run(script, paths.patient(timeout)))

    def sh(self, script: str, timeout: float = SCRIPT_TIMEOUT) -> str:
        """Run a shell script that must succeed; returns its output without the last newline."""
        result = self.run(script, timeout)
        if result.status:
            raise CommandFailed(f"status {result.status}: {script}\n{result.output}")
        return result.output.rstrip("\n")

    def type(self, text: str) -> None:
        """Type at the serial console."""
        self._keyboard.write(text.encode())

    def console(self) -> str:
        return self._console.read_text(errors="replace")

    def console_tail(self) -> str:
        return "\n".join(["--- console", *self.console().splitlines()[-CONSOLE_TAIL:]])

    def dmesg(self) -> str:
        return self.sh("dmesg")

    def masks(self) -> dict[str, set[int]]:
        """possible, present, enabled (if the kernel has it), online, offline."""
        listed = self.sh(f"cd /sys/devices/system/cpu; for m in {' '.join(gate.MASKS)}; do"
                         " [ ! -e $m ] || { read cpus < $m; echo $m $cpus; }; done")
        return {name: gate.parse_cpus(cpus) for name, _, cpus in (line.partition(" ") for line in listed.splitlines())}

    def cpu_directories(self) -> set[int]:
        return set(map(int, self.sh("cd /sys/devices/system/cpu; for d in cpu[0-9]*; do echo ${d#cpu}; done").split()))

    def gate(self) -> None:
        """Raise unless the logs are clean, QEMU has nothing to say, the masks agree, and nothing has leaked."""
        expected = self.spec.expected
        if self.spec.looks_for_leaks():
            self.sh(LEAKS)
        else:
            expected += (NO_LEAK_DETECTOR,)
        complaints = gate.log_complaints(self.console() + self.dmesg(), expected)
        complaints += gate.unexpected(self._qemus_output.read_text(errors="replace").splitlines(),
                                      (*self.spec.expected, *(OF_SANITIZER if paths.SANITIZED else ())))
        masks = self.masks()
        directories = self.cpu_directories() if self.spec.directories else masks["present"]
        if self.spec.kernel == "base" and masks.pop("enabled", None):
            directories = masks["present"]      # 6.12 has all possible CPUs present, and directories of enabled ones
        complaints += gate.mask_complaints(masks, directories)
        if self.spec.kernel == "patched" and "enabled" not in masks:
            complaints.append("/sys/devices/system/cpu/enabled is missing")
        if complaints:
            raise GuestError("the gate is closed:\n" + "\n".join(complaints))

    # The monitor

    def qmp(self, command: str, **arguments: Any) -> Any:
        """A QMP command; underscores in argument names stand for dashes."""
        try:
            return self._machine.cmd(command, **arguments)
        except ExecuteError as error:
            raise Refused(str(error)) from error

    def hmp(self, line: str) -> str:
        """A line typed at the human monitor; returns what it prints."""
        return str(self.qmp("human-monitor-command", command_line=line)).replace("\r\n", "\n").rstrip("\n")

    def device_add(self, core: int, **properties: Any) -> None:
        """Plug the CPU of a machine with one thread a core; further or other properties by name."""
        self.qmp("device_add", **{"driver": f"{self.spec.cpu}-arm-cpu", "id": f"core{core}", "core_id": core,
                                  **properties})

    def device_del(self, core: int) -> None:
        self.qmp("device_del", id=f"core{core}")

    def mark(self) -> int:
        """The number of events so far: what `since` of the functions below takes."""
        self._pump()
        return len(self.events)

    def events_since(self, since: int, name: str) -> list[dict[str, Any]]:
        self._pump()
        return [event["data"] for event in self.events[since:] if event["event"] == name]

    def wait_event(self, name: str, since: int, timeout: float = EVENT_TIMEOUT,
                   match: Callable[[dict[str, Any]], bool] = lambda data: True) -> dict[str, Any]:
        """Wait for the first event of that name after a mark whose data match."""
        deadline = time.monotonic() + paths.patient(timeout)
        seen = since
        while True:
            for event in self.events[seen:]:
                if event["event"] == name and match(event.get("data", {})):
                    return event.get("data", {})
            seen = len(self.events)
            remaining = deadline - time.monotonic()
            try:
                event = self._machine.get_qmp_event(wait=remaining) if remaining > 0 else None
            except TimeoutError:
                event = None
            if event is None:
                raise GuestTimeout(f"no {name} within {timeout:g} s; seen: {self.events[since:]}\n{self.console_tail()}")
            self.events.append(event)

    def osts(self, core: int, since: int) -> list[tuple[int, int]]:
        """(event, status) of each _OST that the guest has evaluated for a CPU, as QEMU heard it."""
        return [(data["info"]["source"], data["info"]["status"]) for data in self.events_since(since, "ACPI_DEVICE_OST")
                if data["info"]["slot"] == str(core)]

    def _pump(self) -> None:
        """Take in every event up to now: the library reads its socket only while a command is under way."""
        self._machine.cmd("query-status")
        self.events += self._machine.get_qmp_events()

    def _with_console(self, action: Callable[[], Value]) -> Value:
        try:
            return action()
        except GuestError as error:
            raise type(error)(f"{error}\n{self.console_tail()}") from error


def wait_until(what: str, holds: Callable[[], Value], timeout: float = EVENT_TIMEOUT) -> Value:
    """Poll until a function returns something true; returns that."""
    deadline = time.monotonic() + paths.patient(timeout)
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > deadline:
            raise GuestTimeout(f"not within {timeout:g} s: {what}")
        time.sleep(0.1)
