"""make fuzz: what reads the MADT and _MAT gives no report; without one of its checks it does, in seconds."""

import os
import re
import shlex
import subprocess

import pytest

from cpuhp import madt, paths

RUNS = 300000
SEED = 37
SECONDS = 60        # for a machine that is busy; what is missing is found in three seconds, an endless loop in nine


@pytest.fixture
def fuzz(directory, linux):
    """fuzz(argument..., status=0): what tools/fuzz prints; what it writes is in the test's directory."""
    def run(*arguments, status=0, out=directory, **env):
        command = [paths.ROOT / "tools" / "fuzz", f"--linux={linux}", f"--out={out}", f"--seconds={SECONDS}",
                   f"--seed={SEED}", *arguments]
        done = subprocess.run(command, cwd=paths.ROOT, env={**os.environ, **env}, text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=4 * SECONDS, check=False)
        assert done.returncode == status, done.stdout[-4000:]
        return done.stdout
    return run


@pytest.fixture
def without(directory, linux):
    """without(check): a gicc.c that lacks it."""
    def written(what):
        source = paths.ROOT / "work" / f"linux-{linux}" / madt.GICC_C
        (directory / "gicc.c").write_text(madt.broken(source.read_text(), what))
        return directory / "gicc.c"
    return written


def test_clean(fuzz):
    """No VM: a short run from the corpus of the project, on a machine that has no QEMU."""
    last = fuzz(f"--runs={RUNS}", CPUHP_QDIR="/nowhere").splitlines()[-1]
    match = re.fullmatch(r"fuzz: (\d+) executions, \d+/s, (\d+) of \d+ edges of gicc\.c covered, no report", last)
    assert match and int(match[1]) >= RUNS and int(match[2]), last


@pytest.mark.once
@pytest.mark.parametrize("what", madt.BROKEN)
def test_must_find(fuzz, without, what):
    """No VM: a check that is missing is found."""
    said = fuzz(f"--gicc={without(what)}", status=1)
    assert re.search("ERROR: AddressSanitizer|ERROR: libFuzzer: timeout|^violated: ", said, re.M), said


@pytest.mark.once
def test_report(fuzz, without, directory):
    """No VM: the input and the report are where it says; its last line runs the input again, which gicc.c takes."""
    said = fuzz(f"--gicc={without('more CPUs than room')}", status=1)
    match = re.search(r"^fuzz: the input is (\S+), the report (\S+); run it again:\n    (.*)\n\Z", said, re.M)
    assert match, said
    unit, report = (paths.ROOT / match[number] for number in (1, 2))
    assert unit.parent == report.parent == directory and unit.stat().st_size
    assert "ERROR: AddressSanitizer" in report.read_text() and report.read_text() in said

    again = shlex.split(match[3])
    assert again[0] == "tools/fuzz"
    assert "ERROR: AddressSanitizer" in fuzz(*again[1:], status=1, out=directory / "again")
    assert fuzz(unit, out=directory / "again").splitlines()[-1] == "fuzz: no report"


@pytest.mark.once
def test_no_clang(fuzz, directory):
    """No VM: one line says what to install."""
    said = fuzz(status=1, PATH=str(directory))
    assert re.fullmatch(r"error: clang is missing: apt-get install .*clang libclang-rt-dev\n", said), said
