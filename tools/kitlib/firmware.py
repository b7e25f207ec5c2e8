"""The firmware for guests with several NUMA nodes.

Debian 12's, which the other guests have, reports a flash as memory. QEMU's SRAT does not have that flash, and Linux gives up
on NUMA. Debian 13's firmware reports the memory that the SRAT has.
"""

import shutil

from . import build, fetch
from .common import OUT, Error, Progress, shorten

PACKAGE, SUITE = "qemu-efi-aarch64", "trixie"


def make():
    """out/firmware/QEMU_EFI.fd"""
    image = OUT / "firmware/QEMU_EFI.fd"
    stamp = image.parent / ".kit-built"
    root = fetch.private(PACKAGE, SUITE)
    source = root / f"usr/share/{PACKAGE}/QEMU_EFI.fd"
    if not source.is_file():
        raise Error(f"no {source.name} in {shorten(root)}: remove that directory and try again")
    key = build.hashed(source.read_bytes())
    if build.up_to_date(stamp, key, image):
        return
    image.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress("guest firmware")
    part = image.with_name(image.name + ".part")
    shutil.copyfile(source, part)
    part.replace(image)
    progress.done("fetched")
    stamp.write_text(build.dated(key, image))
