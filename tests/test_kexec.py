"""Rows 14 and 33: the next kernel, started by kexec or by a panic, finds the CPUs that are there."""

import pytest

from cpuhp import elfcore, gate, kexec, paths, scenario
from cpuhp.agent import GuestError


def test_kexec(boot, linux, dialect):
    """Row 14.  The MADT stays as it was at the first boot: it calls 0 and 1 enabled, and not 2 and 3.

    CPU  0 1 | 2 3
         x x |             -> 3 added:            kexec: 0, 1, 3 are online
         x x |   x         -> 1 and 3 ejected:    kexec: 0 alone; 1 and 3 come back
         x x |   x         -> kexec, maxcpus=2:   0, 1, 3 are there, two of them online; the third follows
    """
    with boot(smp="cpus=2,maxcpus=4", dialect=dialect, args=kexec.disks(linux)) as vm:
        def boots_with(cpus, online=None, append=""):
            kexec.reboot(vm, append)
            vm.gate()
            assert vm.masks()["present"] == vm.cpu_directories() == cpus
            assert len(vm.masks()["online"]) == (online or len(cpus))

        scenario.add(vm, 3)
        scenario.online(vm, 3)
        boots_with({0, 1, 3})
        scenario.works(vm, 3)

        scenario.eject(vm, 3)
        scenario.eject_cold_plugged(vm, 1)
        boots_with({0})
        for cpu in (3, 1):
            scenario.add_and_work(vm, cpu)

        boots_with({0, 1, 3}, online=2, append="maxcpus=2")
        last, = vm.masks()["present"] - vm.masks()["online"]
        scenario.online(vm, last)
        scenario.works(vm, last)


@pytest.mark.part("hardening")
def test_kexec_after_a_cpu_that_did_not_come(boot, linux):
    """
    CPU  0 1 | 2 3
         x x |         -> 2 and 3, whose CPU_ON says success while nothing runs: they may run the kernel, so no kexec; 2 runs after
                       all, and 3 is ejected: kexec
    """
    with boot(smp="cpus=2,maxcpus=4", args=kexec.disks(linux)) as vm:
        for cpu in (2, 3):
            scenario.add(vm, cpu, **{"x-psci-lose-on": True})
            assert vm.run(f"echo 1 > {scenario.CPU_SYSFS}/cpu{cpu}/online").status != 0
        with pytest.raises(GuestError, match="busy"):
            kexec.load(vm)
        vm.qmp("qom-set", path="/machine/peripheral/core2", property="x-psci-lose-on", value=False)
        scenario.online(vm, 2)
        with pytest.raises(GuestError, match="busy"):
            kexec.load(vm)
        scenario.eject(vm, 3)
        kexec.reboot(vm)
        assert vm.masks()["online"] == {0, 1, 2}


TABLE = 64 << 10        # what a kernel expects to find reserved of an LPI pending table


def tables(vm, how):
    """The LPI pending tables, by CPU, of which the log says how they came to be."""
    lines = scenario.said(vm, rf"GICv3: CPU\d+: using {how} LPI pending table @")
    return {int(line.split("CPU")[1].split(":")[0]): int(line.split("@")[1], 16) for line in lines}


def reserved(vm):
    """The ranges of memory that /proc/iomem calls reserved, as (first, last)."""
    lines = vm.sh("cat /proc/iomem").splitlines()
    return [tuple(int(end, 16) for end in line.split()[0].split("-")) for line in lines if line.endswith(": reserved")]


def test_pending_tables_of_another_kernel(boot, linux):
    """
    CPU  0 1 | 2 3
         x x |         -> 2; kexec of the unpatched kernel, and back: each finds reserved what the other used for LPIs that are
                       pending, also for 2, whose table is shorter than others expect
    """
    args = (*kexec.disks(linux), *kexec.disk("unpatched", paths.image(linux, "base"), "readonly=on"))
    with boot(smp="cpus=2,maxcpus=4", args=args) as vm:
        scenario.add(vm, 2)
        scenario.online(vm, 2)
        first = tables(vm, "allocated")
        assert set(first) == {0, 1, 2}
        for kernel in ("vdc", "vda"):
            kexec.reboot(vm, kernel=kernel)
            assert not gate.log_complaints(vm.dmesg())
            found = tables(vm, "reserved")
            assert set(found) >= {0, 1}
            assert all(found[cpu] == first[cpu] for cpu in found)
            assert all(any(start <= table and table + TABLE - 1 <= end for start, end in reserved(vm))
                       for table in first.values())
        assert set(found) == {0, 1, 2}
        scenario.works(vm, 2)


# What a deliberate panic says
PANIC = (r"Kernel panic - not syncing: sysrq triggered crash", r"Call trace:")
MARK = "what the dump must have of the memory: "


@pytest.fixture
def disk(directory):
    """A file of 512 MiB for the guest's disk, gone after the test."""
    path = directory / "disk"
    with path.open("wb") as f:
        f.truncate(512 << 20)
    yield path
    path.unlink()


@pytest.mark.part("complete")
def test_kdump(boot, linux, dialect, disk):
    """Row 33.

    CPU  0 1 | 2 3
         x x |         crash kernel loaded -> 3 added, online, and crashes: the crash kernel, alone on CPU 3, saves the core
                       file; it has the registers of 0, 1 and 3, and the memory
    """
    args = (*kexec.disks(linux), *kexec.disk("dump", disk, "detect-zeroes=on"))
    with boot(smp="cpus=2,maxcpus=4", dialect=dialect, memory="500M", args=args, append="crashkernel=160M",
              expected=PANIC) as vm:
        kexec.load(vm, append="nr_cpus=1", crash=True)
        assert vm.sh("cat /sys/kernel/kexec_crash_loaded") == "1"
        scenario.add(vm, 3)
        scenario.online(vm, 3)
        mark = MARK + vm.sh("cat /proc/sys/kernel/random/boot_id")
        vm.sh(f"echo '{mark}' > /tmp/mark")
        pid = int(vm.sh("taskset -c 3 sh -c 'sleep 0.5; echo c > /proc/sysrq-trigger' > /dev/null 2>&1 & echo $!"))
        vm.wait_boot()

        booted_on = vm.sh("dmesg | sed -n 's/.*Booting Linux on physical CPU \\(0x[0-9a-f]*\\).*/\\1/p'")
        assert int(booted_on, 16) == 3
        vm.sh("cat /proc/vmcore > /dev/vdc && sync", timeout=180)
        core = elfcore.read(disk)
        pids = core.pids()
        assert len(pids) == 3
        assert pid in pids
        assert any(name == "VMCOREINFO" for name, _, _ in core.notes)
        assert sum(size for _, _, size in core.loads) > 150 << 20
        assert elfcore.contains(disk, mark.encode())
