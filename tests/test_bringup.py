"""Rows 11 and 19: a CPU that fails on its way up or down, and who races with an eject."""

import re
import struct
import time

import pytest

from cpuhp import paths, scenario

pytestmark = pytest.mark.closer

SMP = "cpus=2,maxcpus=4"
CPU = 2
DIRECTORY = f"{scenario.CPU_SYSFS}/cpu{CPU}"
NOP, BTI_C = (struct.pack("<I", code) for code in (0xd503201f, 0xd503245f))
RACES = 8
LONG = 120         # s of races, where lockdep looks on
DEVICE = "0000:00:1f.0"
ONLINES = 10
# Each time a PCI driver is probed again and again, for less time than the kernel tries for
ONLINES_DURING_PROBES = f"""
cd {DIRECTORY}
for n in $(seq {ONLINES}); do
    (cd /sys/bus/pci/drivers/virtio-pci; while :; do for what in unbind bind; do echo {DEVICE} > $what; done; done) 2> /dev/null &
    probes=$!
    sleep 0.05
    (sleep 0.2; kill -9 $probes) &
    echo 1 > online || exit
    wait
    echo 0 > online || exit
done
"""

# For each state that may fail: how an attempt to go there ended, on the way up and then on the way down
EACH_STATE = f"""
cd {DIRECTORY}
each() {{
    for state in $(sed -n 's/^ *\\([0-9]*\\): .*/\\1/p' ../hotplug/states); do
        echo $state > hotplug/fail 2> /dev/null || continue
        echo $1 > online 2> /dev/null && how=passed || how=refused
        echo -1 > hotplug/fail
        case $how,$(cat online) in
        passed,$1) echo $2 > online && echo $1 $state $how || echo $1 $state stuck ;;
        refused,$2) echo $1 $state $how ;;
        *) echo $1 $state half-way ;;
        esac
    done
}}
each 1 0
echo 1 > online
each 0 1
"""


@pytest.mark.vm(smp=SMP, leaks=True)
@pytest.mark.part("complete")
def test_each_state_fails(vm):
    """
    CPU  0 1 | 2 3
         x x |         -> 2; each state of its way up, and of its way down, fails: it is back where it was, and works;
                       an eject that meets such a failure tries once more
    """
    scenario.add(vm, CPU)
    results = [line.split() for line in vm.sh(EACH_STATE, timeout=240).splitlines()]
    assert not [line for line in results if line[2] not in ("refused", "passed")], results
    up, down = ([state for way, state, how in results if (way, how) == (direction, "refused")] for direction in "10")
    assert len(up) >= 20 and len(down) >= 5, results
    scenario.works(vm, CPU)

    vm.sh(f"echo {down[-1]} > {DIRECTORY}/hotplug/fail")
    scenario.eject(vm, CPU)
    scenario.add_and_work(vm, CPU)


def returns_enodev(image, symbol):
    """The bytes of a kernel in which a function does nothing but return -ENODEV."""
    addresses = dict(line.split()[::2][::-1] for line in image.with_name("System.map").read_text().splitlines())
    offset = int(addresses[symbol], 16) - int(addresses["_text"], 16)
    code = bytearray(image.read_bytes())
    while code[offset:offset + 4] in (NOP, BTI_C):      # ftrace and branch targets
        offset += 4
    code[offset:offset + 8] = struct.pack("<2I", 0x12800240, 0xd65f03c0)       # mov w0, #-19; ret
    return bytes(code)


def test_cpu_that_boot_cannot_prepare(boot, linux, directory):
    """
    CPU  0 1 | 2 3
         x ? | ? ?     cpu_prepare() of all but the boot CPU fails at boot: none is present then, and none is added later
    """
    image = directory / "Image"
    image.write_bytes(returns_enodev(paths.image(linux), "cpu_psci_cpu_prepare"))
    with boot(smp=SMP, args=("-kernel", str(image))) as vm:
        assert vm.masks()["possible"] == {0, 1, 2, 3}
        assert vm.masks()["present"] == vm.masks()["online"] == vm.cpu_directories() == {0}
        scenario.refused_add(vm, CPU, rf"CPU{CPU}: cannot be used, as it could not be prepared at boot")
    image.unlink()


def does_not_come_up(vm):
    """EIO, and the CPU stays present."""
    masks = vm.masks()
    result = vm.run(f"echo 1 > {DIRECTORY}/online")
    assert result.status != 0 and "Input/output error" in result.output
    assert vm.masks() == masks
    assert vm.cpu_directories() == masks["present"]


@pytest.mark.part("hardening")
@pytest.mark.vm(smp=SMP, leaks=True)
def test_success_and_nothing_runs(vm):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, whose CPU_ON says success while nothing runs: EIO, named; once it does run: works
    """
    scenario.add(vm, CPU, **{"x-psci-lose-on": True})
    does_not_come_up(vm)
    assert re.search(r"CPU2: failed to come online", vm.dmesg())
    vm.qmp("qom-set", path=f"/machine/peripheral/core{CPU}", property="x-psci-lose-on", value=False)
    scenario.online(vm, CPU)
    scenario.works(vm, CPU)
    scenario.eject(vm, CPU)


@pytest.mark.vm(smp=SMP, leaks=True)
def test_lacks_a_feature(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |         -> 2 without CRC32, which the others have: EIO, named, twice; ejected; a good one: works
    """
    scenario.add(vm, CPU, **{"x-no-crc32": True})
    for attempt in (1, 2):
        does_not_come_up(vm)
        assert len(re.findall(r"CPU2: Detected conflict for capability .*CRC32", vm.dmesg())) == attempt
    scenario.eject(vm, CPU)
    scenario.add_and_work(vm, CPU)


