"""A guest with two nodes."""

from typing import Any, Callable

from . import tables

# Debian 12's firmware reports this flash as memory, Linux wants a node for all memory, and QEMU's SRAT has only RAM:
# without one more entry in the SRAT the kernel gives up on NUMA.
_FLASH = (0x04000000, 0x04000000)


def two_nodes(smp: str, first: str, second: str, qemu_patched: bool = True, memoryless: bool = False,
              edit: Callable[[bytes], bytes] = bytes) -> dict[str, Any]:
    """The words of a VM with those CPUs on the first and on the second node, which may be one without memory.

    What edit() makes of the SRAT is what the guest gets.
    """
    args = ("-object", "memory-backend-ram,id=m0,size=300M", "-numa", f"node,nodeid=0,cpus={first},memdev=m0")
    memory = "300M"
    if memoryless:
        args += ("-numa", f"node,nodeid=1,cpus={second}")
    else:
        args += ("-object", "memory-backend-ram,id=m1,size=300M", "-numa", f"node,nodeid=1,cpus={second},memdev=m1")
        memory = "600M"
    srat = tables.of_machine(*args, smp=smp, memory=memory, qemu_patched=qemu_patched)["SRAT"]
    return {"smp": smp, "memory": memory, "args": args, "qemu_patched": qemu_patched,
            "tables": tables.initrd(edit(tables.with_memory_affinity(srat, *_FLASH, 0)))}
