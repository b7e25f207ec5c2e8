"""A guest that writes to the CPU-hotplug registers itself (docs/specs/acpi_cpu_hotplug.rst): QEMU survives it."""

import contextlib
import random
import time

import pytest

from cpuhp import paths, scenario
from cpuhp.vm import Refused

pytestmark = pytest.mark.once

WINDOW = 0x090C0000
SELECTOR, CONTROL, COMMAND, DATA = WINDOW, WINDOW + 4, WINDOW + 5, WINDOW + 8
EJECT = 1 << 3
FIRMWARE_EJECT = 1 << 4     # stays set until the eject, and the guest's firmware looks no further: its own doing

SEED = 1
GUESTS_OWN = r"^\[ *\d+\.\d+\]"      # a line of the guest's kernel, which may well complain of what it does to itself


def eject_by_register(cpu, on=0):
    """Shell: select a CPU and eject it, from CPU `on`."""
    return (f"taskset -c {on} devmem {SELECTOR} 32 {cpu} && taskset -c {on} devmem {CONTROL} 8 {EJECT}")


def cpus_of_qemu(vm):
    return {cpu["props"]["core-id"] for cpu in vm.qmp("query-cpus-fast")}


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_boot_cpu_and_absent_cpus(vm):
    """
    CPU  0 1 | 2 3
         x x |           eject written for 0, for the absent 2, for 4 and for 2^32-1, which are no slots: nothing happens
    """
    for cpu in (0, 2, 4, 0xFFFFFFFF):
        vm.sh(eject_by_register(cpu))
        assert cpus_of_qemu(vm) == {0, 1}
    scenario.add(vm, 2)
    scenario.online(vm, 2)
    scenario.works(vm, 0)
    scenario.works(vm, 2)


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_same_cpu_twice(vm):
    """
    CPU  0 1 | 2 3
         x x |           -> 2, offline; ejected by register twice in a row: gone once, and the slot can be used again
    """
    scenario.add(vm, 2)
    since = vm.mark()
    vm.sh(f"{eject_by_register(2)}; {eject_by_register(2)}")
    vm.wait_event("DEVICE_DELETED", since)
    assert cpus_of_qemu(vm) == {0, 1}
    vm.sh(eject_by_register(2))
    deleted = vm.events_since(since, "DEVICE_DELETED")
    assert [data["device"] for data in deleted if "device" in data] == ["core2"]
    scenario.comes_and_goes(vm, 2)


@pytest.mark.parametrize("victim, actor", [(2, 2), (2, 0), (1, 1), (1, 0)])
@pytest.mark.vm(smp="cpus=2,maxcpus=4", reboots=True)
def test_running_cpu(vm, victim, actor):
    """
    CPU  0 1 | 2 3
         x x |           -> 2; an online CPU ejects itself, or is ejected by another one, behind the kernel's back:
                         QEMU takes it away and lives on, and so does the guest after a reset
    """
    scenario.add(vm, 2)
    scenario.online(vm, 2)
    since = vm.mark()
    vm.sh(f"(sleep 0.5; {eject_by_register(victim, on=actor)}) > /dev/null 2>&1 &")
    vm.wait_event("DEVICE_DELETED", since)
    assert cpus_of_qemu(vm) == {0, 1, 2} - {victim}
    vm.qmp("system_reset")
    vm.wait_boot()
    assert len(vm.masks()["online"]) == 2
    since = vm.mark()
    vm.device_add(victim)
    vm.wait_event("ACPI_DEVICE_OST", since, match=lambda data: data["info"]["status"] == 0)
    assert len(vm.masks()["present"]) == 3


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_register_noise(vm):
    """
    CPU  0 1 | 2 3
         x x |           many values to many bytes of the window, selector at every slot: no harm, hotplug works after
    """
    script = f"""
        for cpu in 0 1 2 3 4; do
            devmem {SELECTOR} 32 $cpu
            for offset in 4 5 6 7 8 12 15; do
                for value in 1 2 3 4 6 16 96 255; do
                    [ $offset = 4 ] && [ $((value & {EJECT | FIRMWARE_EJECT})) != 0 ] && continue
                    devmem $(({WINDOW} + offset)) 8 $value
                done
            done
            devmem {COMMAND} 8 0; devmem {DATA} 32 >/dev/null; devmem {CONTROL} 8 > /dev/null
        done"""
    vm.sh(script, timeout=120)
    assert cpus_of_qemu(vm) == {0, 1}
    scenario.comes_and_goes(vm, 3)


def noise(seed):
    """Shell: random values to random registers, half of them to CONTROL, for as long as the guest can, from CPU 0."""
    return (f"(awk 'BEGIN {{ srand({seed}); while (1) {{"
            f' printf "devmem %d 32 %d\\n", {SELECTOR}, int(rand() * 7);'
            f' printf "devmem %d 8 %d\\n", {CONTROL} + int(rand() * 2) * int(rand() * 12), int(rand() * 256) }} }}\''
            " | taskset -c 0 sh) > /dev/null 2>&1 &")


@pytest.mark.vm(smp="cpus=2,maxcpus=6", reboots=True, expected=(GUESTS_OWN,))
def test_random_noise(vm):
    """
    CPU  0 1 | 2 3 4 5
         x ~ | ~ ~ ~ ~   the guest writes at random, ejects CPUs that it runs on, while others are added: QEMU lives on, and
                         after each reset the guest has what QEMU has
    """
    choose, since = random.Random(SEED), vm.mark()
    deadline = time.monotonic() + (60 if paths.SANITIZED else paths.patient(10))
    while time.monotonic() < deadline:
        vm.sh(noise(choose.randrange(1 << 16)))
        for _ in range(12):
            time.sleep(0.25)
            with contextlib.suppress(Refused):
                vm.device_add(choose.randrange(1, 6))
        vm.qmp("system_reset")
        vm.wait_boot()
        assert len(vm.masks()["online"]) == len(cpus_of_qemu(vm))
    assert vm.events_since(since, "DEVICE_DELETED")
