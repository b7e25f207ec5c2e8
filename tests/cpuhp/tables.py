"""Read and edit ACPI tables, and hand them to a guest through its initrd (CONFIG_ACPI_TABLE_UPGRADE)."""

from __future__ import annotations

import base64
import re
import struct
import subprocess
import tempfile
import pathlib
from typing import TYPE_CHECKING, Callable, Iterable

from . import fwcfg, paths
from .agent import GuestError
from .cpio import Archive

if TYPE_CHECKING:
    from .vm import VM

GICC = 0x0B
GICR = 0x0E
ENABLED = 1 << 0
ONLINE_CAPABLE = 1 << 3
MADT_ENTRIES = 44       # where its structures begin

_OEM_REVISION = 24
_CHECKSUM = 9
_GICC_FLAGS = 12
_GICC_GICR_BASE = 60
_FADT_MAJOR = 8
_FADT_MINOR = 131


def read(vm: VM, signature: str) -> bytes:
    """A table as the guest's firmware has it."""
    return base64.b64decode(vm.sh(f"base64 /sys/firmware/acpi/tables/{signature}"))


def of_machine(*arguments: str, smp: str, machine: str = "gic-version=3", memory: str = "300M",
               qemu_patched: bool = True) -> dict[str, bytes]:
    """The tables of a machine by their signatures, without a guest."""
    blobs = fwcfg.read_all(paths.qemu(qemu_patched), "-machine", f"virt,{machine}", "-cpu", "cortex-a57", "-smp", smp,
                           "-m", memory, *arguments)
    return {name: checksummed(table) for name, table in fwcfg.tables(blobs).items() if name}


def seal(table: bytearray) -> bytes:
    """Length and checksum put right, and the OEM revision raised: the kernel takes only newer tables."""
    revision, = struct.unpack_from("<I", table, _OEM_REVISION)
    struct.pack_into("<I", table, _OEM_REVISION, revision + 1)
    struct.pack_into("<I", table, 4, len(table))
    return checksummed(table)


def checksummed(table: bytes) -> bytes:
    """The table with its checksum put right; in fw_cfg it is left to firmware."""
    edited = bytearray(table)
    edited[_CHECKSUM] = 0
    edited[_CHECKSUM] = -sum(edited) & 0xFF
    return bytes(edited)


def gicc_offsets(madt: bytes) -> list[int]:
    """Offsets of the GICC entries, in the order of the table."""
    offsets = []
    offset = MADT_ENTRIES
    for entry in structures(madt):
        if entry[0] == GICC:
            offsets.append(offset)
        offset += len(entry)
    return offsets


def gicc_flags(madt: bytes) -> list[int]:
    return [struct.unpack_from("<I", madt, offset + _GICC_FLAGS)[0] for offset in gicc_offsets(madt)]


def with_gicc_flags(madt: bytes, flags: dict[int, int]) -> bytes:
    """The MADT with the flags of some GICCs replaced; the keys are positions in the table."""
    edited = bytearray(madt)
    offsets = gicc_offsets(madt)
    for position, value in flags.items():
        struct.pack_into("<I", edited, offsets[position] + _GICC_FLAGS, value)
    return seal(edited)


def structures(madt: bytes) -> list[bytes]:
    """The structures of a MADT that is in order."""
    found = []
    offset = MADT_ENTRIES
    while offset < len(madt):
        if madt[offset + 1] < 2:
            raise ValueError(f"entry of length {madt[offset + 1]} at {offset} of the MADT")
        found.append(madt[offset:offset + madt[offset + 1]])
        offset += madt[offset + 1]
    return found


def with_structures(madt: bytes, entries: Iterable[bytes]) -> bytes:
    """The MADT with other structures in the place of its own."""
    return seal(bytearray(madt[:MADT_ENTRIES] + b"".join(entries)))


def with_gicrs(madt: bytes, *ranges: tuple[int, int] | bytes) -> bytes:
    """The MADT with these GICR structures, (base, length) or whole ones, in the place of its own."""
    gicrs = [entry if isinstance(entry, bytes) else struct.pack("<BBHQI", GICR, 16, 0, *entry) for entry in ranges]
    return with_structures(madt, [entry for entry in structures(madt) if entry[0] != GICR] + gicrs)


def with_gicr_in_gicc(madt: bytes, bases: dict[int, int]) -> bytes:
    """The MADT without GICR structures; GICCs, by their position, have the redistributor's address instead."""
    edited = bytearray(madt)
    for position, base in bases.items():
        struct.pack_into("<Q", edited, gicc_offsets(madt)[position] + _GICC_GICR_BASE, base)
    return with_gicrs(bytes(edited))


def fadt_version(fadt: bytes) -> tuple[int, int]:
    """Major and minor; the upper half of the byte of the minor version is that of an erratum."""
    return fadt[_FADT_MAJOR], fadt[_FADT_MINOR] & 0xF


def with_fadt_version(fadt: bytes, major: int, minor: int) -> bytes:
    edited = bytearray(fadt)
    edited[_FADT_MAJOR] = major
    edited[_FADT_MINOR] = minor
    return seal(edited)


def without_hypervisor_vendor(fadt: bytes) -> bytes:
    edited = bytearray(fadt)
    edited[268:276] = bytes(8)
    return seal(edited)


def with_memory_affinity(srat: bytes, base: int, size: int, node: int) -> bytes:
    """The SRAT with one more range of memory."""
    return seal(bytearray(srat + struct.pack("<BBIHQQIIQ", 1, 40, node, 0, base, size, 0, 1, 0)))


def edit_asl(table: bytes, edit: Callable[[str], str]) -> bytes:
    """A definition block, disassembled, edited as text and compiled again."""
    with tempfile.TemporaryDirectory() as directory:
        aml = pathlib.Path(directory) / "table.aml"
        aml.write_bytes(table)
        _iasl("-d", aml)
        text = edit(aml.with_suffix(".dsl").read_text())
    return compile_asl(re.sub(r'^(DefinitionBlock \(.*, )0x([0-9A-F]+)\)$',
                              lambda match: f"{match[1]}0x{int(match[2], 16) + 1:08X})", text, count=1, flags=re.M))


def with_more(text: str, asl: str) -> str:
    """The source of a definition block with more at its beginning."""
    text, count = re.subn(r"^{", lambda _: "{\n" + asl, text, count=1, flags=re.M)
    assert count == 1, "no definition block"
    return text


def compile_asl(text: str) -> bytes:
    """A definition block or a data table, from its source."""
    with tempfile.TemporaryDirectory() as directory:
        source = pathlib.Path(directory) / "table.asl"
        source.write_text(text)
        _iasl("-p", source.with_suffix(""), source)
        return source.with_suffix(".aml").read_bytes()


def _iasl(*arguments: object) -> None:
    done = subprocess.run(["iasl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise GuestError(f"iasl {arguments}: {done.stdout}{done.stderr}")


def initrd(*tables: bytes) -> bytes:
    """A cpio, to go before the initramfs, with tables that take the place of the firmware's."""
    archive = Archive()
    for number, table in enumerate(tables):
        archive.file(f"kernel/firmware/acpi/{table[:4].decode()}{number}.aml", table)
    return archive.pack()
