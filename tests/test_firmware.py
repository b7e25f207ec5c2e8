"""Row 24: GICC flags in all their combinations, in a MADT that takes the place of the firmware's."""

import pytest

from cpuhp import scenario, tables
from cpuhp.gate import parse_cpus
from cpuhp.tables import ENABLED, ONLINE_CAPABLE
from cpuhp.vm import VM, Spec

DISABLED = 0
RESERVED = 1 << 7 | 1 << 31
SMP = "cpus=2,maxcpus=6"


@pytest.fixture(scope="module")
def firmware(request, tmp_path_factory):
    """Tables of the machine below, read from a guest."""
    spec = Spec(smp=SMP, linux=request.config.getoption("--linux"))
    with VM(spec, tmp_path_factory.mktemp("firmware")) as vm:
        return {name: tables.read(vm, name) for name in ("APIC", "FACP")}


def older(fadt):
    """Of ACPI before 6.5, where a disabled GICC of a hypervisor may be a CPU to come."""
    return tables.with_fadt_version(fadt, 6, 3)


PMU_EDGE = 1 << 1       # a mode bit of a GICC; the kernel wants it the same for all CPUs

# MADT flags of CPUs 2-5, which are absent (_STA 0xD); what is possible
CASES = {
    "online-capable": ([ONLINE_CAPABLE] * 4, "0-5"),
    "all disabled": ([DISABLED] * 4, "0-5"),
    "one online-capable, the others disabled": ([DISABLED] * 3 + [ONLINE_CAPABLE], "0-2"),
    "reserved bits on disabled": ([DISABLED | RESERVED] * 4, "0-5"),
    "reserved bits on online-capable": ([ONLINE_CAPABLE | RESERVED] * 4, "0-5"),
}


@pytest.mark.parametrize("name", CASES)
def test_flags_of_absent_cpus(boot, firmware, name):
    """
    CPU  0 1 | 2 3 4 5
         x x | ? ? ? ?       the flags of the case on 2-5: as many are possible as the contract says
    """
    flags, possible = CASES[name]
    madt = tables.with_gicc_flags(firmware["APIC"], dict(enumerate(flags, start=2)))
    with boot(smp=SMP, tables=tables.initrd(madt, older(firmware["FACP"]))) as vm:
        assert tables.read(vm, "APIC") == madt
        masks = vm.masks()
        assert masks["possible"] == parse_cpus(possible)
        assert masks["present"] == masks["online"] == {0, 1}
        hot = max(masks["possible"])
        since = vm.mark()
        vm.device_add(5)
        vm.wait_event("ACPI_DEVICE_OST", since, match=lambda data: data["info"]["status"] == 0)
        scenario.online(vm, hot)
        scenario.works(vm, hot)


def test_a_mode_bit_is_no_matter(boot, firmware):
    """
    CPU  0 1 | 2 3 4 5
         x x | o o o o       all with a further flag that is defined, and of no concern here
    """
    flags = {cpu: PMU_EDGE | (ENABLED if cpu < 2 else ONLINE_CAPABLE) for cpu in range(6)}
    with boot(smp=SMP, tables=tables.initrd(tables.with_gicc_flags(firmware["APIC"], flags))) as vm:
        assert vm.masks()["possible"] == set(range(6))
        assert vm.masks()["online"] == {0, 1}


ENABLED_CASES = {
    "enabled": (ENABLED, False),
    "enabled and online-capable": (ENABLED | ONLINE_CAPABLE, True),
    "enabled and reserved bits": (ENABLED | RESERVED, False),
}


@pytest.mark.parametrize("name", ENABLED_CASES)
def test_flags_of_a_cpu_that_is_there(boot, firmware, name):
    """
    CPU  0 1 | 2 3 4 5
         x ? |               the flags of the case on 1: it is an enabled CPU; 9 is worth a warning, once
    """
    flags, warns = ENABLED_CASES[name]
    with boot(smp=SMP, tables=tables.initrd(tables.with_gicc_flags(firmware["APIC"], {1: flags}))) as vm:
        assert vm.masks()["online"] == {0, 1}
        assert vm.masks()["possible"] == set(range(6))
        warnings = scenario.said(vm, r"(?i)online.capable")
        assert len(warnings) == warns, warnings


def test_cpu_that_is_there_marked_online_capable(boot, firmware):
    """
    CPU   0 1 | 2 3 4 5
    MADT  e o | o o o o      _STA of 1 is 0xF: online after boot like any other
    """
    with boot(smp=SMP, tables=tables.initrd(tables.with_gicc_flags(firmware["APIC"], {1: ONLINE_CAPABLE}))) as vm:
        assert vm.masks()["online"] == {0, 1}


