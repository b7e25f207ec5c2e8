"""Start another kernel from the running one, at once or when it panics; tests/guest/kexec.c makes the system calls."""

from . import paths
from .vm import VM


def disk(name: str, path: object, *options: str) -> tuple[str, ...]:
    """For Spec.args: a file as a disk; in the guest they are vda, vdb, ... in the order given."""
    return ("-drive", ",".join([f"file={path},if=none,id={name},format=raw", *options]),
            "-device", f"virtio-blk-pci,drive={name}")


def disks(linux: str) -> tuple[str, ...]:
    """For Spec.args, before all other disks: the kernel to load, the guest's own, and the initramfs that goes with it."""
    return (*disk("kernel", paths.image(linux), "readonly=on"), *disk("initrd", paths.INITRAMFS, "readonly=on"))


def load(vm: VM, append: str = "", crash: bool = False, kernel: str = "vda") -> None:
    """Load the kernel on a disk, to start it by reboot() or when this one panics; it gets this one's command line, and more."""
    vm.sh(f"cd /tmp; cat /dev/{kernel} > Image; cat /dev/vdb > initrd;"
          f" kexec {'-p ' if crash else ''}Image initrd \"$(sed 's/crashkernel=[^ ]*//' /proc/cmdline) {append}\"")


def reboot(vm: VM, append: str = "", kernel: str = "vda") -> None:
    """The running kernel starts the next one; returns when that has booted."""
    load(vm, append, kernel=kernel)
    vm.sh("(sleep 0.2; kexec -e) > /dev/null 2>&1 &")
    vm.wait_boot()
