"""Read the blobs that QEMU gives to firmware, through qtest: no guest runs."""

from __future__ import annotations

import pathlib
import struct
from typing import TYPE_CHECKING

from . import paths

if TYPE_CHECKING:      # not for those who only take tables apart: make fuzz needs no QEMU
    from qemu.machine.qtest import QEMUQtestMachine

_DMA_REGISTER = 0x09020010      # fw_cfg of the virt machine
_SCRATCH = 0x40000000           # start of its RAM
_BUFFER = _SCRATCH + 0x1000
_DIRECTORY = 0x19
_READ_SELECTED = 0x2 | 0x8


def _read(machine: QEMUQtestMachine, key: int, size: int) -> bytes:
    control = struct.pack(">IIQ", key << 16 | _READ_SELECTED, size, _BUFFER)
    machine.qtest(f"write 0x{_SCRATCH:x} {len(control)} 0x{control.hex()}")
    # the register is big-endian, and so is the order of its two halves: the low one starts the transfer
    machine.qtest(f"writel 0x{_DMA_REGISTER:x} 0")
    machine.qtest(f"writel 0x{_DMA_REGISTER + 4:x} 0x{int.from_bytes(struct.pack('>I', _SCRATCH), 'little'):x}")
    status, = struct.unpack(">I", bytes.fromhex(machine.qtest(f"read 0x{_SCRATCH:x} 4").split()[1][2:]))
    if status:
        raise RuntimeError(f"fw_cfg DMA of key {key:#x}: status {status:#x}")
    return bytes.fromhex(machine.qtest(f"read 0x{_BUFFER:x} {size}").split()[1][2:])


def read_all(binary: pathlib.Path, *arguments: str) -> dict[str, bytes]:
    """Every ACPI blob of a machine, by its fw_cfg name."""
    paths.use_qemu_python()
    from qemu.machine.qtest import QEMUQtestMachine

    with QEMUQtestMachine(str(binary), [*arguments, "-nodefaults", "-bios", str(paths.FIRMWARE)]) as machine:
        machine.launch()
        count, = struct.unpack(">I", _read(machine, _DIRECTORY, 4))
        directory = _read(machine, _DIRECTORY, 4 + 64 * count)[4:]
        blobs = {}
        for size, key, name in struct.iter_unpack(">IHxx56s", directory):
            name = name.rstrip(b"\0").decode()
            if name.startswith("etc/acpi/") or name == "etc/table-loader":
                blobs[name] = _read(machine, key, size)
        return blobs


def tables(blobs: dict[str, bytes]) -> dict[str, bytes]:
    """The tables in what read_all() returns, by signature; "" is what follows the last one."""
    blob = blobs["etc/acpi/tables"]
    found = {}
    offset = 0
    while blob[offset:offset + 4].strip(b"\0"):
        length = int.from_bytes(blob[offset + 4:offset + 8], "little")
        found[blob[offset:offset + 4].decode()] = blob[offset:offset + length]
        offset += length
    return found | {"": blob[offset:]}
