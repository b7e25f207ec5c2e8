"""Rows 16 and 17: adds and ejects at awkward times."""

import re
import time

import pytest

from cpuhp import scenario, tables
from cpuhp.cpio import Archive
from cpuhp.vm import wait_until


@pytest.mark.part("complete")      # an event between the scan of the namespace and the probe of GED
@pytest.mark.parametrize("delay", [0.3, 1, 1.7])
def test_add_during_boot(boot, dialect, delay):
    """
    CPU  0 1 | 2 3
         x x |           2 is added while firmware or kernel boots: registered once, not lost
    """
    with boot(smp="cpus=2,maxcpus=4", dialect=dialect, paused=True) as vm:
        vm.qmp("cont")
        time.sleep(delay)
        vm.device_add(2)
        vm.wait_boot()
        wait_until("CPU 2 to be present", lambda: vm.masks()["present"] == {0, 1, 2})
        assert vm.cpu_directories() == {0, 1, 2}
        vm.run(f"echo 1 > {scenario.CPU_SYSFS}/cpu2/online")
        scenario.works(vm, 2)
        scenario.eject(vm, 2)
        scenario.add(vm, 2)


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_add_and_eject_while_paused(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |           paused: 3 added; running: there within 5 s; paused: ejected; running: gone within 5 s
    """
    vm.qmp("stop")
    since = vm.mark()
    vm.device_add(3)
    assert any(cpu["props"].get("core-id") == 3 and cpu["thread-id"] for cpu in vm.qmp("query-cpus-fast"))
    vm.qmp("cont")
    scenario.wait_present(vm, 3, since, timeout=5)
    scenario.online(vm, 3)
    scenario.works(vm, 3)

    vm.qmp("stop")
    since = scenario.request_eject(vm, 3)
    vm.qmp("cont")
    vm.wait_event("DEVICE_DELETED", since, timeout=5)
    scenario.wait_gone(vm, 3, since)


@pytest.mark.vm(smp="cpus=2,maxcpus=4", paused=True)
def test_add_before_start(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |           2 is added to a machine that has not run yet, as libvirt does: three CPUs after boot
    """
    vm.device_add(2)
    vm.qmp("cont")
    vm.wait_boot()
    wait_until("CPU 2 to be present", lambda: vm.masks()["present"] == {0, 1, 2})
    vm.run(f"echo 1 > {scenario.CPU_SYSFS}/cpu2/online")
    scenario.works(vm, 2)
    scenario.eject(vm, 2)


LATE = """
DefinitionBlock ("", "SSDT", 2, "CPUHP", "LATECPU", 1) {
    Scope (\\_SB) {
        Device (CX02) {
            Name (_HID, "ACPI0007")
            Name (_UID, 2)
            Method (_STA) { Return (0x0F) }
            Method (_SUN)
            {
                Local0 = 5
                While (Local0) { Sleep (2000) Local0-- }    // ACPICA ends one Sleep() after two seconds
                Return (2)
            }
        }
    }
}
"""


def no_processor(text):
    """CPU 2's device in the DSDT is not a processor."""
    text, count = re.subn(r'(Device \(C002\)\s*{\s*Name \(_HID, )"ACPI0007"', r'\1"TEST0002"', text)
    assert count == 1, "the DSDT has changed: another device of CPU 2"
    return text


@pytest.mark.of_debug("lockdep")    # ConfigFS for ACPI tables is in that kernel alone
@pytest.mark.closer
@pytest.mark.part("complete")
def test_online_before_its_device_is_set_up(boot):
    """
    CPU  0 1 2 | 3
         x x           the device of 2 is in an SSDT that is loaded late; 2 is brought online while its _SUN is evaluated
    """
    smp, machine = "cpus=3,maxcpus=4", "gic-version=3,x-madt-boot-cpu-only=on"
    dsdt = tables.of_machine(smp=smp, machine=machine)["DSDT"]
    late = Archive()
    late.file("late.aml", tables.compile_asl(LATE))
    with boot(smp=smp, machine=machine, tables=tables.initrd(tables.edit_asl(dsdt, no_processor)), files=late.pack()) as vm:
        assert vm.masks()["online"] == {0, 1}
        vm.sh("mount -t configfs configfs /sys/kernel/config; mkdir /sys/kernel/config/acpi/table/late;"
              " cat /late.aml > /sys/kernel/config/acpi/table/late/aml")
        wait_until("CPU 2 to be registered", lambda: 2 in vm.cpu_directories())
        scenario.online(vm, 2)
        firmware_node = f"{scenario.CPU_SYSFS}/cpu2/firmware_node"
        assert vm.run(f"[ -e {firmware_node} ]").status, "_SUN did not wait: the device was set up before the online"
        wait_until("CPU 2's device to be set up", lambda: not vm.run(f"[ -e {firmware_node} ]").status, timeout=60)
        scenario.works(vm, 2)
        assert "processor" in vm.sh(f"readlink {scenario.CPU_SYSFS}/cpu2/driver")
