"""Hotplug by tables alone, under the unpatched QEMU: the guest needs nothing that only our host has.

QEMU gives all four CPUs; the tables in the initrd say that two are absent.  The power button plugs CPU 3, or asks for its
eject.  Under AML's hands `_STA` changes, and PSCI does the rest.
"""

import re

import pytest

from cpuhp import scenario, tables
from cpuhp.vm import VM, Spec

MACHINE = {"smp": "4", "qemu_patched": False}
ABSENT = {"online-capable": (tables.ONLINE_CAPABLE, 0x0D), "hidden": (tables.ONLINE_CAPABLE, 0), "disabled": (0, 0)}


@pytest.fixture(scope="module")
def firmware(request, tmp_path_factory):
    """Tables of the machine, read from a guest."""
    spec = Spec(linux=request.config.getoption("--linux"), **MACHINE)
    with VM(spec, tmp_path_factory.mktemp("firmware")) as vm:
        return {name: tables.read(vm, name) for name in ("APIC", "DSDT")}


def with_two_absent(firmware, dialect):
    """An initrd's tables for CPUs 2 and 3 absent in that dialect, and a button for CPU 3."""
    flags, sta = ABSENT[dialect]

    def edit(text):
        for cpu in (2, 3):
            text, count = re.subn(rf"Device \(C00{cpu}\)\s*{{", f"""
                Name (ST0{cpu}, 0x{sta:02X})
                Device (C00{cpu}) {{
                    Method (_STA, 0) {{ Return (ST0{cpu}) }}
                    Method (_EJ0, 1) {{ ST0{cpu} = 0x{sta:02X} }}""", text)
            assert count == 1
        button = f"If (\\_SB.ST03 == 0x{sta:02X}) {{ \\_SB.ST03 = 0x0F\nNotify (\\_SB.C003, 1) }}" \
                 "\nElse { Notify (\\_SB.C003, 3) }"
        text, count = re.subn(r"Notify \(PWRB, 0x80\).*", lambda _: button, text)
        assert count == 1
        return text

    return tables.initrd(tables.with_gicc_flags(firmware["APIC"], {2: flags, 3: flags}),
                         tables.edit_asl(firmware["DSDT"], edit))


def test_three_dialects(boot, firmware, dialect):
    """
    CPU  0 1 | 2 3
         x x |           -> 3 -> ejected, three times over
    """
    with boot(**MACHINE, tables=with_two_absent(firmware, dialect)) as vm:
        booted = vm.masks()
        assert booted["possible"] == {0, 1, 2, 3}
        assert booted["present"] == booted["online"] == {0, 1}
        for _ in range(3):
            vm.qmp("system_powerdown")
            scenario.wait_until("CPU 3 to come", lambda: vm.masks()["present"] == {0, 1, 3})
            scenario.online(vm, 3)
            scenario.works(vm, 3)
            vm.qmp("system_powerdown")
            scenario.wait_until("CPU 3 to go", lambda: vm.masks() == booted)
