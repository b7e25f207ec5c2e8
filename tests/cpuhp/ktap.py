"""Read KTAP: what KUnit and kselftest say."""

import re


def results(ktap: str, depth: int = 0) -> dict[str, str]:
    """{test: "ok", "not ok" or "skip"} at a depth of nesting; raises unless each test of the plan is there once.

    Those that were skipped may have one name for all.
    """
    indent = " " * 4 * depth
    plans = re.findall(rf"^{indent}1\.\.(\d+)$", ktap, re.M)
    found = re.findall(rf"^{indent}(ok|not ok) (\d+) (?:- )?(.*?)(?: # (SKIP\b.*)?.*)?$", ktap, re.M)
    numbers = [int(number) for _, number, _, _ in found]
    if len(plans) != 1 or not numbers or numbers != list(range(1, int(plans[0]) + 1)):
        raise ValueError(f"plan {plans}, results {numbers}:\n{ktap}")
    verdicts = [(name, "skip" if skip else verdict) for verdict, _, name, skip in found]
    names = [name for name, verdict in verdicts if verdict != "skip"] + [*{name for name, v in verdicts if v == "skip"}]
    if len(set(names)) != len(names):
        raise ValueError(f"two tests of one name:\n{ktap}")
    return dict(verdicts)
