"""Rows 14 and 33: the next kernel, started by kexec or by a panic, finds the CPUs that are there."""

import pytest

from cpuhp import elfcore, gate, kexec, paths, scenario
from cpuhp.agent import GuestError
from cpuhp.cpio import Archive
from cpuhp.vm import NO_LEAK_DETECTOR


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
            assert not gate.log_complaints(vm.dmesg(), (NO_LEAK_DETECTOR,))
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


def crash(vm, cpu):
    """The kernel crashes on a CPU, which starts the crash kernel; returns the process that was running there."""
    pid = int(vm.sh(f"taskset -c {cpu} sh -c 'sleep 0.5; echo c > /proc/sysrq-trigger' > /dev/null 2>&1 & echo $!"))
    vm.wait_boot()
    return pid


def save(vm, disk):
    """The crash kernel saves the core file."""
    vm.sh("cat /proc/vmcore > /dev/vdc && sync", timeout=180)
    return elfcore.read(disk)


@pytest.fixture
def guest(boot, linux, disk):
    """Boots a guest that has room for a crash kernel, a disk for the core file, and will crash."""
    args = (*kexec.disks(linux), *kexec.disk("dump", disk, "detect-zeroes=on"))
    return lambda **spec: boot(smp="cpus=2,maxcpus=4", memory="500M", args=args, append="crashkernel=160M", expected=PANIC,
                               **spec)


@pytest.mark.part("complete")
def test_kdump(guest, dialect, disk):
    """Row 33.

    CPU  0 1 | 2 3
         x x |         crash kernel loaded by kexec_file_load() -> 3 added, online, and crashes: the crash kernel, alone on
                       CPU 3, saves the core file; it has the registers of 0, 1 and 3, and the memory
    """
    with guest(dialect=dialect) as vm:
        kexec.load(vm, append="nr_cpus=1", crash=True)
        assert vm.sh("cat /sys/kernel/kexec_crash_loaded") == "1"
        scenario.add(vm, 3)
        scenario.online(vm, 3)
        mark = MARK + vm.sh("cat /proc/sys/kernel/random/boot_id")
        vm.sh(f"echo '{mark}' > /tmp/mark")
        pid = crash(vm, 3)

        booted_on = vm.sh("dmesg | sed -n 's/.*Booting Linux on physical CPU \\(0x[0-9a-f]*\\).*/\\1/p'")
        assert int(booted_on, 16) == 3
        core = save(vm, disk)
        pids = core.pids()
        assert len(pids) == 3
        assert pid in pids
        assert any(name == "VMCOREINFO" for name, _, _ in core.notes)
        assert sum(size for _, _, size in core.loads) > 150 << 20
        assert elfcore.contains(disk, mark.encode())


# As Debian's kdump-tools has them: a script that loads the crash kernel by kexec_load(), and the udev rule that runs it
LOAD = """#!/bin/sh
/sbin/kexec -c -p --initrd=/tmp/initrd --command-line="$(sed 's/crashkernel=[^ ]*//' /proc/cmdline) nr_cpus=1" /tmp/Image
"""
RULE = 'SUBSYSTEM=="cpu", ACTION=="add", PROGRAM="/load-crash-kernel"\n'


def kdump_tools(reloads):
    archive = Archive()
    archive.file("load-crash-kernel", LOAD.encode(), 0o755)
    if reloads:
        archive.file("etc/udev/rules.d/50-kdump.rules", RULE.encode())
    return archive.pack()


@pytest.mark.parametrize("reloads", [False, True], ids=["loaded-once", "reloaded"])
def test_kdump_by_kexec_load(guest, disk, reloads):
    """With kexec_load(), user space writes the ELF headers, which name the CPUs that are present.

    CPU  0 1 | 2 3
         x x |         crash kernel loaded by kexec-tools -> 3 added, online; 2 comes and goes; 3 crashes: the core file has the
                       registers of 0 and 1, and of 3 only if the crash kernel was loaded again when 3 was added
    """
    with guest(userland=True, files=kdump_tools(reloads)) as vm:
        vm.sh("cat /dev/vda > /tmp/Image; cat /dev/vdb > /tmp/initrd")
        vm.sh("/lib/systemd/systemd-udevd --daemon > /tmp/udevd.log 2>&1; /load-crash-kernel")
        assert vm.sh("cat /sys/kernel/kexec_crash_loaded") == "1"
        # Where it is there and 1, the kernel updates the headers, and user space need not
        assert vm.sh(f"cat {scenario.CPU_SYSFS}/crash_hotplug 2> /dev/null || echo 0") == "0"
        scenario.add(vm, 3)
        scenario.online(vm, 3)
        scenario.comes_and_goes(vm, 2)
        vm.sh("udevadm settle --timeout=60", timeout=60)
        pid = crash(vm, 3)
        pids = save(vm, disk).pids()
        assert len(pids) == (3 if reloads else 2)
        assert (pid in pids) == reloads
