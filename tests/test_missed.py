"""Row 16: events that come while the guest does not listen: it boots, resets, starts another kernel, or its driver is unbound."""

import contextlib
import time

import pytest

from cpuhp import kexec, paths, scenario
from cpuhp.vm import wait_until

pytestmark = pytest.mark.part("complete")
WAITS = 10      # s that an eject waits for probes
DRIVER = "/sys/bus/platform/drivers/acpi-ged"
EARLYCON = "earlycon=pl011,0x9000000 loglevel=8"
ASYNC = "driver_async_probe=virtio-pci"
ENABLED = "virtio-pci 0000:00:{:02x}.0: enabling device"
PLUGGED = ("-device", "cortex-a57-arm-cpu,id=core2,core-id=2")

# What the console has at some moments of a boot, in their order; the last is between the scan of the namespace and the drivers
MOMENTS = {
    "firmware": "EFI stub: ",
    "kernel": "Booting Linux on physical CPU",
    "interpreter": "ACPI: Interpreter enabled",
    "scanned": "Switched to clocksource",
}


@contextlib.contextmanager
def stopped_at(vm, marker, times=1):
    """The VM is stopped once the console has a text so many times, and goes on after the block."""
    deadline = time.monotonic() + 120
    while vm.console().count(marker) < times:
        assert time.monotonic() < deadline, f"not on the console: {marker}"
        time.sleep(0.005)
    vm.qmp("stop")
    yield
    vm.qmp("cont")


def both_events(vm, add=3, eject=2):
    """A CPU is added, another one is to go; returns the mark to wait from."""
    since = vm.mark()
    vm.device_add(add)
    vm.device_del(eject)
    return since


def wait_both(vm, since, add=3, eject=2):
    """Without any further event, the one is there and the other is gone."""
    scenario.wait_gone(vm, eject, since)
    wait_until(f"CPU {add} to be there", lambda: add in vm.masks()["present"])
    assert vm.cpu_directories() == vm.masks()["present"]


@pytest.mark.parametrize("maxcpus", [3, 5])
def test_eject_before_the_first_instruction(boot, maxcpus):
    """
    CPU  0 1 2 |          2 is to go before the VM runs: it is gone once the guest is there; also where no CPU can be added,
         x x x |          as all are there
    """
    with boot(smp=f"cpus=2,maxcpus={maxcpus}", args=PLUGGED, paused=True) as vm:
        since = scenario.request_eject(vm, 2)
        vm.qmp("cont")
        vm.wait_boot()
        scenario.wait_gone(vm, 2, since)
        assert vm.masks()["present"] == {0, 1}
        scenario.comes_and_goes(vm, 2)


@pytest.mark.parametrize("moment", MOMENTS)
def test_events_while_the_guest_boots(boot, moment):
    """
    CPU  0 1 2 | 3 4      at some moment of the boot 3 is added and 2 is to go: so it is
         x x x |
    """
    with boot(smp="cpus=2,maxcpus=5", args=PLUGGED, append=EARLYCON, paused=True) as vm:
        vm.qmp("cont")
        with stopped_at(vm, MOMENTS[moment]):
            since = both_events(vm)
        vm.wait_boot()
        wait_both(vm, since)
        if 3 not in vm.masks()["online"]:
            scenario.online(vm, 3)
        scenario.works(vm, 3)
        scenario.comes_and_goes(vm, 4)


@pytest.mark.parametrize("device", [1, 5, 9, 13])
def test_eject_while_drivers_are_probed(boot, device):
    """
    CPU  0 1 2 |          2 is to go while the PCI core probes many devices, one after another, and has CPU hotplug disabled for
         x x x |          each: 2 is gone once the guest is there
    """
    devices = ("-device", "virtio-rng-pci") * 16
    with boot(smp="cpus=2,maxcpus=5", args=PLUGGED + devices, append=EARLYCON, paused=True) as vm:
        vm.qmp("cont")
        with stopped_at(vm, ENABLED.format(device)):
            since = scenario.request_eject(vm, 2)
        vm.wait_boot()
        scenario.wait_gone(vm, 2, since)
        assert vm.masks()["present"] == {0, 1}


# A disk, from which the probe of its driver reads the partition table
DISK = ("-drive", "driver=null-co,size=1M,read-zeroes=on,if=none,id=slow", "-device", "virtio-blk-pci,drive=slow,addr=0x10")
NEEDS = 3       # s for each read
SLOW_DISK = (DISK[0], f"{DISK[1]},latency-ns={NEEDS * 10**9}", *DISK[2:])


# Not more devices: TCG finds the device of an access in a map that another vCPU may change at this moment, as it enables a BAR,
# and the access then goes to another device, with an unpatched QEMU, too.
@pytest.mark.parametrize("how", ["", ASYNC], ids=["boot waits", "asynchronous"])
def test_eject_while_a_slow_driver_is_probed(boot, how):
    """
    CPU  0 1 2 |          2 is to go while the PCI core has CPU hotplug disabled for seconds, for the probe of a driver during boot:
         x x x |          2 is gone when the probe has ended, which boot does not wait for if it is asynchronous
    """
    with boot(smp="cpus=2,maxcpus=5", args=PLUGGED + SLOW_DISK, append=f"{EARLYCON} {how}", paused=True) as vm:
        vm.qmp("cont")
        with stopped_at(vm, ENABLED.format(0x10)):
            begun, since = time.monotonic(), scenario.request_eject(vm, 2)
        vm.wait_boot()
        scenario.wait_gone(vm, 2, since)
        assert time.monotonic() - begun > NEEDS and "vda" in vm.sh("ls /sys/block")
        assert vm.masks()["present"] == {0, 1}


