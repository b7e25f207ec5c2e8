"""Row 32: CPUs come and go while the guest sleeps; it learns of it when it wakes up."""

import contextlib
import time

import pytest

from cpuhp import scenario
from cpuhp.vm import wait_until

pytestmark = [pytest.mark.closer, pytest.mark.part("complete")]

ASLEEP = "PM: suspend-to-idle"
UNNOTICED = 2.0         # s that an event waits for a guest that sleeps; one that is awake answers within a fraction


def sleep(vm):
    """The guest goes to sleep; the console is what wakes it."""
    slept = vm.console().count(ASLEEP)
    vm.sh("dmesg -n 8; echo enabled > /sys/class/tty/ttyAMA0/power/wakeup; echo 1 > /sys/power/pm_debug_messages;"
          " (sleep 0.2; echo freeze > /sys/power/state) > /dev/null 2>&1 &")
    wait_until("the guest to sleep", lambda: vm.console().count(ASLEEP) > slept)


def wake_up(vm):
    vm.type("\n")


def sleeps_so_far(vm):
    return int(vm.sh("cat /sys/power/suspend_stats/success"))


@contextlib.contextmanager
def asleep(vm, cpu):
    """What is asked of the guest while it sleeps is not answered before it is awake, which it is at the end; gives the mark."""
    before = sleeps_so_far(vm)
    sleep(vm)
    since = vm.mark()
    yield since
    time.sleep(UNNOTICED)
    assert not vm.osts(cpu, since)
    wake_up(vm)
    wait_until("the guest to be awake", lambda: sleeps_so_far(vm) == before + 1)


@pytest.mark.vm(smp="cpus=2,maxcpus=4", append="no_console_suspend")
def test_suspend_to_idle(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |       -> asleep: 3 added; awake: there, works -> asleep: 3 ejected; awake: gone -> added, works
    """
    with asleep(vm, 3) as since:
        vm.device_add(3)
    scenario.wait_present(vm, 3, since)
    scenario.online(vm, 3)
    scenario.works(vm, 3)

    with asleep(vm, 3) as since:
        scenario.request_eject(vm, 3)
    scenario.wait_gone(vm, 3, since)
    scenario.add_and_work(vm, 3)
