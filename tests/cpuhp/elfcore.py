"""Read the core file of a crashed kernel, as /proc/vmcore has it: what is in it, and the state of each CPU."""

import dataclasses
import mmap
import pathlib
import struct

_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_PHDR = struct.Struct("<IIQQQQQQ")
_NHDR = struct.Struct("<III")
_ET_CORE = 4
_EM_AARCH64 = 183
_PT_LOAD = 1
_PT_NOTE = 4
_NT_PRSTATUS = 1
_PR_PID = 32        # of struct elf_prstatus


@dataclasses.dataclass(frozen=True)
class Core:
    """The useful part of a core file."""

    notes: list[tuple[str, int, bytes]]     # name, type, contents
    loads: list[tuple[int, int, int]]       # physical address, offset in the file, length

    def pids(self) -> list[int]:
        """The process that each CPU was running whose registers were saved; 0 is idle."""
        return [struct.unpack_from("<i", data, _PR_PID)[0] for name, kind, data in self.notes
                if (name, kind) == ("CORE", _NT_PRSTATUS)]


def read(path: pathlib.Path) -> Core:
    with path.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as core:
        ident, kind, machine, _, _, phoff, _, _, _, phentsize, phnum, *_ = _EHDR.unpack_from(core)
        if ident[:5] != b"\x7fELF\x02" or (kind, machine, phentsize) != (_ET_CORE, _EM_AARCH64, _PHDR.size):
            raise ValueError(f"{path} is no core file of an arm64 kernel")
        notes, loads = [], []
        for number in range(phnum):
            segment, _, offset, _, physical, size, _, _ = _PHDR.unpack_from(core, phoff + number * _PHDR.size)
            if offset + size > len(core):
                raise ValueError(f"{path}: segment {number} ends at {offset + size} of {len(core)}")
            if segment == _PT_NOTE:
                notes += _notes(core[offset:offset + size])
            elif segment == _PT_LOAD:
                loads.append((physical, offset, size))
        return Core(notes, loads)


def contains(path: pathlib.Path, text: bytes) -> bool:
    with path.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as core:
        return core.find(text) >= 0


def _notes(segment: bytes) -> list[tuple[str, int, bytes]]:
    notes = []
    offset = 0
    while offset + _NHDR.size <= len(segment):
        name_size, size, kind = _NHDR.unpack_from(segment, offset)
        if not name_size:
            break
        name = offset + _NHDR.size
        data = name + _aligned(name_size)
        notes.append((segment[name:name + name_size - 1].decode(), kind, segment[data:data + size]))
        offset = data + _aligned(size)
    return notes


def _aligned(size: int) -> int:
    return size + -size % 4
