"""Row 4: many cycles in one VM.  The thousand of the acceptance is tools/soak, with the same code."""

import pytest

from cpuhp import paths, soak

CYCLES = 200 if paths.SANITIZED else 50
SEED = 1


@pytest.mark.vm(**soak.SPEC)
def test_cycles(vm, dialect):
    """
    CPU  0 1 | 2 3 4 5 6 7
         x x | ~ ~ ~ ~ ~ ~       many cycles in random order, in one dialect under load; nothing that can be counted piles up
    """
    samples = soak.run(vm, CYCLES, SEED, loaded=dialect == "online-capable")
    assert samples[-1].cycle == CYCLES
    assert vm.masks()["present"] == {0, 1}
    found = soak.drifts(samples[2:], CYCLES // 3)       # the first rounds fill caches
    countable = {"qemu_threads", "qemu_files", "guest_processes"}
    assert [drift for drift in found if drift.quantity in countable and not drift.flat] == [], soak.table(found, CYCLES // 3)


@pytest.mark.once
def test_flatness_is_judged():
    """No VM: a quantity that grows by 3 % over the run is found."""
    samples = [soak.Sample(cycle, 1000 * 1000 + 30 * cycle, 10, 20, 3000, 40) for cycle in range(6, 1001, 6)]
    assert [drift.quantity for drift in soak.drifts(samples) if not drift.flat] == ["qemu_rss_kb"]
