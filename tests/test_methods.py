"""Rows 5, 6 and 9: _STA, _MAT and _EJ0 of a CPU that do not do what they must."""

import re

import pytest

from cpuhp import button, paths, scenario, tables
from cpuhp.button import press
from cpuhp.scenario import BUS_CHECK, DEVICE_CHECK

SMP = "cpus=2,maxcpus=4"
CPU = 2
CHECK = (CPU, DEVICE_CHECK, 1)
SLOW = int(paths.patient(2))     # s

NAMES = """
Name (\\FSTA, 0xFF)     // what _STA says, if not this
Name (\\FEJ0, 0)        // _EJ0: 0 works, 1 does nothing, 2 fails, 3 is slow, 4 works and fails, 5 is very slow,
                        // 6 does nothing, and _STA fails after it
"""
STA = """
If (\\FSTA == 0xFE) { Divide (1, \\FSTA - 0xFE, Local0, Local1) }
If (\\FSTA != 0xFF) { Return (\\FSTA) }
"""
EJ0 = f"""
If (\\FEJ0 == 1) {{ Return (0) }}
If (\\FEJ0 == 2) {{ Divide (1, \\FEJ0 - 2, Local0, Local1) }}
If (\\FEJ0 == 6) {{ \\FSTA = 0xFE Return (0) }}
If (\\FEJ0 == 3) {{ {"Sleep (1000) " * SLOW}}}
If (\\FEJ0 == 5) {{ {"Sleep (1000) " * 10 * SLOW}}}
CEJ0 (0x02)
If (\\FEJ0 == 4) {{ Divide (1, \\FEJ0 - 4, Local0, Local1) }}
"""


def read_dsdt(dialect):
    """The machine's DSDT, without a guest."""
    return tables.of_machine(smp=SMP, machine=f"gic-version=3,x-acpi-cpu-dialect={dialect}")["DSDT"]


def replaced(text, old, new):
    assert text.count(old) == 1, f"the DSDT has changed: {old}"
    return text.replace(old, new)


def with_moods(dialect, *presses):
    """Spec.tables with methods of CPU 2 that do what the button has told them."""
    def edit(text):
        text = replaced(text, "Return (CSTA (0x02))", STA + "Return (CSTA (0x02))")
        text = replaced(text, "CEJ0 (0x02)\n", EJ0)
        return tables.with_more(button.edit(text, *presses), NAMES)
    return tables.initrd(tables.edit_asl(read_dsdt(dialect), edit))


@pytest.mark.part("hardening")
@pytest.mark.parametrize("sta", ["0x0D", "0x00"])
def test_gone_without_an_eject(boot, dialect, sta):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, online and busy; _STA says that it is gone: offline and let go; _STA is 0xF again: it works again
    """
    moods = with_moods(dialect, [f"\\FSTA = {sta}", CHECK], ["\\FSTA = 0xFF", CHECK])
    with boot(smp=SMP, dialect=dialect, tables=moods) as vm:
        booted = vm.masks()
        scenario.add(vm, CPU)
        scenario.online(vm, CPU)
        with scenario.busy(vm, CPU):
            press(vm)
            scenario.wait_until("CPU 2 to be let go", lambda: vm.masks() == booted)
            assert vm.cpu_directories() == {0, 1}
        since = vm.mark()
        press(vm)
        assert scenario.answer(vm, CPU, since) == scenario.OST_SUCCESS
        scenario.online(vm, CPU)
        scenario.works(vm, CPU)
        scenario.eject(vm, CPU)


@pytest.mark.part("hardening")
@pytest.mark.parametrize("mood", [1, 2])
def test_eject_that_does_not_eject(boot, dialect, mood):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, online; _EJ0 does nothing, or fails: _OST says so, 2 is back online; _EJ0 works: 2 is gone
    """
    with boot(smp=SMP, dialect=dialect, leaks=True,
              tables=with_moods(dialect, [f"\\FEJ0 = {mood}"], ["\\FEJ0 = 0"])) as vm:
        scenario.add(vm, CPU)
        scenario.online(vm, CPU)
        press(vm)
        for _ in range(2):
            assert scenario.refused_eject(vm, CPU) != scenario.OST_SUCCESS
            scenario.wait_until("CPU 2 to be back", lambda: CPU in vm.masks()["online"])
            scenario.works(vm, CPU)
        press(vm)
        scenario.eject(vm, CPU)
        scenario.add_and_work(vm, CPU)


