"""make check-all: everything there is to run, suite by suite, and docs/results.md, which says what came of it."""

import dataclasses
import datetime
import fnmatch
import json
import os
import platform
import re
import subprocess
import sys
import time
import typing
import xml.etree.ElementTree as xml
from pathlib import Path

from . import build as kernels, check
from .common import OUT, ROOT, Error, bases, git, given, say, shorten

DOCS = ROOT / "docs"
PAGE = DOCS / "results.md"
RESULTS = DOCS / "results.json"
TOOLS = Path(__file__).resolve().parents[1]
LOGS = OUT / "check-all"
NO_TESTS = 5            # pytest's exit status if it has found none
# What no result depends on, as pathspecs; what only lint's does: documents; and what only some files of tests do, beside a
# program's own.
NOT_TESTED = (":(exclude)docs/results.*", ":(exclude)*/prefixes.good")
TEST_FILES = "tests/test_*.py"
TESTS = (f":(exclude){TEST_FILES}", ":(exclude)tests/conftest.py")
TESTED_IN = {"tools/kitlib/results.py": ("tests/test_house.py",), "tools/kitlib/parts.py": ("tests/test_house.py",),
             "tools/soak": ("tests/test_front_door.py", "tests/test_house.py")}
DOCUMENTS = ("Documentation/", "docs/")     # in patches
LINTED = (":(exclude)docs", ":(exclude)*.md", ":(exclude)linux/files/Documentation", ":(exclude)qemu/files/docs",
          ":(exclude)tools/bench")

HEAD = """\
# Results of `make check-all`

Written by `make check-all` from `docs/results.json`. A row is what the suite gave on the commit that it names, when it
last ran. `make check-all` leaves out a suite that has passed if nothing that it tests has changed since: the commit in its
row may be an older one. If nothing but some files of tests has changed, or failed, it runs these again, and the time is the sum.
`make check-all SUITE=name` runs one suite.

"""


@dataclasses.dataclass(frozen=True)
class Suite:
    """A run of the tests, or a program whose last line says what came of it."""

    name: str
    what: str
    run: typing.Optional[check.Run] = None
    command: tuple = ()
    products: tuple = ()        # of the base @linux, for the command
    linux: object = None

    @property
    def of_code(self):
        """Its result does not depend on documents, nor on messages of patches."""
        return bool(self.run or self.linux)

    def not_tested(self):
        """What its result doesn't depend on, as pathspecs: the series of another kernel base among it.

        Tests that are marked `once` may look at all bases. A program that runs with one base is no test.
        """
        linux = self.run.linux if self.run else self.linux
        if self.run and "once" not in self.run.marks:
            linux = None
        others = [base for base in bases("linux") if linux and base.version != linux.version]
        of_tests = [path for path in TESTED_IN if linux and TOOLS.parent / path not in self.command]
        return [*NOT_TESTED, *(LINTED if self.of_code else ()), *(f":(exclude){path}" for path in of_tests),
                *(TESTS if self.linux else ()),
                *(f":(exclude){base.dir.relative_to(ROOT)}" for base in others)]


def suites():
    """All of them, the ones first that are quick or say most."""
    todo = bases("linux")
    cycles, seconds = given("CYCLES") or "1000", given("SECONDS") or "300"
    found = [Suite("lint", "make lint, every prefix that it does not know", command=(TOOLS / "kit", "lint"))]
    for linux in todo:
        found.append(Suite(linux.name, f"all tests, all dialects, Linux {linux.version}", check.of_base(linux, todo)))
    for linux in todo:
        found.append(Suite(f"{linux.name}-core", f"the tests of the part core, all dialects, Linux {linux.version} with core alone",
                           check.of_base(linux, todo, part="core")))
    for linux in todo:
        found.append(Suite(f"fuzz-{linux.version}", f"make fuzz SECONDS={seconds}", linux=linux, products=("linux",),
                           command=(TOOLS / "fuzz", "--linux", linux.version, "--seconds", seconds)))
    for linux in todo:
        found.append(Suite(f"soak-{linux.version}", f"make soak CYCLES={cycles}", linux=linux, products=("linux",),
                           command=(TOOLS / "soak", "--linux", linux.version, "--cycles", cycles)))
    for debug in sorted(kernels.DEBUG, reverse=True):
        for linux in todo:
            found.append(Suite(f"{linux.name}-{debug}", f"the guest's tests, one dialect each, Linux {linux.version} with {debug}",
                               check.of_base(linux, todo, debug, left_out=["once"], options=("--one-dialect=0",))))
    found.append(Suite("sanitize", f"all tests, one dialect each, Linux {todo[-1].version}, QEMU with ASan and UBSan",
                       check.of_base(todo[-1], todo[-1:], sanitized=True, options=("--one-dialect=1",))))
    return found


