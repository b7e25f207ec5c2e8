"""The guest's Debian userland: what tests need that busybox does not have.

out/guest/debian.cpio.gz goes behind the initramfs (Spec(userland=True) in tests/cpuhp/vm.py). It holds the files named
here at the paths that Debian gives them, and the libraries that they need. Nothing in it takes the place of a busybox
applet that scripts rely on.
"""

import gzip
import os
import re
import sys
from pathlib import Path

from . import build, fetch
from .common import OUT, Error, Progress, run, shorten

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "tests"))

from cpuhp.cpio import Archive                                      # noqa: E402

SUITE, ARCH = "bookworm", "arm64"

# package: its files (or whole directories) that the guest gets
WANTED = {
    "bash": ["bin/bash"],
    "kexec-tools": ["sbin/kexec"],
    "udev": ["bin/udevadm", "lib/systemd/systemd-udevd", "lib/udev/rules.d"],
    "util-linux": ["usr/bin/lscpu"],
}
LIBRARIES = ["lib", "lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu"]


def root():
    """The packages and all they depend on, unpacked."""
    return fetch.private_set("userland", sorted(WANTED), SUITE, ARCH)


def needed(readelf, path):
    """The libraries, and the interpreter, that an ELF file asks for by name."""
    if path.read_bytes()[:4] != b"\x7fELF":
        return []
    text = run([readelf, "-W", "-l", "-d", path]).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]|program interpreter: /lib/(.*)\]", text)


class Packer:
    """Puts files of the unpacked packages into an archive, and what they need with them."""

    def __init__(self, tree, readelf):
        self.tree, self.readelf = tree, readelf
        self.archive = Archive()
        self.names = set()

    def add(self, name):
        path = self.tree / name
        if name in self.names:
            return
        self.names.add(name)
        if path.is_dir() and not path.is_symlink():
            for entry in sorted(path.iterdir()):
                self.add(f"{name}/{entry.name}")
        elif path.is_symlink():
            target = os.readlink(path)
            self.archive.symlink(name, target)
            self.add(os.path.normpath(os.path.join("/", os.path.dirname(name), target))[1:])
        elif path.is_file():
            self.archive.file(name, path.read_bytes(), path.stat().st_mode & 0o777)
            for library in needed(self.readelf, path):
                self.add_library("".join(library), name)
        else:
            raise Error(f"no {name} in {shorten(self.tree)}: the package has changed, or remove that "
                        "directory and try again")

    def add_library(self, library, wanted_by):
        for directory in LIBRARIES:
            if os.path.lexists(self.tree / directory / library):
                return self.add(f"{directory}/{library}")
        raise Error(f"no {library} in {shorten(self.tree)}, which {wanted_by} needs")


def pack(tree, readelf):
    """The archive, compressed. The same packages give the same bytes."""
    packer = Packer(tree, readelf)
    for names in WANTED.values():
        for name in names:
            packer.add(name)
    return gzip.compress(packer.archive.pack(), 6, mtime=0)


def make():
    """out/guest/debian.cpio.gz"""
    image = OUT / "guest/debian.cpio.gz"
    stamp = image.parent / ".kit-built-debian"
    tree = root()
    inputs = [Path(__file__), HERE / "tests/cpuhp/cpio.py", tree / fetch.SET_LIST]
    key = build.hashed(*(path.read_bytes() for path in inputs))
    if build.up_to_date(stamp, key, image):
        return
    image.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress("guest userland")
    part = image.with_name(image.name + ".part")
    part.write_bytes(pack(tree, f"{build.CROSS}readelf"))
    part.replace(image)
    progress.done("built")
    stamp.write_text(build.dated(key, image))
