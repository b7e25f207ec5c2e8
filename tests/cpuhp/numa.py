"""A guest with two nodes."""

from typing import Any, Callable

from . import paths, tables

# Debian 13's: tools/kitlib/firmware.py
FIRMWARE = paths.OUT / "firmware" / "QEMU_EFI.fd"
# Debian 12's firmware reports this flash as memory. Linux wants a node for all memory, and QEMU's SRAT has only RAM, so the
# kernel falls back to one node ("Faking a node"), unless the SRAT gets an entry for the flash.
FLASH = (0x04000000, 0x04000000)


def two_nodes(smp: str, first: str, second: str, qemu_patched: bool = True, memoryless: bool = False) -> dict[str, Any]:
    """The words of a VM with those CPUs on the first and on the second node, which may be one without memory.

    Its firmware is Debian 13's, which describes the memory as the SRAT does.
    """
    args = ("-object", "memory-backend-ram,id=m0,size=300M", "-numa", f"node,nodeid=0,cpus={first},memdev=m0")
    memory = "300M"
    if memoryless:
        args += ("-numa", f"node,nodeid=1,cpus={second}")
    else:
        args += ("-object", "memory-backend-ram,id=m1,size=300M", "-numa", f"node,nodeid=1,cpus={second},memdev=m1")
        memory = "600M"
    return {"smp": smp, "memory": memory, "args": args, "qemu_patched": qemu_patched, "efi": FIRMWARE}


def with_srat(words: dict[str, Any], edit: Callable[[bytes], bytes]) -> dict[str, Any]:
    """The words of that VM with what edit() makes of its SRAT."""
    srat = tables.of_machine(*words["args"], smp=words["smp"], memory=words["memory"],
                             qemu_patched=words["qemu_patched"])["SRAT"]
    return {**words, "tables": tables.initrd(edit(srat))}
