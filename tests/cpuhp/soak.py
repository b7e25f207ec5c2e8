"""Many adds and ejects in one VM, and what they leave behind.  The check runs a few, tools/soak a thousand."""

import contextlib
import dataclasses
import pathlib
import random
from typing import Callable, Iterator

from . import scenario
from .vm import VM

FLAT = 0.02
WINDOW = 100

# Bounded translation buffer, and guest RAM in a file: QEMU's resident size is then its own doing.
SPEC = {
    "smp": "cpus=2,maxcpus=8",
    "machine": "gic-version=3,memory-backend=ram",
    "leaks": True,
    "args": ("-accel", "tcg,thread=multi,tb-size=64",
             "-object", "memory-backend-memfd,id=ram,size=300M,prealloc=on"),
}
HOT_CPUS = tuple(range(2, 8))


@dataclasses.dataclass(frozen=True)
class Sample:
    """Taken between two rounds, with every hot-added CPU ejected."""

    cycle: int
    qemu_rss_kb: int
    qemu_threads: int
    qemu_files: int
    guest_slab_kb: int
    guest_processes: int


QUANTITIES = tuple(field.name for field in dataclasses.fields(Sample) if field.name != "cycle")


def sample(vm: VM, cycle: int) -> Sample:
    process = pathlib.Path("/proc") / str(vm.pid)
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    # Workers come and go with the load, and are nobody's leak.
    slab, processes = vm.sh("awk '/^Slab:/ { print $2 }' /proc/meminfo; ps -o comm | grep -vc ^kworker").split()
    return Sample(cycle, int(status["VmRSS"].split()[0]), int(status["Threads"]), len(list((process / "fd").iterdir())),
                  int(slab), int(processes))


@contextlib.contextmanager
def load(vm: VM) -> Iterator[None]:
    """A guest that computes, moves data and switches between tasks all the time."""
    with scenario.busy(vm):
        pids = vm.sh("cat /dev/zero 2>/dev/null | md5sum >/dev/null 2>&1 & jobs -p; echo $!")
        yield
        vm.run(f"kill -9 {' '.join(pids.split())}")


def one_round(cpus: list[int], rng: random.Random) -> list[tuple[str, int]]:
    """Each of the CPUs once added and once ejected, everything in random order."""
    steps = []
    for cpu in cpus:
        first, second = sorted((rng.random(), rng.random()))
        steps += [(first, "add", cpu), (second, "eject", cpu)]
    return [(what, cpu) for _, what, cpu in sorted(steps)]


def run(vm: VM, cycles: int, seed: int, progress: Callable[[Sample, int], None] = lambda *_: None,
        loaded: bool = True) -> list[Sample]:
    """Do that many cycles; raises at the first that fails.  Returns one sample for each round."""
    rng = random.Random(seed)
    samples = []
    done = 0
    with load(vm) if loaded else contextlib.nullcontext():
        while done < cycles:
            chosen = rng.sample(HOT_CPUS, min(len(HOT_CPUS), cycles - done))
            for what, cpu in one_round(chosen, rng):
                if what == "add":
                    scenario.add(vm, cpu)
                    scenario.online(vm, cpu)
                    scenario.computes(vm, cpu)
                else:
                    scenario.eject(vm, cpu)
            done += len(chosen)
            samples.append(sample(vm, done))
            progress(samples[-1], cycles)
    return samples


@dataclasses.dataclass(frozen=True)
class Drift:
    """A quantity at the start and at the end of a run: means over a window of cycles."""

    quantity: str
    first: float
    last: float

    @property
    def change(self) -> float:
        return self.last / self.first - 1

    @property
    def flat(self) -> bool:
        return abs(self.change) <= FLAT


def drifts(samples: list[Sample], window: int = WINDOW) -> list[Drift]:
    """First against last cycles, for each quantity."""
    first = [one for one in samples if one.cycle < samples[0].cycle + window]
    last = [one for one in samples if one.cycle > samples[-1].cycle - window]

    def mean(some: list[Sample], quantity: str) -> float:
        return sum(getattr(one, quantity) for one in some) / len(some)

    return [Drift(quantity, mean(first, quantity), mean(last, quantity)) for quantity in QUANTITIES]


def table(found: list[Drift], window: int = WINDOW) -> str:
    """The drifts as text, a line each."""
    lines = [f"{'quantity':<18}{f'first {window}':>14}{f'last {window}':>14}{'change':>10}"]
    lines += [f"{one.quantity:<18}{one.first:>14.1f}{one.last:>14.1f}{one.change:>+10.2%}"
              f"{'' if one.flat else '   NOT FLAT'}" for one in found]
    return "\n".join(lines)