def chosen():
    """Those that SUITE= names; all without it."""
    found, wanted = suites(), given("SUITE")
    named = [suite for suite in found if fnmatch.fnmatchcase(suite.name, wanted or "*")]
    if not named:
        raise Error(f"SUITE={wanted}: no suite has such a name; there is {', '.join(suite.name for suite in found)}")
    return named


# --- what it ran on --------------------------------------------------------------

def commit(suite):
    """The project's commit, and whether what was tested is what it says."""
    head = git(ROOT, "rev-parse", "HEAD", check=False) or ""
    return head, bool(head) and not git(ROOT, "status", "--porcelain", "--", ".", *suite.not_tested())


def code_of(patch):
    """What a patch changes but documents, as text."""
    return [part for part in re.split(r"^diff --git a/", patch, flags=re.M)[1:] if not part.startswith(DOCUMENTS)]


def same_code(path, of_commit):
    """True if a patch changed the same code at @of_commit."""
    before = git(ROOT, "show", f"{of_commit}:./{path}", check=False)
    return bool(before and (ROOT / path).exists()) and code_of(before) == code_of((ROOT / path).read_text().rstrip("\n"))


def outdated(suite, result):
    """The files of tests that have changed, or failed, since @result; None if that is not all that has."""
    changed = git(ROOT, "diff", "--name-only", "--no-renames", result["commit"], "--", ".", *suite.not_tested(), check=False)
    if changed is None or result["what"] != suite.what or not result.get("clean") or not commit(suite)[1]:
        return None
    found = {each for path in changed.split() for each in TESTED_IN.get(path, (path,))
             if not (suite.of_code and path.endswith(".patch") and same_code(path, result["commit"]))}
    files = result.get("files")
    if not files:
        return None if found or result["failed"] else []
    if not all(fnmatch.fnmatchcase(path, TEST_FILES) for path in {*found, *files}):
        return None
    return sorted(found | {path for path, (_, failed, _) in files.items() if failed})


