"""What the kernel allocates while something happens, by its own trace events: pages and objects, and who asks for them."""

import collections
import contextlib
import dataclasses
import re
from typing import Iterator

from . import scenario
from .vm import VM

EVENTS = ("mm_page_alloc", "kmalloc", "kmem_cache_alloc")
BUFFER_KB = 16384

_EVENT = re.compile(r"^ *(?P<task>.+-\d+) +\[(?P<cpu>\d+)\] .*?: (?P<name>mm_page_alloc|kmalloc|kmem_cache_alloc): (?P<fields>.*)$")
_STACK = re.compile(r"^ *(?P<task>.+-\d+) +\[(?P<cpu>\d+)\] .*?: <stack trace>$")
_FRAME = re.compile(r"^ => (?P<function>\w+)")

# What is out of objects, or of room in a page table, takes a page: that is a matter of what was allocated before
_REFILL = re.compile(r"^(?:new_slab|allocate_slab|___slab_alloc|__slab_alloc|__pte_alloc_kernel|__pmd_alloc|pcpu_populate_chunk)$")
# The allocators' own functions
_ALLOCATORS = re.compile(r"^(?:_*(?:alloc_pages\w*|get_free_pages\w*|folio_alloc\w*|kmalloc\w*|kvmalloc\w*|kmem_cache_alloc\w*|"
                         r"vmalloc\w*|kcalloc\w*|kzalloc\w*|kstrdup\w*|kasprintf\w*|kvasprintf\w*|krealloc\w*|alloc_vmap\w*|"
                         r"traceiter\w*|kmemdup\w*|pcpu_\w*|alloc_percpu\w*|get_zeroed_page\w*|kmalloc_large\w*|"
                         r"trace_event_raw_event\w*|___kmalloc_large\w*|__do_kmalloc\w*|trace_\w+))$")
# Whom the bring-up of a CPU has work for it, and the CPU itself
_OF_ONLINE = ("_cpu_up", "cpuhp_thread_fun", "kthreadd", "secondary_start_kernel")


@dataclasses.dataclass
class Allocation:
    """One event, and the functions that led to it, the innermost first."""

    name: str
    task: str
    fields: dict[str, str]
    stack: list[str]

    @property
    def order(self) -> int:
        return int(self.fields.get("order", 0))

    @property
    def refills(self) -> bool:
        """An allocator's stock is filled up, or a tree of numbers, such as process ids, needs a node for the next ones."""
        return self.name == "mm_page_alloc" and any(map(_REFILL.match, self.stack)) or "idr_get_free" in self.stack

    @property
    def of_online(self) -> bool:
        return any(function in self.stack for function in _OF_ONLINE)

    def callers(self, depth: int) -> tuple[str, ...]:
        """The nearest functions that are no allocator's."""
        return tuple(function for function in self.stack if not _ALLOCATORS.match(function))[:depth]


def parse(trace: str) -> list[Allocation]:
    """The allocations in the text of a trace with the option "stacktrace"."""
    found: list[Allocation] = []
    last: dict[tuple[str, str], Allocation] = {}
    stack: list[str] = []
    for line in trace.splitlines():
        if frame := _FRAME.match(line):
            stack.append(frame["function"])
        elif event := _EVENT.match(line):
            fields = dict(re.findall(r"(\w+)=(\S+)", event["fields"]))
            found.append(Allocation(event["name"], event["task"], fields, []))
            last[event["task"], event["cpu"]] = found[-1]
        elif of_event := _STACK.match(line):
            owner = last.get((of_event["task"], of_event["cpu"]))
            stack = owner.stack if owner else []
    return found


@contextlib.contextmanager
def traced(vm: VM, events: tuple[str, ...] = EVENTS) -> Iterator[list[Allocation]]:
    """Collects the allocations that are made in the block; the list is filled at its end."""
    scenario.mount_tracing(vm)
    switches = " ".join(f"events/kmem/{event}/enable" for event in events)
    vm.sh(f"cd {scenario.TRACING}; echo {BUFFER_KB} > buffer_size_kb; echo 1 > options/stacktrace; echo > trace;"
          f" for event in {switches}; do echo 1 > $event; done")
    found: list[Allocation] = []
    yield found
    text = vm.sh(f"cd {scenario.TRACING}; for event in {switches}; do echo 0 > $event; done; cat trace; echo > trace;"
                 " echo 0 > options/stacktrace")
    assert "LOST" not in text
    found += parse(text)


def summary(allocations: list[Allocation], depth: int = 3) -> collections.Counter[tuple[str, ...]]:
    """How often each kind of allocation was made: (event, order or size, callers...)."""
    counter: collections.Counter[tuple[str, ...]] = collections.Counter()
    for one in allocations:
        counter[one.name, one.fields.get("order") or one.fields.get("bytes_req", ""), *one.callers(depth)] += 1
    return counter
