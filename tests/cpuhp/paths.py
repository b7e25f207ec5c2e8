"""Where the artefacts are.  Everything has a fixed name below the project root; CPUHP_QDIR= names another QEMU tree."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "out"
sys.path.insert(0, str(ROOT / "tools"))
from kitlib import common  # noqa: E402

QEMU_VERSION = common.base("qemu", common.given("QEMU")).version
LINUX_VERSION = common.base("linux").version      # the lowest there is

QEMU_TREE = pathlib.Path(common.given("QDIR") or ROOT / "work" / f"qemu-{QEMU_VERSION}")
FIRMWARE = pathlib.Path(common.given("QEMU_EFI") or "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd")
INITRAMFS = OUT / "guest" / "initramfs.cpio.gz"
DEBUG = ""              # the guest's kernel is a debug kernel: its suffix
PART = ""               # the guest's kernel has the series up to the end of this part only: its suffix
SANITIZED = False       # QEMU is the one with sanitizers
PATIENCE = 4            # how much slower a debug kernel may be
USERLAND = OUT / "guest" / "debian.cpio.gz"     # bash, udev, lscpu: goes behind the initramfs


def image(linux: str = LINUX_VERSION, kernel: str = "patched") -> pathlib.Path:
    """A guest kernel: "patched", "base" (unpatched), or "off" (patched, without CONFIG_ACPI_HOTPLUG_CPU)."""
    variant = DEBUG or PART if kernel == "patched" else kernel
    return OUT / "-".join(filter(None, [f"linux-{linux}", variant])) / "Image"


def patient(seconds: float) -> float:
    """A time limit, for a guest that may have a debug kernel, and a QEMU that may have sanitizers."""
    return seconds * PATIENCE if DEBUG or SANITIZED else seconds


def qemu(patched: bool = True) -> pathlib.Path:
    variant = "" if patched and not SANITIZED else "sanitize" if patched else "base"
    return OUT / "-".join(filter(None, [f"qemu-{QEMU_VERSION}", variant])) / "qemu-system-aarch64"


def use_qemu_python() -> None:
    """Make QEMU's own qemu.machine and qemu.qmp importable, from the tree that QEMU was built from."""
    library = str(QEMU_TREE / "python")
    if library not in sys.path:
        sys.path.insert(0, library)


def missing(linux: str = LINUX_VERSION, kernel: str = "patched", qemu_patched: bool = True,
            userland: bool = False) -> str | None:
    """One line about the first artefact that is not there and how to get it, or None."""
    if not FIRMWARE.exists():
        return f"{FIRMWARE} is missing: install qemu-efi-aarch64, or name a file in CPUHP_QEMU_EFI="
    for path in (image(linux, kernel), qemu(qemu_patched), INITRAMFS, *([USERLAND] if userland else [])):
        if not path.exists():
            return f"{path.relative_to(ROOT)} is missing: run make first (make help)"
    if not (QEMU_TREE / "python" / "qemu").is_dir():
        return f"{QEMU_TREE}/python/qemu is missing: run make tree, or name a QEMU source tree in CPUHP_QDIR="
    return None
