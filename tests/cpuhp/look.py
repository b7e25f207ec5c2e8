"""What a guest looks like, for holding two guests against each other."""

import re

from .vm import VM

_OF_EVERY_BOOT = re.compile(r"Linux version|random: |Booting Linux|EFI stub|clocksource|sched_clock|Freeing|Memory:"
                            r"|hrtimer: interrupt took|RT throttling")
# What unpatched 6.12 says of CPUs that nosmp and nr_cpus= leave out, and what is no longer so
_NOT_SO = re.compile(r"Changing CPU present bit is not supported|Unable to map CPU to valid ID")


def processes(vm: VM) -> list[str]:
    """Names of all processes but our own, kernel threads in brackets; workers, which come and go, are left out."""
    names = vm.sh("ps -o args").splitlines()[1:]
    return sorted(name for name in names if " sh -c " not in f" {name}" and "ps -o" not in name
                  and not name.startswith("[kworker"))


def messages(vm: VM) -> set[str]:
    """The log, without times, without every word that has a digit in it, without what differs from boot to boot,
    and without what is not so any more."""
    lines = (re.sub(r"^\[[^]]*\] ", "", line) for line in vm.dmesg().splitlines())
    return {re.sub(r"#(?: #)*", "#", re.sub(r"\S*\d\S*", "#", line)).strip() for line in lines
            if not _OF_EVERY_BOOT.search(line) and not _NOT_SO.search(line)}
