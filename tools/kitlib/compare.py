"""make compare: the same series on two bases, side by side."""

import contextlib
import sys
import tempfile
from pathlib import Path

from . import tree
from .common import Error, NewFile, base as find, git, say


class Series:
    """The series of one base as commits, with every new file where files/ has it."""

    def __init__(self, base):
        self.base = base
        base_sha = tree.known_base(base)
        # Where a kernel has another place for a file is no difference.
        entries = [(patch, [NewFile(source, source) for _, source in new])
                   for patch, new in base.series()]
        tip = tree.generate(base, base_sha, entries)
        self.commits = tree.commits(base.tree, base_sha, tip)
        self.subjects = [git(base.tree, "log", "-1", "--format=%s", commit)
                         for commit in self.commits]


def pairs(left, right):
    """[(number in @left or None, number in @right or None)] of two lists of subjects.

    In the order of @right; what only @left has stands where it would come.
    """
    found, done = [], set()
    for number, subject in enumerate(right):
        match = next((n for n, text in enumerate(left) if text == subject and n not in done), None)
        if match is not None:
            alone = [n for n in range(match) if n not in done and left[n] not in right]
            found += [(n, None) for n in alone]
            done |= {match, *alone}
        found.append((match, number))
    return found + [(n, None) for n in range(len(left)) if n not in done]


@contextlib.contextmanager
def both(left, right):
    """A repository that sees the objects of both trees."""
    with tempfile.TemporaryDirectory(prefix="kit-") as scratch:
        git(scratch, "init", "-q", "--bare")
        (Path(scratch) / "objects/info/alternates").write_text(
            "".join(f"{(entry.base.tree / '.git/objects').resolve()}\n" for entry in (left, right)))
        yield scratch


def range_diff(repo, old, new, *options):
    """The lines of git range-diff of two single commits, which it must take for a pair."""
    return git(repo, "range-diff", "--creation-factor=10000", *options,
               f"{old}^..{old}", f"{new}^..{new}").splitlines()


def chosen(variable, version):
    if not version:
        raise Error(f"{variable}= is missing: make compare A=<version> B=<version>")
    return find("linux", version, variable)


def compare(first, second):
    """Prints a line for each subject, then the range-diff of the patches that differ."""
    left, right = chosen("A", first), chosen("B", second)
    if left.version == right.version:
        raise Error(f"A and B are both {left.version}: name two bases")
    left, right = Series(left), Series(right)
    names = [left.base.version, right.base.version]
    width = max(4, *map(len, names))
    differing, count = [], {"=": 0, "!": 0, "<": 0, ">": 0}
    with both(left, right) as repo:
        say(f"{names[0]:>{width}}   {names[1]:>{width}}")
        for a, b in pairs(left.subjects, right.subjects):
            if b is None:
                sign = "<"
            elif a is None:
                sign = ">"
            else:
                sign = "=" if len(range_diff(repo, left.commits[a], right.commits[b])) == 1 else "!"
            count[sign] += 1
            subject = left.subjects[a] if b is None else right.subjects[b]
            numbers = ["-" if n is None else n + 1 for n in (a, b)]
            line = f"{numbers[0]:>{width}} {sign} {numbers[1]:>{width}}  {subject}"
            say(line)
            if sign == "!":
                differing.append((line, left.commits[a], right.commits[b]))
        say(f"\n{count['='] + count['!']} patches are in both, {count['=']} of them equal (=); "
            f"{count['<']} only in {names[0]}, {count['>']} only in {names[1]}")
        colour = ["--color=always"] if sys.stdout.isatty() else []
        for line, old, new in differing:
            say("\n" + line)
            say("\n".join(range_diff(repo, old, new, *colour)[1:]))
