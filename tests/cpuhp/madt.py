"""MADTs as text, and what the kernel's inventory of GICCs makes of them in user space.

A recording is the table as the guest sees it, after EDK2: one structure a line, in hex, below the machine that it is of.
(iasl's text will not do: Debian 12's loses the online-capable flag.)  What is made up by hand is ASL.
"""

import pathlib
import shlex
import subprocess

from . import fwcfg, paths, tables

DATA = paths.ROOT / "tests" / "data" / "madt"
UNIT = paths.ROOT / "tests" / "unit"
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

GICC_C = "drivers/acpi/arm64/gicc.c"
# A line of gicc.c, and what takes its place in a test that must fail
BROKEN = {
    "an entry longer than the rest": (" ||\n\t    entry->length > left", ""),
    "the rest shorter than a header": ("left < sizeof(*entry) ||", ""),
    "an entry shorter than a header": (" || entry->length < sizeof(*entry)", ""),
    "a GICC longer than ours": ("min_t(size_t, from->header.length, sizeof(*to))", "from->header.length"),
    "more CPUs than room": ("if (inv->nr >= inv->max)", "if (inv->nr > inv->max)"),
    "a _MAT that is too short": ("len < GICC_MIN_LENGTH ||", ""),
    "a _MAT that is cut off": (" || mat->header.length > len", ""),
    "an MPIDR that none can have": ("return !(mpidr & ~MPIDR_HWID_BITMASK);", "return true;"),
    "a UID that is taken": ("if (gicc_classify(gicc) != GICC_ENABLED)\n\t\t\treturn false;", ""),
    "the order of the MADT": ("if (nr <= inv->nr_enabled)", "if (nr)"),
}

_QEMU = {"QEMU with our series": True, "unpatched QEMU": False}


def text(madt: bytes) -> str:
    """One structure a line, in groups of four bytes."""
    lines = []
    offset = 0
    while offset < len(madt):
        length = madt[offset + 1] if offset else tables.MADT_ENTRIES
        lines.append(madt[offset:offset + length].hex(" ", -4))
        offset += length
    return "\n".join(lines) + "\n"


def record(machine: str) -> str:
    """What a machine, in the words of a recording's first line, has today; no guest runs."""
    which, _, arguments = machine.removeprefix("# ").partition(": ")
    found = fwcfg.tables(fwcfg.read_all(paths.qemu(_QEMU[which]), *shlex.split(arguments)))
    fadt = found["FACP"]
    major, minor = tables.fadt_version(fadt)
    vendor = fadt[268:276].rstrip(b"\0").decode()
    return f"# {which}: {arguments}\n# FADT {major}.{minor}, {vendor}\n" + text(tables.checksummed(found["APIC"]))


def load(name: str) -> bytes:
    """A table of tests/data/madt."""
    source = DATA / f"{name}.asl"
    if source.exists():
        return tables.compile_asl(source.read_text())
    lines = (DATA / f"{name}.madt").read_text().splitlines()
    return bytes.fromhex("".join(line for line in lines if not line.startswith("#")))


def compile_c(tree: pathlib.Path, output: pathlib.Path, *sources: pathlib.Path,
              compiler: str = "gcc", flags: tuple[str, ...] = ()) -> pathlib.Path:
    """An object or a program, from a kernel tree and with its ACPI headers, that ends at whatever the sanitizers find."""
    subprocess.run([compiler, "-std=gnu11", "-g", "-O1", "-Wall", "-Werror", *SANITIZERS, *flags, f"-I{UNIT / 'shim'}",
                    "-idirafter", tree / "include", *(["-c"] if output.suffix == ".o" else []), "-o", output, *sources],
                   check=True)
    return output


def broken(source: str, what: str) -> str:
    """The text of gicc.c without one of its checks."""
    line, instead = BROKEN[what]
    assert source.count(line) == 1, f"gicc.c has changed: {line}"
    return source.replace(line, instead)