# What the kernel says when firmware does not report the CPU as off
NOT_OFF = r"CPU2: firmware does not report it as off"


def firmware_reports_on(vm, value):
    """From now on PSCI reports CPU 2 as on although it is off, or no longer does so."""
    vm.qmp("qom-set", path=f"/machine/peripheral/core{CPU}", property="x-psci-stay-on", value=value)


@pytest.mark.part("hardening")
@pytest.mark.vm(smp=SMP, leaks=True)
def test_eject_of_a_cpu_that_may_still_run(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, online; firmware never reports it as off: the eject is refused with busy, twice, before _EJ0; cannot
                       be brought online; once firmware reports it as off: online again, works, ejected
    """
    scenario.add(vm, CPU)
    scenario.online(vm, CPU)
    firmware_reports_on(vm, True)
    for attempt in (1, 2):
        assert scenario.refused_eject(vm, CPU) == scenario.OST_BUSY
        assert len(scenario.said(vm, NOT_OFF)) == attempt
    assert scenario.said(vm, "CPU2 may not have shut down cleanly")
    assert CPU not in vm.masks()["online"]
    assert CPU in vm.cpu_directories()
    assert vm.run(f"echo 1 > {DIRECTORY}/online").status != 0
    firmware_reports_on(vm, False)
    scenario.online(vm, CPU)
    scenario.works(vm, CPU)
    scenario.eject(vm, CPU)
    scenario.add_and_work(vm, CPU)


@pytest.mark.part("hardening")
@pytest.mark.vm(smp=SMP, leaks=True)
def test_eject_of_a_cpu_that_was_slow_to_power_off(vm):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, which cannot start, then online, offline; firmware reports it as off only after the kernel has
                       stopped waiting: it is asked again at the eject, and 2 goes
    """
    scenario.add(vm, CPU, **{"x-psci-stay-on": True})
    assert vm.run(f"echo 1 > {DIRECTORY}/online").status != 0
    firmware_reports_on(vm, False)
    scenario.online(vm, CPU)
    firmware_reports_on(vm, True)
    scenario.offline(vm, CPU)
    assert scenario.said(vm, "CPU2 may not have shut down cleanly")
    firmware_reports_on(vm, False)
    scenario.eject(vm, CPU)
    assert not scenario.said(vm, NOT_OFF)
    scenario.add_and_work(vm, CPU)


@pytest.mark.part("hardening")
@pytest.mark.vm(smp=SMP)
def test_eject_of_a_cpu_that_did_not_come(vm):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, slow to power off, then started and hangs: only an eject helps, so it is not asked whether 2 is off
    """
    scenario.add(vm, CPU)
    scenario.online(vm, CPU)
    firmware_reports_on(vm, True)
    scenario.offline(vm, CPU)
    firmware_reports_on(vm, False)
    vm.qmp("qom-set", path=f"/machine/peripheral/core{CPU}", property="x-psci-lose-on", value=True)
    does_not_come_up(vm)
    firmware_reports_on(vm, True)
    scenario.eject(vm, CPU)
    scenario.add_and_work(vm, CPU)


@pytest.mark.part("complete")
@pytest.mark.vm(smp=SMP, leaks=True)
def test_toggles_race_with_an_eject(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |         -> 2 -> ejected, again and again, while others switch it on and off all the time
    """
    toggle = f"while :; do for way in 1 0; do echo $way > {DIRECTORY}/online; cat {DIRECTORY}/topology/*; done; done"
    pids = [vm.sh(f"sh -c '{toggle}' > /dev/null 2>&1 & echo $!") for _ in range(2)]
    long = paths.DEBUG == "lockdep" and dialect == "online-capable"
    deadline, races = time.monotonic() + (LONG if long else 0), 0
    while races < RACES or time.monotonic() < deadline:
        scenario.add(vm, CPU)
        vm.sh("sleep 0.3")
        scenario.eject(vm, CPU)
        races += 1
    vm.sh(f"kill -9 {' '.join(pids)}")
    scenario.add_and_work(vm, CPU)


@pytest.mark.part("complete")
@pytest.mark.vm(smp=SMP, args=("-device", "virtio-rng-pci,addr=0x1f"))
def test_online_while_drivers_are_probed(vm):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, online again and again, each time while a PCI driver is probed, for which the PCI core disables
                       CPU hotplug: none is refused, as the kernel tries for 620 ms
    """
    scenario.add(vm, CPU)
    vm.sh(ONLINES_DURING_PROBES, timeout=120)
    scenario.online(vm, CPU)
    scenario.works(vm, CPU)
    scenario.eject(vm, CPU)
