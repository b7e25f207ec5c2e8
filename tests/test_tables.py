"""A machine that does not ask for hotplug is the machine it was: what QEMU gives to firmware, and what it migrates."""

import pytest

from cpuhp import fwcfg, paths, stream, tables

pytestmark = pytest.mark.once

MACHINES = {
    "plain": ["-machine", "virt", "-smp", "4"],
    "one CPU": ["-machine", "virt,gic-version=3", "-smp", "1"],
    "gicv3, maxcpus equal": ["-machine", "virt,gic-version=3", "-smp", "cpus=4,maxcpus=4"],
    "gicv2": ["-machine", "virt,gic-version=2", "-smp", "8"],
    "gicv2, maxcpus above": ["-machine", "virt,gic-version=2", "-smp", "cpus=2,maxcpus=4"],
    "gicv3, no ITS": ["-machine", "virt,gic-version=3,its=off", "-smp", "4"],
    "virtualization": ["-machine", "virt,gic-version=3,virtualization=on", "-smp", "4"],
    "two regions of redistributors": ["-machine", "virt,gic-version=3", "-smp", "130"],
    "topology": ["-machine", "virt,gic-version=3", "-smp", "16,sockets=2,clusters=2,cores=2,threads=2"],
    "numa": ["-machine", "virt,gic-version=3", "-smp", "4",
             "-object", "memory-backend-ram,id=m0,size=150M", "-object", "memory-backend-ram,id=m1,size=150M",
             "-numa", "node,nodeid=0,cpus=0-1,memdev=m0", "-numa", "node,nodeid=1,cpus=2-3,memdev=m1"],
    "older machine": ["-machine", "virt-8.2,gic-version=3", "-smp", "4"],
    "max": ["-machine", "virt,gic-version=max", "-cpu", "max", "-smp", "4"],
}


def _line(name):
    line = MACHINES[name]
    return [*line, *([] if "-cpu" in line else ["-cpu", "cortex-a57"]), "-m", "300M"]


@pytest.mark.parametrize("name", MACHINES)
def test_acpi_blobs(name):
    """No guest: tables, loader script and RSDP are byte-identical to the unpatched build's."""
    ours, theirs = (fwcfg.read_all(paths.qemu(patched), *_line(name)) for patched in (True, False))
    assert ours.keys() == theirs.keys()
    ours_by_table, theirs_by_table = map(fwcfg.tables, (ours, theirs))
    assert ours_by_table.keys() == theirs_by_table.keys()
    assert [key for key, table in ours_by_table.items() if table != theirs_by_table[key]] == []
    assert [blob for blob in ours if ours[blob] != theirs[blob]] == []


def test_blobs_of_a_hotplug_machine_differ():
    """No guest: the comparison above can fail."""
    line = ["-machine", "virt,gic-version=3", "-cpu", "cortex-a57", "-smp", "cpus=2,maxcpus=4", "-m", "300M"]
    assert fwcfg.read_all(paths.qemu(True), *line) != fwcfg.read_all(paths.qemu(False), *line)


# FADT's version, MADT's revision, the length of a GICC: ACPI 6.5 has online-capable, 6.3 has not
VERSIONS = {"online-capable": ((6, 5), 6, 82), "hidden": ((6, 5), 6, 82), "disabled": ((6, 3), 4, 80)}


@pytest.mark.parametrize("dialect", VERSIONS)
def test_version_of_a_hotplug_machine(dialect):
    """No guest: tables are of the version that defines what they say."""
    line = ["-machine", f"virt,gic-version=3,x-acpi-cpu-dialect={dialect}", "-cpu", "cortex-a57",
            "-smp", "cpus=2,maxcpus=4", "-m", "300M"]
    found = fwcfg.tables(fwcfg.read_all(paths.qemu(True), *line))
    madt = found["APIC"]
    version, revision, length = VERSIONS[dialect]
    assert tables.fadt_version(found["FACP"]) == version
    assert madt[8] == revision
    assert [len(entry) for entry in tables.structures(madt) if entry[0] == tables.GICC] == [length] * 4


@pytest.mark.parametrize("name", ["plain", "gicv2", "gicv3, maxcpus equal", "gicv2, maxcpus above", "older machine"])
def test_migrated_devices(name, directory):
    """No guest: the device state of the machine at its start is that of the unpatched build."""
    line = _line(name)
    line[line.index("-machine") + 1] += ",dtb-randomness=off"
    ours, theirs = (stream.devices(paths.qemu(patched), directory / str(patched), *line) for patched in (True, False))
    assert ours == theirs
