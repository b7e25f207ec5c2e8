"""make lint and make check."""

import contextlib
import dataclasses
import importlib.util
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

from . import lint
from .build import HUGE_HEAP
from .common import JOBS, KINDS, OUT, ROOT, Error, bases, base as find, given, say

KIT = Path(__file__).resolve().parents[1] / "kit"
INSTALL = [KIT.with_name("install"), "check"]       # what only tests need
# Tests at a time: a guest's load is mostly one CPU's, and it waits now and then.
WORKERS = min(JOBS + 1, 4) if JOBS > 1 else 1
# Only tests that run with the last base want these: it is built next to tests.
OF_LAST = ("linux-off",)


def run_lint():
    """Prints each check and what it found; 1 if anything was found."""
    only = given("TEST")
    checks = [entry for entry in lint.checks() if only in entry[0]]
    if not checks:
        raise Error(f"TEST={only}: no check has such a name; there are "
                    f"{', '.join(name for name, _, _ in lint.checks())}")
    bad = 0
    for name, check, base in checks:
        found = lint.problems(check, base)
        say(f"{'FAIL' if found else 'ok  '}  {name}: {check.__doc__}")
        for line in found:
            say(f"      {line}")
        bad += bool(found)
    say(f"lint: {bad} of {len(checks)} checks failed" if bad else f"lint: {len(checks)} checks passed")
    return 1 if bad else 0


def count(report):
    """(passed, failed, skipped) of a junit file."""
    total = failed = skipped = 0
    for suite in xml.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests"))
        failed += int(suite.get("failures")) + int(suite.get("errors"))
        skipped += int(suite.get("skipped"))
    return max(0, total - failed - skipped), failed, skipped


@contextlib.contextmanager
def meanwhile(name, *command, nice=0):
    """Runs @command, @nice to what else goes on.

    It stays in our session: to the kernel's autogroups each session is as nice
    as the other.

    At the end it waits for the command, and shows how far it is. A failure is
    left to who runs it again when it must have been done, and says so.
    """
    log = OUT / "check" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as out:
        proc = subprocess.Popen(["nice", "-n", str(nice), *command], stdin=subprocess.DEVNULL,
                                stdout=out, stderr=subprocess.STDOUT, process_group=0)
    try:
        yield
        with open(log) as text:
            text.seek(0, os.SEEK_END)
            while proc.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    proc.wait(1)
                for line in text:
                    say(line.rstrip())
    finally:
        if proc.poll() is None:
            os.killpg(proc.pid, signal.SIGTERM)     # with its make and compilers
            proc.wait()


def build_meanwhile(name, linux, products, nice=0):
    """Builds @products, for @linux."""
    return meanwhile(f"{name}-build", KIT, "--linux", linux.version, "build", *products, nice=nice)


def install_meanwhile():
    """Installs what only tests need."""
    return contextlib.nullcontext() if given("NOINSTALL") else meanwhile("install", *INSTALL)


def install():
    """The same, unless it is done."""
    if not given("NOINSTALL") and subprocess.run(INSTALL).returncode:
        raise Error("what the tests need cannot be installed")


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of the tests."""

    linux: object
    debug: str          # the guest's kernel is the debug kernel of that name
    marks: str          # of tests, as pytest -m wants it
    products: list      # to be built for it
    options: tuple = ()

    @property
    def name(self):
        return "-".join(filter(None, [self.linux.name, self.debug]))


def plan(todo, of_base, debug, closer):
    """Each base of @todo, and what is marked `closer` once more with that debug kernel of the last one.

    A debug kernel is slow, and takes the same locks in each dialect: once is enough.
    """
    runs = []
    for linux in todo:
        left_out = [mark for mark, of in (("once", todo[0]), ("last", todo[-1])) if linux is not of]
        runs.append(Run(linux, debug, f"not ({' or '.join(left_out)})" if left_out else "",
                        [name for name in of_base if linux is todo[-1] or name not in OF_LAST]))
    if closer:
        runs.append(Run(todo[-1], closer, "closer", [f"linux-{closer}"], ("--one-dialect",)))
    return runs


def pytest(run, report, only):
    """Runs the tests; the exit status."""
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = ["/usr/bin/python3", "-m", "pytest", "tests", "-v", "-ra", "--color=auto",
               f"--linux={run.linux.version}", f"--junitxml={report}", "-p", "no:cacheprovider", *run.options]
    if WORKERS > 1 and importlib.util.find_spec("xdist"):
        command += ["-n", str(WORKERS), "--dist", "loadgroup"]
    if run.debug:
        command.append(f"--debug-kernel={run.debug}")
    if given("QEMU_SANITIZE"):
        command.append("--sanitized-qemu")
    if only:
        command += ["-k", only]
    if run.marks:
        command += ["-m", run.marks]
    env = {**os.environ, "CPUHP_ROOT": str(ROOT), "CPUHP_LINUX": run.linux.version,
           "PYTHONDONTWRITEBYTECODE": "1", **HUGE_HEAP}
    return subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL).returncode


def run_check(build, of_base, of_all, closer=""):
    """Builds what the tests need and runs them; always ends with the count.

    @build(version, products) builds for one Linux base; @of_base is what
    differs from base to base, @of_all what does not; @closer is the debug
    kernel that some tests run with once more, unless the user names a base, a
    test or a debug kernel. Whatever is built next to something else fills the
    gaps that a single step leaves; tests have their time limits, and come before
    the build of the run that follows. A build that fails is a test that failed.
    """
    version, only, debug = map(given, ("LINUX", "TEST", "DEBUG"))
    passed = failed = skipped = 0
    empty = True
    try:
        one = version or given(KINDS["linux"])     # the user's tree is of one base
        todo = [find("linux", version)] if one else bases("linux")
        runs = plan(todo, of_base, debug, "" if one or only or debug else closer)
        for run, following in zip(runs, [*runs[1:], None]):
            report = OUT / "check" / f"{run.name}.xml"
            if run is runs[0]:
                with install_meanwhile(), build_meanwhile("qemu", run.linux, of_all):
                    build(run.linux.version, run.products)
                install()
            build(run.linux.version, [*run.products, *of_all])
            with contextlib.ExitStack() as besides:
                if following:
                    besides.enter_context(build_meanwhile(following.name, following.linux, following.products, 5))
                code = pytest(run, report, only)
            if code == 5:           # nothing of that name with this kernel
                continue
            empty = False
            if not report.exists():
                raise Error(f"pytest ended with status {code} and without a report")
            now = count(report)
            passed, failed, skipped = (a + b for a, b in zip((passed, failed, skipped), now))
            if code and not now[1]:
                raise Error(f"pytest ended with status {code}")
        if empty:
            raise Error(f"TEST={only}: no test has such a name" if only else "no tests found")
    except Error as err:
        print(f"error: {err}", file=sys.stderr, flush=True)
        failed += 1
    except Exception:
        failed += 1
        raise
    finally:
        say(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
