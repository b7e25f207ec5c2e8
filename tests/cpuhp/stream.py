"""The device state in the migration stream of a machine that has not run."""

import pathlib
import subprocess

from . import paths
from .vm import EVENT_TIMEOUT, wait_until

paths.use_qemu_python()

from qemu.machine import QEMUMachine  # noqa: E402  (found through the line above)


_SAME_EACH_TIME = ("-nodefaults", "-S", "-accel", "tcg", "-rtc", "base=2026-01-01,clock=vm")


def devices(binary: pathlib.Path, target: pathlib.Path, *arguments: str) -> tuple[str, str]:
    """Start the machine stopped, save it, and read what it says of its devices: the description and the values.

    RAM is left out: how its pages are spread over sections is a matter of timing."""
    with QEMUMachine(str(binary), [*arguments, *_SAME_EACH_TIME], qmp_timer=EVENT_TIMEOUT) as machine:
        machine.launch()
        machine.cmd("migrate", uri=f"file:{target}")
        wait_until("the machine to be saved", lambda: machine.cmd("query-migrate").get("status") == "completed")
    return _analyze(target, "desc"), _analyze(target, "state")


def _analyze(target: pathlib.Path, what: str) -> str:
    program = paths.QEMU_TREE / "scripts" / "analyze-migration.py"
    return subprocess.run(["/usr/bin/python3", program, "-f", target, "-d", what],
                          capture_output=True, check=True, text=True).stdout
