"""Row 20: rcutorture takes CPUs offline and online while others come and go."""

import random
import re
import time

import pytest

from cpuhp import paths, scenario
from cpuhp.vm import modules

pytestmark = pytest.mark.part("complete")

SECONDS = 15
SEED = 1
PARAMETERS = "onoff_interval=25 onoff_holdoff=0 stat_interval=5 fwd_progress=0"    # intervals in jiffies of 4 ms, and in s


def test_rcutorture(boot, linux):
    """
    CPU  0 1 | 2 3 4 5
         x x | x            rcutorture takes 0, 1 and 2, which was added, offline and online all the time
         x x | x x ~ ~      and does not know of those that are added later: 3 stays, 4 and 5 come and go at random
    """
    with boot(smp="cpus=2,maxcpus=6", files=modules(linux, "kernel/torture.ko", "kernel/rcu/rcutorture.ko")) as vm:
        scenario.add(vm, 2)
        scenario.online(vm, 2)
        vm.sh(f"insmod /lib/torture.ko && insmod /lib/rcutorture.ko {PARAMETERS}")
        time.sleep(1)               # by now it knows which CPUs are its own
        scenario.add(vm, 3)
        scenario.online(vm, 3)

        choose, plugged, ejects = random.Random(SEED), set(), 0
        deadline = time.monotonic() + paths.patient(SECONDS)
        while time.monotonic() < deadline:
            cpu = choose.choice((4, 5))
            if cpu in plugged:
                scenario.eject(vm, cpu)
                ejects += 1
            else:
                scenario.add(vm, cpu)
                scenario.online(vm, cpu)
            plugged ^= {cpu}
        vm.sh("rmmod rcutorture")

        log = vm.dmesg()
        end, = re.findall(r"--- End of test: \w+", log)
        assert end.endswith("SUCCESS"), log
        onlined, online_attempts, offlined, offline_attempts = map(int, re.findall(r"onoff: (\d+)/(\d+):(\d+)/(\d+)", log)[-1])
        assert onlined == online_attempts > 5
        assert offlined == offline_attempts > 5
        assert ejects > 2
        for cpu in plugged | {2, 3}:
            scenario.eject(vm, cpu)
        assert vm.masks()["online"] == {0, 1}
