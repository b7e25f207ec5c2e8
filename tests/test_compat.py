"""Row 36: the new kernel where nothing is hot-pluggable is the kernel it was; old and new go together."""

import pytest

from cpuhp import button, scenario, tables
from cpuhp.look import messages, processes
from cpuhp.numa import two_nodes

# Words of a machine without hotplug, and of one that an old QEMU ignores maxcpus= on
MACHINES = {
    "acpi": {"smp": "4"},
    "acpi, maxcpus=2": {"smp": "4", "append": "maxcpus=2"},
    "acpi, nr_cpus=2": {"smp": "4", "append": "nr_cpus=2"},
    "acpi, nosmp": {"smp": "4", "append": "nosmp", "directories": False},
    "device tree": {"smp": "4", "acpi": False},
    "device tree, no firmware": {"smp": "4", "acpi": False, "firmware": False},
    "gicv2": {"smp": "4", "machine": "gic-version=2"},
    "a CPU that boot gives up": {"smp": "cpus=1,maxcpus=2", "directories": False,
                                 "args": ("-device", "cortex-a57-arm-cpu,id=core1,core-id=1,x-no-crc32=on")},
    "old QEMU with maxcpus": {"smp": "cpus=2,maxcpus=4", "qemu_patched": False},
}


def sysfs(vm):
    """Every file and link below /sys/devices/system/cpu, except for those that are ours."""
    listed = vm.sh("cd /sys/devices/system/cpu; find . -exec stat -c %N {} +", timeout=180)
    return sorted(set(listed.splitlines()) - {"./enabled", "./auto_online"})


def look(vm):
    masks = vm.masks()
    return {
        "masks": {name: masks[name] for name in ("possible", "present", "online", "offline")},
        "sysfs": sysfs(vm),
        "processes": processes(vm),
        "log": messages(vm),
    }


@pytest.mark.parametrize("name", MACHINES)
def test_no_hotplug_no_difference(boot, name):
    """Patched against unpatched kernel on the same machine: masks, sysfs tree, processes and log are the same."""
    no_difference(boot, MACHINES[name])


def test_no_hotplug_no_difference_with_two_nodes(boot):
    """The same with memory and CPUs on two nodes."""
    no_difference(boot, two_nodes("4,sockets=2,clusters=1,cores=2,threads=1", "0-1", "2-3"))


def no_difference(boot, words):
    with boot(**words, kernel="base") as vm:
        before = look(vm)
    with boot(**words) as vm:
        after = look(vm)
    assert after["masks"] == before["masks"]
    assert after["sysfs"] == before["sysfs"]
    assert after["processes"] == before["processes"]
    assert after["log"] - before["log"] == set()
    assert before["log"] - after["log"] == set()


@pytest.mark.check_all
@pytest.mark.part("optional")
@pytest.mark.last
def test_option_off(boot):
    """Patched, without CONFIG_ACPI_HOTPLUG_CPU, against unpatched: no CPU is lost, and no difference.

    The unpatched 6.12 cannot do without it: it tries absent CPUs, which the patched one does not know then, and says so.
    """
    words = {"smp": "cpus=2,maxcpus=4"}
    with boot(**words, kernel="base") as vm:
        before = look(vm)
        first_version = "enabled" in vm.masks()
    with boot(**words, kernel="off") as vm:
        after = look(vm)
        assert len(scenario.said(vm, "CPU hotplug needs CONFIG_ACPI_HOTPLUG_CPU, 2 hot-pluggable CPUs ignored")) == 1
        after["log"] = {line for line in after["log"] if "CONFIG_ACPI_HOTPLUG_CPU" not in line}
    if first_version:
        assert after["masks"]["online"] == before["masks"]["online"] == {0, 1}
        assert set(after["processes"]) < set(before["processes"])
    else:
        assert after == before


@pytest.mark.vm(smp="cpus=2,maxcpus=4", kernel="base")
def test_old_kernel_on_new_qemu(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |           the unpatched kernel loses no CPU to the new firmware, and never fails to reach its shell
    """
    assert vm.masks()["online"] == {0, 1}


@pytest.mark.vm(smp="cpus=2,maxcpus=4", kernel="base")
def test_the_unpatched_kernel_fails(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |           the scenario of the hotplug tests, on the kernel that cannot: it fails at the add, or before
    """
    if vm.masks()["present"] == {0, 1}:
        with pytest.raises(scenario.StepFailed) as failure:
            scenario.add(vm, 2, timeout=10)
        assert failure.value.step == "add"
    else:       # mainline's first version, which has absent CPUs present
        assert vm.masks()["present"] == {0, 1, 2, 3}
    assert vm.masks()["online"] == {0, 1}


def test_the_unpatched_kernel_fails_the_masks(boot):
    """
    CPU  0 1 2 3 | 4 5
         x x . . |           as the design's boot line: on the unpatched kernel the absent ones are not even possible, or
                             they are present
    """
    with boot(smp="cpus=4,maxcpus=6", append="maxcpus=2", kernel="base") as vm:
        masks = vm.masks()
        if "enabled" in masks:
            assert masks["present"] == {0, 1, 2, 3, 4, 5}
        else:
            assert masks["possible"] == {0, 1, 2, 3}


@pytest.mark.part("hardening")
def test_memory_that_is_gone(boot):
    """A DIMM in use says that it is not there, and what is above it is checked: what the unpatched kernel does about it."""
    words = {"smp": "2", "memory": "300M,slots=2,maxmem=1G",
             "args": ("-object", "memory-backend-ram,id=dimm,size=256M", "-device", "pc-dimm,memdev=dimm")}
    links = "ls -d /sys/bus/acpi/devices/PNP0C80:00/physical_node*"

    def edit(text):
        head, rest = text.split("Device (MP00)", 1)
        rest = rest.replace("Return (MRST (_UID))", "If (\\GONE) { Return (0) }\nReturn (MRST (_UID))", 1)
        text = button.edit(head + "Device (MP00)" + rest, ["\\GONE = 1", ("\\_SB.MHPC", scenario.BUS_CHECK, 1)])
        return tables.with_more(text, "Name (\\GONE, 0)")

    dsdt = tables.of_machine(*words["args"], smp=words["smp"], memory=words["memory"])["DSDT"]
    words["tables"] = tables.initrd(tables.edit_asl(dsdt, edit))

    def linked(kernel):
        with boot(**words, kernel=kernel) as vm:
            assert vm.sh(links)
            button.press(vm)
            assert vm.sh("cat /sys/bus/acpi/devices/PNP0C80:00/status") == "0"
            return vm.run(links).output

    assert linked("patched") == linked("base")