@pytest.mark.part("hardening")
def test_eject_that_works_and_fails(boot, dialect):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, online; _EJ0 ejects it and fails after: _OST says so, but 2 is gone; the slot works again
    """
    with boot(smp=SMP, dialect=dialect, tables=with_moods(dialect, ["\\FEJ0 = 4"], ["\\FEJ0 = 0"])) as vm:
        booted = vm.masks()
        scenario.add(vm, CPU)
        scenario.online(vm, CPU)
        press(vm)
        since = scenario.request_eject(vm, CPU)
        assert scenario.answer(vm, CPU, since) != scenario.OST_SUCCESS
        vm.wait_event("DEVICE_DELETED", since)
        assert vm.masks() == booted
        assert vm.cpu_directories() == booted["present"]
        press(vm)
        scenario.comes_and_goes(vm, CPU)


@pytest.mark.part("hardening")
def test_eject_after_which_sta_fails(boot):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, online; whether _EJ0 has ejected it cannot be told: _OST says so, 2 stays and is offline;
                       _STA works again: 2 works, and is ejected
    """
    with boot(smp=SMP, tables=with_moods("online-capable", ["\\FEJ0 = 6"], ["\\FEJ0 = 0", "\\FSTA = 0xFF"])) as vm:
        scenario.add_and_work(vm, CPU)
        press(vm)
        assert scenario.refused_eject(vm, CPU) != scenario.OST_SUCCESS
        assert CPU in vm.masks()["present"] - vm.masks()["online"]
        vm.sh("sleep 1")
        assert CPU not in vm.masks()["online"]
        press(vm)
        scenario.online(vm, CPU)
        scenario.works(vm, CPU)
        scenario.eject(vm, CPU)
        scenario.add_and_work(vm, CPU)


@pytest.mark.part("complete")
def test_slow_eject(boot):
    """
    CPU  0 1 | 2 3
         x x |         -> 2; _EJ0 takes its time: the guest goes on meanwhile, and 2 is gone in the end
    """
    with boot(smp=SMP, tables=with_moods("online-capable", ["\\FEJ0 = 3"])) as vm:
        scenario.add(vm, CPU)
        scenario.online(vm, CPU)
        press(vm)
        since = scenario.request_eject(vm, CPU)
        scenario.works(vm, 1)
        assert not vm.events_since(since, "DEVICE_DELETED")
        scenario.wait_gone(vm, CPU, since)


