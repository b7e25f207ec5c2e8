"""make parts: the table of the series' parts and patches in docs/how-it-works.md, made from the series."""

import re

from . import tree
from .common import PARTS, ROOT, Error, bases, say, shorten

PAGE = ROOT / "docs/how-it-works.md"
BEGIN, END = "<!-- made by `make parts` -->", "<!-- end of what `make parts` made -->"
WHAT = {
    "core": "hot-add and eject, with firmware that follows the specification",
    "complete": "hot-added CPUs behave like CPUs present at boot; no event is lost",
    "hardening": "firmware errors and failed steps",
    "cost": "less memory and time for absent CPUs",
    "optional": "interfaces that mainline does not have",
}


def mainline_of(text):
    return next((line.removeprefix("Mainline: ") for line in tree.below(text) if line.startswith("Mainline: ")), "")


def changed(base, patch, new, text):
    """(lines added, lines removed) by a patch, its new files included."""
    diff = re.split(r"^diff --git .*$", text, flags=re.M)[1:]
    hunks = [line for part in diff for line in part.splitlines() if not line.startswith(("+++ ", "--- "))]
    added = sum(line.startswith("+") for line in hunks)
    added += sum(len((base.files / source).read_text().splitlines()) for _, source in new)
    return added, sum(line.startswith("-") for line in hunks)


def read(base):
    """[(part, number, subject, mainline, added, removed), ...]"""
    of_part, found = base.parts(), []
    for number, (patch, new) in enumerate(base.series(), 1):
        text = (base.dir / patch).read_text()
        found.append((of_part[patch], number, tree.subject_of(text), mainline_of(text), *changed(base, patch, new, text)))
    return found


def markdown():
    """The section, as lines."""
    series = {base.version: read(base) for base in bases("linux")}
    lines = ["| part | what | " + " | ".join(f"{version}: patches, lines" for version in series) + " |",
             "| --- | --- |" + " --- |" * len(series)]
    for part in PARTS["linux"]:
        cells = []
        for patches in series.values():
            mine = [entry for entry in patches if entry[0] == part]
            cells.append(f"{len(mine)}, +{sum(entry[4] for entry in mine)} -{sum(entry[5] for entry in mine)}")
        lines.append(f"| {part} | {WHAT[part]} | " + " | ".join(cells) + " |")
    for part in PARTS["linux"]:
        lines += ["", f"**{part}**", "", "| " + " | ".join(series) + " | patch | in mainline |",
                  "|" + " --- |" * (len(series) + 2)]
        for subject in subjects(part, series):
            numbers, said = [], {}
            for version, patches in series.items():
                mine = [entry for entry in patches if entry[2] == subject]
                numbers.append(str(mine[0][1]) if mine else "")
                if mine:
                    said.setdefault(mine[0][3], []).append(version)
            mainline = "; ".join(f"{', '.join(versions)}: {text}" if len(said) > 1 else text for text, versions in said.items())
            lines.append(f"| {' | '.join(numbers)} | {subject} | {mainline} |")
    return lines


def subjects(part, series):
    """Those of a part, in an order that each base agrees with as far as it can."""
    order = []
    for patches in series.values():
        place = 0
        for subject in (entry[2] for entry in patches if entry[0] == part):
            if subject in order:
                place = order.index(subject) + 1
            else:
                order.insert(place, subject)
                place += 1
    return order


def renewed(text):
    """@text of the page with the section made anew."""
    before, found, rest = text.partition(BEGIN)
    _, ends, after = rest.partition(END)
    if not found or not ends:
        raise Error(f"{shorten(PAGE)}: \"{BEGIN}\" and \"{END}\" must be there")
    return "\n".join([before + BEGIN, "", *markdown(), "", END + after])


def write():
    text = PAGE.read_text()
    new = renewed(text)
    if new != text:
        PAGE.write_text(new)
    say(f"{shorten(PAGE)}: {'written' if new != text else 'nothing changed'}")