# After this the driver is being probed, and reads from a disk that has just read as much as it may in minutes
HANG = """
device=$(readlink -f /sys/block/vda/device); device=${device##*/}
dd if=/dev/vda of=/dev/null bs=4k skip=64 count=1 2> /dev/null
cd /sys/bus/virtio/drivers/virtio_blk
echo $device > unbind
echo $device > /sys/bus/virtio/drivers_probe &
echo $! > /tmp/hung
until [ -e $device ]; do sleep 0.1; done
"""


def throttle(vm, rate):
    """Bytes a second that the disk reads at most; no limit: 0."""
    assert vm.hmp(f"block_set_io_throttle slow 0 {rate} 0 0 0 0") == ""


@pytest.mark.vm(smp="cpus=2,maxcpus=5", args=DISK)
def test_events_while_a_probe_hangs(vm):
    """
    CPU  0 1 | 2 3 4      the probe of a driver hangs: -> 2 and 3 are there at once, as without it; the eject of 2 waits for 10 s,
         x x |            and 2 goes; that of 3 does not wait again
    """
    def seconds(action, cpu):
        begun = time.monotonic()
        action(vm, cpu)
        return time.monotonic() - begun

    throttle(vm, 100)
    vm.sh(HANG)
    for cpu in (2, 3):
        assert seconds(scenario.add, cpu) < paths.patient(WAITS) / 2
        scenario.online(vm, cpu)
    assert seconds(scenario.eject, 2) > 0.9 * WAITS
    assert seconds(scenario.eject, 3) < paths.patient(WAITS) / 2
    vm.sh("kill -0 $(cat /tmp/hung)")
    throttle(vm, 0)
    wait_until("the probe to end", lambda: vm.run("kill -0 $(cat /tmp/hung)").status)
    scenario.comes_and_goes(vm, 4)


@pytest.mark.part("optional")
@pytest.mark.vm(smp="cpus=2,maxcpus=5", args=DISK)
def test_auto_online_while_a_probe_hangs(vm):
    """
    CPU  0 1 | 2          the kernel brings CPUs online, for which CPU hotplug must not be disabled: -> 2, after 10 s
         x x |
    """
    vm.sh(f"echo online > {scenario.CPU_SYSFS}/auto_online")
    throttle(vm, 100)
    vm.sh(HANG)
    begun = time.monotonic()
    scenario.add(vm, 2)
    assert time.monotonic() - begun > 0.9 * WAITS
    assert 2 in vm.masks()["online"]
    throttle(vm, 0)


@pytest.mark.vm(smp="cpus=2,maxcpus=5")
def test_events_while_the_driver_is_unbound(vm):
    """
    CPU  0 1 | 2 3 4
         x x |            -> 2; the driver of the Generic Event Device is unbound, 3 is added, 2 is to go; bound: so it is
    """
    scenario.add_and_work(vm, 2)
    ged = vm.sh(f"cd {DRIVER}; for d in ACPI0013*; do echo $d; done")
    for number, (add, eject) in enumerate([(3, 2), (2, 3)]):
        vm.sh(f"echo {ged} > {DRIVER}/unbind")
        since = both_events(vm, add, eject)
        vm.sh("sleep 1")
        assert not vm.osts(add, since) and not vm.osts(eject, since), number
        vm.sh(f"echo {ged} > {DRIVER}/bind")
        wait_both(vm, since, add, eject)
        scenario.online(vm, add)
        scenario.works(vm, add)
    scenario.comes_and_goes(vm, 4)


@pytest.mark.vm(smp="cpus=2,maxcpus=5", reboots=True)
def test_reset_before_the_guest_has_heard(vm):
    """
    CPU  0 1 | 2 3 4
         x x |            -> 2; 3 is added and 2 is to go, and the VM is reset before the guest hears of it: so it is after
    """
    scenario.add_and_work(vm, 2)
    vm.qmp("stop")
    since = both_events(vm)
    vm.qmp("system_reset")
    vm.qmp("cont")
    vm.wait_boot()
    wait_both(vm, since)


@pytest.mark.parametrize("moment", ["kernel", "interpreter"])
def test_events_between_two_kernels(boot, linux, moment):
    """
    CPU  0 1 | 2 3 4
         x x |            -> 2; kexec; at some moment of the next kernel's boot 3 is added and 2 is to go: so it is
    """
    with boot(smp="cpus=2,maxcpus=5", args=kexec.disks(linux), append=EARLYCON) as vm:
        scenario.add_and_work(vm, 2)
        kexec.load(vm)
        booted = vm.console().count(MOMENTS[moment])
        vm.sh("(sleep 0.2; kexec -e) > /dev/null 2>&1 &")
        with stopped_at(vm, MOMENTS[moment], booted + 1):
            since = both_events(vm)
        vm.wait_boot()
        wait_both(vm, since)
        scenario.comes_and_goes(vm, 4)


@pytest.mark.vm(smp="cpus=2")
def test_no_interrupt_is_raised_where_no_cpu_can_go(vm):
    """
    CPU  0 1 |            no CPU has an _EJ0: the Generic Event Device has had no interrupt
         x x |
    """
    line, = [line for line in vm.sh("cat /proc/interrupts").splitlines() if "ACPI:Ged" in line]
    assert sum(map(int, line.split()[1:3])) == 0