HEURISTIC = r"4 GICCs with no flag set are hot-pluggable CPUs: the FADT is 6\.3 and names a hypervisor"
# The FADT; the command line; whether disabled entries are hot-pluggable; what is said of the four, once
DISABLED_POLICY = {
    "hypervisor, FADT 6.3": (older, "", True, HEURISTIC),
    "hypervisor, FADT 6.5": (lambda fadt: fadt, "", False, r"4 GICCs with no flag set ignored: the FADT is 6\.5"),
    "no hypervisor": (lambda fadt: tables.without_hypervisor_vendor(older(fadt)), "", False, None),
    "hypervisor, ignore": (older, "arm64.disabled_gicc=ignore", False,
                           r"4 GICCs with no flag set ignored: arm64\.disabled_gicc=ignore"),
    "no hypervisor, hotplug": (tables.without_hypervisor_vendor, "arm64.disabled_gicc=hotplug", True,
                               r"4 GICCs with no flag set are hot-pluggable CPUs: arm64\.disabled_gicc=hotplug"),
    "FADT 6.5, hotplug": (lambda fadt: fadt, "arm64.disabled_gicc=hotplug", True,
                          r"4 GICCs with no flag set are hot-pluggable CPUs: arm64\.disabled_gicc=hotplug"),
    "hypervisor, auto": (older, "arm64.disabled_gicc=auto", True, HEURISTIC),
}


@pytest.mark.parametrize("name", DISABLED_POLICY)
def test_policy_for_disabled_entries(boot, firmware, name):
    """
    CPU  0 1 | 2 3 4 5
         x x | - - - -       2-5 disabled: hot-pluggable only where firmware is an older hypervisor's, or when told so
    """
    edit, append, hotplug, line = DISABLED_POLICY[name]
    madt = tables.with_gicc_flags(firmware["APIC"], dict.fromkeys(range(2, 6), DISABLED))
    fadt = edit(firmware["FACP"])
    edited = tables.initrd(madt, *([fadt] if fadt != firmware["FACP"] else []))
    with boot(smp=SMP, append=append, tables=edited) as vm:
        assert tables.read(vm, "FACP") == fadt
        masks = vm.masks()
        assert masks["possible"] == (set(range(6)) if hotplug else {0, 1})
        assert masks["present"] == masks["online"] == {0, 1}
        assert len(scenario.said(vm, "GICCs with no flag set")) == (line is not None)
        assert line is None or scenario.said(vm, line)


def test_ignored_entries_stay_ignored(boot, firmware):
    """
    CPU  0 1 | 2 3 4 5
         x x | - - - -       disabled and ignored: an add ends in an honest _OST, not in a CPU
    """
    madt = tables.with_gicc_flags(firmware["APIC"], dict.fromkeys(range(2, 6), DISABLED))
    with boot(smp=SMP, append="arm64.disabled_gicc=ignore", tables=tables.initrd(madt)) as vm:
        since = vm.mark()
        vm.device_add(3)
        ost = vm.wait_event("ACPI_DEVICE_OST", since)["info"]
        assert ost["status"] != scenario.OST_SUCCESS
        assert vm.masks()["present"] == {0, 1}


def test_gicv2(boot):
    """
    CPU   0 1 2 3
    MADT  e e o o    GICv2: the table's CPUs as the unpatched kernel has them, and one line that there is no hotplug
    """
    machine = {"smp": "4", "machine": "gic-version=2"}
    with boot(**machine) as vm:
        madt = tables.read(vm, "APIC")
        assert vm.masks()["online"] == {0, 1, 2, 3}
        assert not said_no_hotplug(vm)
    edited = tables.initrd(tables.with_gicc_flags(madt, {2: ONLINE_CAPABLE, 3: ONLINE_CAPABLE}))
    with boot(**machine, kernel="base", tables=edited) as vm:
        before = vm.masks()
    with boot(**machine, tables=edited) as vm:
        masks = vm.masks()
        if "enabled" in before:     # the unpatched 6.12 takes online-capable CPUs for CPUs that are there
            assert masks["possible"] == masks["online"] == {0, 1}
        else:
            assert {name: masks[name] for name in before} == before
        assert len(said_no_hotplug(vm)) == 1, said_no_hotplug(vm)


def said_no_hotplug(vm):
    return scenario.said(vm, r"(?i)CPU hotplug|hot-?pluggable")
