"""Notifications that nobody asked for: the DSDT is edited so that the power button sends, or does, what a test wants."""

import re

from . import tables
from .vm import VM

CONTAINER = "\\_SB.CPUS"        # what is above the CPUs

Step = tuple[int | str, int, int] | str     # CPU or device, code, how often; or ASL


def edit(text: str, *presses: list[Step]) -> str:
    """The source of a DSDT with a button of which each press does the next list of steps."""
    def statement(step: Step) -> str:
        if isinstance(step, str):
            return step
        target, code, times = step
        device = target if isinstance(target, str) else f"\\_SB.CPUS.C{target:03X}"
        notify = f"Notify ({device}, 0x{code:02X})"
        return notify if times == 1 else f"Local7 = {times}\nWhile (Local7) {{ {notify}\nLocal7-- }}"

    steps = ""
    for number, steps_of_press in enumerate(presses):
        body = "\n".join(map(statement, steps_of_press))
        steps += f"If (Local6 == {number}) {{ {body} }}\n"
    pressed = f"Local6 = \\PRSS\n\\PRSS++\n{steps}"
    text, count = re.subn(r"Notify \(PWRB, 0x80\).*", lambda _: pressed, text)
    assert count == 1, "the power button is not where it was"
    return tables.with_more(text, "Name (\\PRSS, 0)")


def initrd(dsdt: bytes, *presses: list[Step]) -> bytes:
    """Spec.tables with that button."""
    return tables.initrd(tables.edit_asl(dsdt, lambda text: edit(text, *presses)))


def press(vm: VM) -> None:
    """Send the next notifications and wait until the guest has dealt with them."""
    vm.qmp("system_powerdown")
    vm.sh("sleep 1")
