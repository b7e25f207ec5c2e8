"""What must hold after every VM test: a clean log, and CPU masks that agree with each other."""

import re
from typing import Iterable

MASKS = ("possible", "present", "enabled", "online", "offline")

_BAD = re.compile(r"""
    WARNING: | \bBUG\b | \bOops\b | Kernel\ panic | Internal\ error | Unable\ to\ handle | Call\ trace
  | \bstalls?\b | soft\ lockup | blocked\ for\ more\ than | \bhung\b
  | KASAN | KCSAN | UBSAN | KFENCE: | kmemleak: .*(?:suspected|disabled|Cannot)
  | circular\ locking | recursive\ locking | inconsistent\ lock | suspicious\ RCU | held\ lock\ freed
  | list_(?:add|del)\ corruption | refcount_t: | cannot\ create\ duplicate | scheduling\ while\ atomic
  | ODEBUG: | \bASSERT\b | Synchronous\ Exception
""", re.VERBOSE)


def parse_cpus(text: str) -> set[int]:
    """'0-2,5' -> {0, 1, 2, 5}"""
    cpus: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def log_complaints(log: str, expected: tuple[str, ...] = ()) -> list[str]:
    """Lines of a kernel log that must not be there; `expected` are regular expressions of those that may."""
    return unexpected(filter(_BAD.search, log.splitlines()), expected)


def unexpected(lines: Iterable[str], expected: tuple[str, ...]) -> list[str]:
    """Lines that match none of the regular expressions."""
    return [line for line in lines if not any(re.search(pattern, line) for pattern in expected)]


def mask_complaints(masks: dict[str, set[int]], directories: set[int]) -> list[str]:
    """What is wrong with the masks, and with the cpuN directories, of a guest at rest."""
    possible, present, online = masks["possible"], masks["present"], masks["online"]
    complaints = []
    if not present <= possible:
        complaints.append(f"present {present} is not within possible {possible}")
    if not online <= present:
        complaints.append(f"online {online} is not within present {present}")
    if masks["offline"] & possible != possible - online:
        complaints.append(f"offline {masks['offline']} is not possible {possible} without online {online}")
    if "enabled" in masks and masks["enabled"] != present:
        complaints.append(f"enabled {masks['enabled']} is not present {present}")
    if directories != present:
        complaints.append(f"cpuN directories {directories} are not those of present {present}")
    return complaints
