"""Row 37: the inventory of GICCs by itself: its KUnit suite in the kernel and in user space, recorded MADTs, damaged ones.

In user space the kernel's own C runs under ASan and UBSan, with the headers of the tree that the Image is built from.
"""

import subprocess

import pytest

from cpuhp import ktap, madt, paths, tables

SUITE = "/sys/kernel/debug/kunit/acpi_gicc/results"
GICC_TEST_C = "drivers/acpi/arm64/gicc_test.c"

RECORDINGS = sorted(path.stem for path in madt.DATA.glob("*.madt"))
TABLES = sorted({*RECORDINGS, *(path.stem for path in madt.DATA.glob("*.asl"))})
MUTATIONS = 20000
SEED = 37
BIG = 64 * 80           # bytes of a table that few mutations are enough for

# What is taken out of gicc.c, and who sees it
BROKEN = [
    ("an entry longer than the rest", "suite"),
    ("the rest shorter than a header", "suite"),
    ("a GICC longer than ours", "suite"),
    ("more CPUs than room", "suite"),
    ("a _MAT that is too short", "suite"),
    ("an entry longer than the rest", "inventory"),
]


@pytest.fixture(scope="module")
def unit(request, tmp_path_factory):
    """compile(program[, gicc.c]): a program of the inventory and its tests, or of tests/unit."""
    tree = paths.ROOT / "work" / f"linux-{request.config.getoption('--linux')}"
    directory = tmp_path_factory.mktemp("unit")
    mains = {"suite": tree / GICC_TEST_C, "inventory": madt.UNIT / "inventory.c"}
    objects = {name: madt.compile_c(tree, directory / f"{name}.o", source) for name, source in mains.items()}

    def compiled(program, edit=lambda text: text):
        name = f"gicc-{len(list(directory.glob('gicc-*.c')))}"
        source = directory / f"{name}.c"
        source.write_text(edit((tree / madt.GICC_C).read_text()))
        return madt.compile_c(tree, directory / f"{program}-{name}", source, objects[program])

    return compiled


@pytest.fixture(scope="module")
def suite(unit):
    return unit("suite")


@pytest.fixture(scope="module")
def inventory(unit):
    return unit("inventory")


def run(*command, status=0):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, f"status {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr}"
    return done.stdout


def test_suite_in_user_space(suite):
    """No VM: the KUnit suite under the sanitizers."""
    results = ktap.results(run(suite), depth=1)
    assert results and set(results.values()) == {"ok"}, results


@pytest.mark.part("hardening")
# No kunit.filter_glob: 6.1 frees the filtered copy of a suite, of which debugfs shows the results.
@pytest.mark.vm(smp="cpus=2,maxcpus=6", append="kunit.enable=1")
def test_suite_in_the_kernel(vm, suite):
    """
    CPU   0 1 | 2 3 4 5     the same cases as in user space pass in the kernel; and its MADT is the one that is recorded
    """
    assert ktap.results(vm.sh(f"cat {SUITE}"), depth=1) == ktap.results(run(suite), depth=1)
    assert tables.read(vm, "APIC") == madt.load("ours-online-capable")


@pytest.mark.parametrize("name", TABLES)
def test_inventory(inventory, directory, name):
    """No VM: what the kernel makes of the table, under each policy of the transcript."""
    table = directory / name
    table.write_bytes(madt.load(name))
    transcript = (madt.DATA / f"{name}.inventory").read_text()
    commands = [line for line in transcript.splitlines() if line.startswith("$ ")]
    today = ""
    for line in commands:
        fadt, hypervisor, disabled, boot, _, *limit = line.split()[2:]
        today += f"{line}\n" + run(inventory, fadt, hypervisor, disabled, boot, table, *limit)
    (directory / f"{name}.inventory").write_text(today)
    assert commands and today == transcript


@pytest.mark.once
@pytest.mark.parametrize("name", RECORDINGS)
def test_recording_is_true(directory, name):
    """No guest: the table that QEMU gives today, and the FADT that is read with it, are those of the recording."""
    recorded = (madt.DATA / f"{name}.madt").read_text()
    today = madt.record(recorded.splitlines()[0])
    (directory / f"{name}.madt").write_text(today)
    assert today == recorded


def damage(name, directory):
    """Arguments of the program `inventory` that damage a table again and again, and how often."""
    table = directory / name
    table.write_bytes(madt.load(name))
    times = MUTATIONS if table.stat().st_size < BIG else MUTATIONS // 100
    return ["6.3", "QEMU", "auto", "0", table, times, SEED], times


@pytest.mark.parametrize("name", TABLES)
def test_damaged_tables(inventory, directory, name):
    """No VM: whatever is wrong with a table, no byte outside is read, ids are unique and the result the same each time."""
    arguments, times = damage(name, directory)
    problems = run(inventory, *arguments)
    assert int(problems.split()[0]) > times / 10, problems


@pytest.mark.parametrize("what, program", BROKEN)
def test_must_fail(unit, directory, what, program):
    """No VM: without one of its checks, the inventory does not get past the sanitizers."""
    arguments = damage("smt", directory)[0] if program == "inventory" else []
    command = [unit(program, lambda text: madt.broken(text, what)), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode and b"ERROR: AddressSanitizer" in done.stderr


def test_must_say_not_ok(unit):
    """No VM: a wrong rule is a case that is not ok, the others are, and the status says so."""
    program = unit("suite", lambda text: text.replace("policy->fadt_minor >= 5", "policy->fadt_minor >= 6"))
    results = ktap.results(run(program, status=1), depth=1)
    assert [name for name, verdict in results.items() if verdict != "ok"] == ["gicc_test_disabled"]
