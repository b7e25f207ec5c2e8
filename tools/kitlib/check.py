"""make lint and make check."""

import os
import subprocess
import sys
import xml.etree.ElementTree as xml

from . import lint
from .common import OUT, ROOT, Error, bases, base as find, say


def run_lint():
    """Prints each check and what it found; 1 if anything was found."""
    bad = 0
    for name, check, base in lint.checks():
        found = lint.problems(check, base)
        say(f"{'FAIL' if found else 'ok  '}  {name}: {check.__doc__}")
        for line in found:
            say(f"      {line}")
        bad += bool(found)
    say(f"lint: {bad} of {len(lint.checks())} checks failed" if bad
        else f"lint: {len(lint.checks())} checks passed")
    return 1 if bad else 0


def count(report):
    """(passed, failed, skipped) of a junit file."""
    total = failed = skipped = 0
    for suite in xml.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests"))
        failed += int(suite.get("failures")) + int(suite.get("errors"))
        skipped += int(suite.get("skipped"))
    return max(0, total - failed - skipped), failed, skipped


def run_check(build):
    """Builds what the tests need and runs them; always ends with the count.

    @build(version) builds for one Linux base. A build that fails is a test
    that failed.
    """
    version, only = os.environ.get("LINUX"), os.environ.get("TEST")
    passed = failed = skipped = 0
    try:
        for number, linux in enumerate([find("linux", version)] if version else bases("linux")):
            report = OUT / "check" / f"{linux.name}.xml"
            report.parent.mkdir(parents=True, exist_ok=True)
            report.unlink(missing_ok=True)
            build(linux.version)
            command = ["/usr/bin/python3", "-m", "pytest", "tests", "-v", "-ra", "--color=auto",
                       f"--linux={linux.version}", f"--junitxml={report}",
                       "-p", "no:cacheprovider"]
            if only:
                command += ["-k", only]
            if number:      # these look at the whole project, whatever the base
                command += ["--ignore=tests/test_house.py", "--ignore=tests/test_lint.py"]
            env = {**os.environ, "CPUHP_ROOT": str(ROOT), "LINUX": linux.version,
                   "PYTHONDONTWRITEBYTECODE": "1"}
            code = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL).returncode
            if code == 5:   # nothing matched
                raise Error(f"TEST={only}: no test has such a name" if only else "no tests found")
            if not report.exists():
                raise Error(f"pytest ended with status {code} and without a report")
            now = count(report)
            passed, failed, skipped = (a + b for a, b in zip((passed, failed, skipped), now))
            if code and not now[1]:
                raise Error(f"pytest ended with status {code}")
    except Error as err:
        print(f"error: {err}", file=sys.stderr, flush=True)
        failed += 1
    finally:
        say(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