@pytest.mark.parametrize("state", ["online", "offline"])
@pytest.mark.parametrize("mood", [1, 2])
@pytest.mark.part("hardening")
def test_refused_eject_changes_nothing(boot, mood, state):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, online or put offline; _EJ0 does nothing, or fails: 2 is in the state that it was in, has the same
                       directory with the same settings, and user space is told of no other CPU
    """
    directory = f"{scenario.CPU_SYSFS}/cpu{CPU}"

    def look():
        return vm.sh(f"stat -c %i {directory} {directory}/hotplug; cat {directory}/power/pm_qos_resume_latency_us"
                     f" {directory}/online")

    with boot(smp=SMP, tables=with_moods("online-capable", [f"\\FEJ0 = {mood}"], ["\\FEJ0 = 0"])) as vm:
        scenario.add_and_work(vm, CPU)
        if state == "offline":
            scenario.offline(vm, CPU)
        vm.sh(f"echo 123 > {directory}/power/pm_qos_resume_latency_us")
        before = look()
        press(vm)
        with scenario.cpu_uevents(vm) as uevents:
            assert scenario.refused_eject(vm, CPU) != scenario.OST_SUCCESS
            assert look() == before
        assert uevents == ([f"offline cpu{CPU}", f"online cpu{CPU}"] if state == "online" else [])
        press(vm)
        scenario.eject(vm, CPU)
        scenario.add_and_work(vm, CPU)


@pytest.mark.part("hardening")
def test_eject_of_a_cpu_without_its_device(boot):
    """
    CPU  0 1 | 2 3
         x x |         1 and 3 have the same _UID, so neither device is used, and 1 runs: its eject is refused; 2 works
    """
    def edit(text):
        head, rest = text.split("Device (C003)", 1)
        return head + "Device (C003)" + re.sub(r"Name \(_UID, 0x03\)", "Name (_UID, 1)", rest, count=1)

    with boot(smp=SMP, tables=tables.initrd(tables.edit_asl(read_dsdt("online-capable"), edit))) as vm:
        assert vm.run("ls -d /sys/devices/system/cpu/cpu1/firmware_node").status and vm.masks()["online"] == {0, 1}
        assert scenario.refused_eject(vm, 1, device=scenario.path_of(vm, 1)) == scenario.OST_BUSY
        assert scenario.said(vm, "CPU1: is online and cannot be ejected")
        scenario.works(vm, 1)
        scenario.comes_and_goes(vm, CPU)


def test_reboot_during_a_slow_eject(boot):
    """
    CPU  0 1 | 2 3
         x x |         -> 2; _EJ0 takes long, and the guest reboots meanwhile: it does not wait for _EJ0
    """
    with boot(smp=SMP, tables=with_moods("online-capable", ["\\FEJ0 = 5"]), reboots=True) as vm:
        scenario.add_and_work(vm, CPU)
        press(vm)
        since = scenario.request_eject(vm, CPU)
        scenario.wait_until("the eject to begin", lambda: vm.osts(CPU, since))
        scenario.wait_until("CPU 2 to be offline", lambda: CPU not in vm.masks()["online"])
        vm.sh("(sleep 0.2; reboot -f) > /dev/null 2>&1 &")
        vm.wait_event("RESET", since)
        assert not vm.events_since(since, "DEVICE_DELETED")
        vm.wait_boot()
        scenario.works(vm, 1)


@pytest.mark.part("complete")
def test_suspend_during_a_slow_eject(boot):
    """
    CPU  0 1 | 2 3
         x x |         -> 2; _EJ0 takes long, and the guest is to sleep meanwhile: it will not, and 2 is ejected
    """
    with boot(smp=SMP, tables=with_moods("online-capable", ["\\FEJ0 = 5"])) as vm:
        scenario.add_and_work(vm, CPU)
        press(vm)
        since = scenario.request_eject(vm, CPU)
        scenario.wait_until("CPU 2 to be offline", lambda: CPU not in vm.masks()["online"])
        assert vm.run("echo freeze > /sys/power/state").status != 0
        assert not vm.events_since(since, "DEVICE_DELETED")
        scenario.wait_gone(vm, CPU, since)
        scenario.works(vm, 1)


# What _MAT returns; what the log says
SHORT = {
    "2 bytes": "0x0B, 0x50",
    "the header's length is too small": "0x0B, 0x02" + ", 0" * 78,
    "longer than the buffer": "0x0B, 0x50" + ", 0" * 40,
    "another structure": "0x00, 0x08" + ", 0" * 78,
}


FOREIGN = "0x0B, 0x50, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 1" + ", 0" * 55 + ", 3" + ", 0" * 11      # CPU 3's


def with_mat(contents, cpu=CPU, also=lambda text: text):
    device = f"Device (C{cpu:03X})"

    def edit(text):
        head, rest = text.split(device, 1)
        rest, count = re.subn(r"Name \(_MAT, Buffer \(0x50\).*?\}\)", lambda _: f"Name (_MAT, Buffer () {{ {contents} }})",
                              rest, count=1, flags=re.S)
        assert count == 1, "the DSDT has changed: no _MAT"
        return also(head + device + rest)
    return tables.initrd(tables.edit_asl(read_dsdt("disabled"), edit))


@pytest.mark.parametrize("name", SHORT)
def test_mat_that_is_no_gicc(boot, name):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, whose _MAT is no GICC: that is said, and the MADT counts
    """
    with boot(smp=SMP, dialect="disabled", tables=with_mat(SHORT[name]), leaks=True) as vm:
        scenario.add(vm, CPU)
        assert scenario.said(vm, r"_MAT of UID 2 is not a GICC, ignored")
        scenario.online(vm, CPU)
        scenario.works(vm, CPU)
        scenario.eject(vm, CPU)


