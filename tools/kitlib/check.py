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
# What tests run with, of each base; of the last one too; and the debug kernel for a closer look.
OF_EACH = ("linux", "linux-base")
OF_LAST = ("linux-off",)
CLOSER = "lockdep"


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
    products: tuple         # to be built for it, of this base
    marks: str = ""         # of tests, as pytest -m wants it
    debug: str = ""         # the guest's kernel is the debug kernel of that name,
    part: str = ""          # or has the series up to the end of this part
    sanitized: bool = False     # QEMU is the one with sanitizers
    options: tuple = ()

    @property
    def name(self):
        return "-".join(filter(None, [self.linux.name, self.debug, self.part, "sanitize" if self.sanitized else ""]))


def of_base(linux, todo, debug="", part="", **words):
    """The run of all tests that want the base @linux of @todo, or one of its other kernels."""
    once = [] if linux is todo[0] and not part else ["once"]
    last = [] if linux is todo[-1] else ["last"]
    if debug:       # debug kernels are compared with one another only
        products = (f"linux-{debug}",)
    elif part:
        products = (f"linux-{part}", "linux-base")
    else:
        products = OF_EACH + (OF_LAST if linux is todo[-1] else ())
    left_out = dict.fromkeys([*once, *last, *words.pop("left_out", ())])
    return Run(linux, products, f"not ({' or '.join(left_out)})" if left_out else "", debug=debug, part=part, **words)


def plan(todo):
    """What make check runs if nothing is asked for.

    Each base of @todo, the first part of the last one alone, and what is marked
    `closer` once more with a debug kernel of the last one: that is slow, and
    takes the same locks in each dialect. Tests take turns with the dialects,
    so that each meets another one in each run; make check-all runs all.
    """
    last = todo[-1]
    runs = [of_base(linux, todo, left_out=["check_all"], options=(f"--one-dialect={number}",)) for number, linux in enumerate(todo)]
    runs[-1] = dataclasses.replace(runs[-1], products=OF_EACH)      # all that is with OF_LAST is left to check-all
    return [*runs, of_base(last, todo, part="core", left_out=["check_all"], options=(f"--one-dialect={len(todo)}",)),
            Run(last, (f"linux-{CLOSER}",), "closer", debug=CLOSER, options=("--one-dialect=0",))]


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
    if run.part:
        command.append(f"--part={run.part}")
    if run.sanitized:
        command.append("--sanitized-qemu")
    if only:
        command += ["-k", only]
    if run.marks:
        command += ["-m", run.marks]
    env = {**os.environ, "CPUHP_ROOT": str(ROOT), "CPUHP_LINUX": run.linux.version,
           "PYTHONDONTWRITEBYTECODE": "1", **HUGE_HEAP}
    return subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL).returncode


def report_of(run):
    return OUT / "check" / f"{run.name}.xml"


def counted(run, code):
    """(passed, failed, skipped) of a run that ended with that status."""
    if not report_of(run).exists():
        raise Error(f"pytest ended with status {code} and without a report")
    now = count(report_of(run))
    if code and not now[1]:
        raise Error(f"pytest ended with status {code}")
    return now


def asked_for():
    """The runs of make check, as its variables want them."""
    version, debug, part = map(given, ("LINUX", "DEBUG", "PART"))
    sanitized = bool(given("QEMU_SANITIZE"))
    one = version or given(KINDS["linux"])      # the user's tree is of one base
    todo = [find("linux", version)] if one else bases("linux")
    if not (one or debug or part or sanitized or given("TEST")):
        return plan(todo)
    return [of_base(linux, todo, debug, part, sanitized=sanitized) for linux in todo]


def run_check(build, of_all):
    """Builds what the tests need and runs them; always ends with the count.

    @build(version, products) builds for one Linux base; @of_all(sanitized) is
    what does not differ from base to base. Whatever is built next to something
    else fills the gaps that a single step leaves; tests have their time limits,
    and come before the build of the run that follows. A build that fails is a
    test that failed.
    """
    only = given("TEST")
    passed = failed = skipped = 0
    empty = True
    try:
        runs = asked_for()
        for run, following in zip(runs, [*runs[1:], None]):
            others = of_all(run.sanitized)
            if run is runs[0]:
                with install_meanwhile(), build_meanwhile("qemu", run.linux, others):
                    build(run.linux.version, run.products)
                install()
            build(run.linux.version, [*run.products, *others])
            with contextlib.ExitStack() as besides:
                if following:
                    besides.enter_context(build_meanwhile(following.name, following.linux, following.products, 5))
                code = pytest(run, report_of(run), only)
            if code == 5:           # nothing of that name with this kernel
                continue
            empty = False
            passed, failed, skipped = (a + b for a, b in zip((passed, failed, skipped), counted(run, code)))
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