def host():
    """CPU model, cores, memory and system of this machine, in words."""
    def first(path, pattern):
        match = re.search(pattern, Path(path).read_text(), re.M) if Path(path).exists() else None
        return match[1] if match else ""

    model = first("/proc/cpuinfo", r"^model name\s*: (.*)$") or platform.machine()
    memory = round(int(first("/proc/meminfo", r"^MemTotal:\s*(\d+)") or 0) / 2**20)
    system = first("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)')
    return ", ".join(filter(None, [model, f"{os.cpu_count()} CPUs", f"{memory} GB", system]))


# --- running ---------------------------------------------------------------------

def failures(report):
    """The names of the tests that failed."""
    return [f"{case.get('classname')}::{case.get('name')}" for case in xml.parse(report).getroot().iter("testcase")
            if case.find("failure") is not None or case.find("error") is not None]


def by_file(report):
    """{file of tests: [passed, failed, skipped]} of a junit file."""
    files = {}
    for case in xml.parse(report).getroot().iter("testcase"):
        # Of a file that cannot be read, the name is the file's
        path = "/".join((case.get("classname") or case.get("name")).split(".")[:2]) + ".py"
        failed = case.find("failure") is not None or case.find("error") is not None
        files.setdefault(path, [0, 0, 0])[1 if failed else 2 if case.find("skipped") is not None else 0] += 1
    return files


def run_tests(suite, build, of_all, outdated_files=None, before=None):
    """All tests, or those in @outdated_files, whose counts then take the place of what they were in the result @before."""
    build(suite.run.linux.version, [*suite.run.products, *of_all(suite.run.sanitized)])
    run, files, failed = suite.run, {}, []
    if outdated_files:
        files = {path: counts for path, counts in before["files"].items() if path not in outdated_files}
        others = {str(path.relative_to(ROOT)) for path in ROOT.glob(TEST_FILES)} - {*outdated_files}
        run = dataclasses.replace(run, options=(*run.options, *(f"--ignore={path}" for path in sorted(others))))
    code = check.pytest(run, check.report_of(run), "")
    if not (code == NO_TESTS and outdated_files):
        check.counted(run, code)
        if code not in (0, 1):      # interrupted: not all have run
            raise Error(f"pytest ended with status {code}")
        files.update(by_file(check.report_of(run)))
        failed = failures(check.report_of(run))
    passed, bad, skipped = (sum(counts[i] for counts in files.values()) for i in range(3))
    return {"passed": passed, "failed": bad, "skipped": skipped, "failures": failed, "files": dict(sorted(files.items()))}


def run_command(suite, build, of_all):
    if suite.linux:
        build(suite.linux.version, [*suite.products, *of_all(False)])
    log, last = LOGS / f"{suite.name}.log", ""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as out, subprocess.Popen(list(map(str, suite.command)), cwd=ROOT, stdin=subprocess.DEVNULL, text=True,
                                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace") as proc:
        for line in proc.stdout:
            out.write(line)
            say(line.rstrip())
            last = line.strip() or last
    return {"passed": int(not proc.returncode), "failed": int(bool(proc.returncode)), "skipped": 0, "said": last,
            "failures": [last] if proc.returncode else []}


def run_suite(suite, build, of_all, again=None, before=None):
    """What came of a suite, or of its tests in the files @again after a result @before. That it could not run is a failure."""
    head, clean = commit(suite)
    started = time.monotonic() - (before["seconds"] if again else 0)
    try:
        result = run_tests(suite, build, of_all, again, before) if suite.run else run_command(suite, build, of_all)
    except Error as err:
        print(f"error: {err}", file=sys.stderr, flush=True)
        result = {"passed": 0, "failed": 1, "skipped": 0, "failures": [str(err)]}
    return {**result, "what": suite.what, "seconds": round(time.monotonic() - started), "commit": head, "clean": clean,
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"), "host": host()}


def known():
    """What is known of each suite."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def run_all(build, of_all):
    """Runs the suites that SUITE= names, but for those that passed on what is there now; 1 if any failed."""
    todo = chosen()
    if given("KDIR") or given("QDIR"):
        raise Error("check-all is for the project's own sources: leave out KDIR= and QDIR=")
    if not given("NOINSTALL"):
        check.install()
    for suite in todo:
        before = known().get(suite.name)
        again = outdated(suite, before) if before and not given("FORCE") else None
        if again == []:
            say(f"check-all: {suite.name}: passed on this content before (FORCE=1 runs it again)")
            continue
        say(f"check-all: {suite.name}: {suite.what}")
        if again:
            say(f"check-all: {suite.name}: only {' '.join(again)} (FORCE=1 runs all of it)")
        result = run_suite(suite, build, of_all, again, before)
        results = {**known(), suite.name: result}       # another check-all may have run other suites meanwhile
        # After each: what was found stays if the next one never ends.
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        PAGE.write_text(page(results))
        say(f"check-all: {suite.name}: {counts(results[suite.name])} in {duration(results[suite.name]['seconds'])}")
    results = known()
    failed = [suite.name for suite in todo if results[suite.name]["failed"]]
    say(f"check-all: {len(todo) - len(failed)} of {len(todo)} suites passed; {shorten(PAGE)} says what each gave")
    if failed:
        say(f"check-all: failed: {', '.join(failed)}")
    return 1 if failed else 0


# --- the page --------------------------------------------------------------------

def duration(seconds):
    return f"{seconds // 60}:{seconds % 60:02d} min"


def counts(result):
    return result.get("said") or f"{result['passed']} passed, {result['failed']} failed, {result['skipped']} skipped"


def page(results):
    """docs/results.md."""
    order = [suite.name for suite in suites()]
    shown = sorted(results, key=lambda name: (order.index(name) if name in order else len(order), name))
    missing = [name for name in order if name not in results]
    hosts = list(dict.fromkeys(results[name]["host"] for name in shown))
    lines = ["| suite | what | result | time | commit | date | host |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for name in shown:
        result = results[name]
        mark = "**failed**: " if result["failed"] else ""
        where = f"{result['commit'][:12] or '?'}{'' if result['clean'] else ' and edits'}"
        lines.append(f"| {name} | {result['what']} | {mark}{counts(result).replace('|', '/')} | {duration(result['seconds'])} "
                     f"| {where} | {result['date']} | {hosts.index(result['host']) + 1} |")
    lines += ["", *(f"{number}. {text}" for number, text in enumerate(hosts, 1))]
    if missing:
        lines += ["", f"Not run yet: {', '.join(missing)}."]
    failed = [f"- {name}: `{failure}`" for name in shown for failure in results[name]["failures"]]
    if failed:
        lines += ["", "## What failed", "", *failed]
    return HEAD + "\n".join(lines) + "\n"