def test_mat_of_another_cpu(boot):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, whose _MAT is that of 3: refused, and named; 3 works
    """
    with boot(smp=SMP, dialect="disabled", tables=with_mat(FOREIGN)) as vm:
        scenario.refused_add(vm, CPU, r"_MAT does not match UID 2, MPIDR 0x2 of the MADT, CPU refused")
        scenario.add_and_work(vm, 3)


@pytest.mark.part("hardening")
def test_bus_check_of_a_refused_cpu(boot):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, whose _MAT is that of 3: refused; a bus check of what is above the CPUs is refused for it, and
                       succeeds when 2 is gone; _OST of the container is heard as that of 3
    """
    def edit(text):
        text, count = re.subn(r"(Device \(\\_SB\.CPUS\)\s*{)", r"\1 Method (_OST, 3) { COST (3, Arg0, Arg1, Arg2) }", text)
        assert count == 1, "the DSDT has changed: no container"
        return button.edit(text, *[[(button.CONTAINER, BUS_CHECK, 1)]] * 2)

    with boot(smp=SMP, dialect="disabled", tables=with_mat(FOREIGN, also=edit)) as vm:
        scenario.refused_add(vm, CPU, r"_MAT does not match UID 2, MPIDR 0x2 of the MADT, CPU refused")
        since = vm.mark()
        press(vm)
        assert scenario.answer(vm, 3, since) != scenario.OST_SUCCESS
        scenario.eject(vm, CPU)
        since = vm.mark()
        press(vm)
        assert scenario.answer(vm, 3, since) == scenario.OST_SUCCESS
        scenario.add_and_work(vm, 3)


@pytest.mark.part("hardening")
def test_container_that_is_gone(boot):
    """
    CPU  0 1 | 2 3
         x x |         -> 2, online; _STA of what is above the CPUs says that it is gone, but 0 cannot go, and their own _STA says
                       that they are there: nothing changes, also when it is there again
    """
    def edit(text):
        text, count = re.subn(r"(Device \(\\_SB\.CPUS\)\s*{)", r"\1 Method (_STA) { If (\\GONE) { Return (0) } Return (0x0F) }", text)
        assert count == 1, "the DSDT has changed: no container"
        check = (button.CONTAINER, BUS_CHECK, 1)
        return tables.with_more(button.edit(text, ["\\GONE = 1", check], ["\\GONE = 0", check]), "Name (\\GONE, 0)")

    with boot(smp=SMP, tables=tables.initrd(tables.edit_asl(read_dsdt("online-capable"), edit))) as vm:
        scenario.add_and_work(vm, CPU)
        for _ in range(2):
            press(vm)
            vm.gate()
            assert vm.masks()["present"] == vm.masks()["online"] == {0, 1, CPU}
            scenario.works(vm, CPU)


def test_mat_of_another_cpu_at_boot(boot):
    """
    CPU  0 1 | 2 3
         x x |         1's _MAT is that of 3: said; it runs all the same -> 1 is ejected, offline first
    """
    with boot(smp=SMP, dialect="disabled", tables=with_mat(FOREIGN, 1)) as vm:
        assert scenario.said(vm, r"_MAT does not match UID 1, MPIDR 0x1 of the MADT, ignored")
        scenario.works(vm, 1)
        scenario.eject_cold_plugged(vm, 1)
        assert scenario.said(vm, r"psci: CPU1 killed")
        scenario.add_and_work(vm, CPU)
