"""Each check of make lint fails when it should, on a toy kernel."""

import os
import re
import sys

import pytest

from toy import ONE, ROOT, Toy, git

sys.path.insert(0, str(ROOT / "tools"))

from kitlib import lint  # noqa: E402

pytestmark = pytest.mark.once


@pytest.fixture
def toy(tmp_path):
    toy = Toy(tmp_path / "project")
    toy.two_patches()
    return toy


def found(toy, name):
    """What the check @name says about the toy."""
    done = toy.kit("lint", TEST=name)
    block, inside = [], False
    for line in done.stdout.splitlines():
        if line[:4] in ("FAIL", "ok  "):
            inside = line.startswith(("FAIL  " + name + ":", "FAIL  " + name + "-"))
        elif inside and line.startswith("      "):
            block.append(line.strip())
    assert (done.returncode != 0) >= bool(block), done.stderr
    return "\n".join(block)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_good_series_is_clean(toy):
    done = toy.kit("lint")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("old, new, says", [
    ("Signed-off-by: A. Author", "Signed-off-by: B. Other", "has not signed off"),
    ("Signed-off-by: ", "Reviewed-by: ", "Signed-off-by is not the last line"),
    ("Subject: [PATCH] toy: Edit", "Subject: [PATCH] fixup! toy: Edit", "not folded in"),
    ("Subject: [PATCH] toy: Edit", "Subject: [PATCH] Edit", "subsystem"),
    ("Subject: [PATCH] toy: ", f"Subject: [PATCH] toy: {'very ' * 15}", "longer than 75"),
    ("The toy needs it.\n", "", "does not say why"),
])
def test_messages(toy, old, new, says):
    edit(toy.dir / "0001-toy-Edit-one.patch", old, new)
    assert says in found(toy, "messages")


@pytest.mark.parametrize("old, new, says", [
    ("# part: core\n", "", "0001-toy-Edit-one.patch is in no part"),
    ("core", "most", "is in the part most; there is core, complete, hardening, cost, optional"),
    ("# part: core\n0001-toy-Edit-one.patch\n", "# part: complete\n0001-toy-Edit-one.patch\n# part: core\n",
     "0002-toy-Add-three.patch is in the part core, and comes after complete"),
])
def test_parts(toy, old, new, says):
    edit(toy.dir / "series", old, new)
    assert says in found(toy, "parts")


def test_mainline():
    for line in ("v6.11 toy: Edit one", "v7.2, other form", "v7.2-rc1, other form: by a hook", "not in v7.3",
                 "not for mainline, because it is a toy"):
        assert lint.MAINLINE.match(f"Mainline: {line}"), line
    for line in ("unknown", "v6.11", "not in", "other form", "not for mainline", "v7.2, another form"):
        assert not lint.MAINLINE.match(f"Mainline: {line}"), line


@pytest.mark.parametrize("old, new, says", [
    ("Mainline: not in v7.3\n---\n", "", '0 lines "Mainline:"'),
    ("Mainline: not in v7.3\n", "Mainline: not in v7.3\nMainline: not in v7.3\n", '2 lines "Mainline:"'),
    ("not in v7.3", "unknown", "is none of"),
])
def test_mainline_that_is_wrong(toy, old, new, says):
    edit(toy.dir / "0001-toy-Edit-one.patch", old, new)
    assert says in found(toy, "mainline")


def test_a_patch_outside_the_series(toy):
    (toy.dir / "0003-toy-More.patch").write_text("Subject: toy: More\n\n")
    assert "0003-toy-More.patch is not in" in found(toy, "consistency")


def test_a_later_patch_edits_a_new_file(toy):
    edit(toy.dir / "0001-toy-Edit-one.patch", "+++ b/one.c", "+++ b/three.c")
    assert "edits three.c, which belongs to 0002" in found(toy, "consistency")


def test_a_source_with_two_destinations(toy):
    edit(toy.dir / "series", " three.c", " new.c=three.c three.c")
    assert "linux/1.2/series names three.c twice" in found(toy, "consistency")


def test_a_destination_without_its_source(toy):
    toy.next_base()
    edit(toy.root / "linux/1.3/series", "=three.c", "=four.c")
    assert "linux/1.3/series names four.c, which is not in linux/files" in found(toy, "consistency")


def test_a_later_patch_edits_a_file_at_another_path(toy):
    toy.next_base()
    edit(toy.root / "linux/1.3/0001-toy-Edit-one.patch", "+++ b/one.c", "+++ b/new/three.c")
    assert "edits new/three.c, which belongs to 0002" in found(toy, "consistency")


def test_orphan(toy):
    (toy.files / "left.c").touch()
    assert "linux/files/left.c belongs to no series" in found(toy, "orphans")


def test_round_trip(toy):
    edit(toy.dir / "0001-toy-Edit-one.patch", "The toy needs it.", "The toy needs it. ")
    assert "refresh would write other bytes" in found(toy, "round_trip")


NAMED = {      # in core: a line of a file, and what it names
    "one__c": ("/* See late/doc.rst. */", "#include <linux/late.h>", '#include "late.h"', "#ifdef CONFIG_LATE", "trace_toy_late(1);",
               "/* With toy.late=1 it is there. */", "/* See cpu1/late. */"),
    "Makefile": ("obj-y += late.o",), "sub___Kconfig": ("depends on LATE",), "index__rst": ("   late",),
}
BROUGHT = {    # by a later part
    "late___doc__rst": "Late\n", "late__rst": "Late\n", "include___linux___late__h": "\n", "late__c": "int late;\n",
    "late__h": "TRACE_EVENT(toy_late,\n", "Kconfig": "config LATE\n\tbool\n",
    "two__c": 'early_param("toy.late", late);\nstatic DEVICE_ATTR_RW(late);\n',
}


def test_a_part_that_names_what_a_later_one_brings(toy):
    git(toy.tree, "reset", "-q", "--hard", "base")
    toy.commit("toy: Name it", **{name: ONE + "\n".join(lines) + "\n" for name, lines in NAMED.items()})
    toy.commit("toy: Bring it", remarks="---\nMainline: not in v7.3\nPart: complete\n", **BROUGHT)
    toy.ok("refresh", FORCE="1")
    said = found(toy, "whole")
    named = {line.split("brings: ")[1].partition(": ")[2] for line in said.splitlines()}
    assert named == {line.strip() for lines in NAMED.values() for line in lines}
    for thing in ("file late/doc.rst", "file include/linux/late.h", "file late.h", "symbol LATE", "event toy_late", "parameter toy.late",
                  "attribute late", "file late.c", "file late.rst"):
        assert f"core names the {thing}, which complete brings: " in said

    # The other way round, all is well.
    git(toy.tree, "rebase", "-q", "-i", "base", env={**os.environ, "GIT_SEQUENCE_EDITOR": "sed -i '1{h;d};2G'"})
    git(toy.tree, "commit", "-q", "--amend", "-m", git(toy.tree, "log", "-1", "--format=%B").replace("core", "complete"))
    toy.ok("refresh", FORCE="1")
    assert found(toy, "whole") == ""


def test_a_part_that_only_edits_what_was_there(toy):
    """What is there already can be named, whoever changes its line."""
    git(toy.tree, "reset", "-q", "--hard", "base")
    toy.commit("base: With an attribute", two__c="static DEVICE_ATTR(there);\n")
    git(toy.tree, "tag", "-f", "base")
    git(toy.tree, "update-ref", "refs/kit/debian", "base")
    toy.commit("toy: Name it", one__c=ONE + "/* See cpu1/there. */\n")
    toy.commit("toy: Edit it", remarks="---\nMainline: not in v7.3\nPart: complete\n", two__c="DEVICE_ATTR_RW(there);\n")
    toy.ok("refresh", FORCE="1")
    assert found(toy, "whole") == ""


def test_checkpatch_sees_new_files(toy):
    (toy.files / "three.c").write_text("int three; \n")
    assert "0002-toy-Add-three.patch: checkpatch: " in found(toy, "checkpatch")


def test_a_prefix_that_does_not_compile(toy):
    """The end of the series compiles, but the first patch alone does not."""
    git(toy.tree, "reset", "-q", "--hard", "base")
    toy.commit("toy: Break", two__c="int two\n")
    toy.commit("toy: Mend", two__c="int two;\n", one__c=ONE + "int more;\n")
    toy.ok("refresh", FORCE="1")
    assert "0001-toy-Break.patch does not compile" in found(toy, "prefixes")


def test_a_series_that_needs_acpi(toy):
    """The toy's CONFIG_TOY stands for it: without, a file of the base does not compile any more."""
    toy.commit("toy: Need it", two__c="#ifdef CONFIG_TOY\nint two;\n#else\nint two\n#endif\n")
    toy.ok("refresh", FORCE="1")
    assert re.search("toy-Need-it.patch does not compile.*without ACPI", found(toy, "prefixes"))


def test_a_new_warning(toy):
    git(toy.tree, "reset", "-q", "--hard", "base")
    toy.commit("toy: Warn", two__c="int two(void) { int unused; return 2; }\n")
    toy.ok("refresh", FORCE="1")
    assert "0001-toy-Warn.patch: new warning: two.c: unused variable" in found(toy, "prefixes")


def test_a_new_warning_of_sparse(toy):
    """Sparse looks at the whole series: what the third patch brings is seen after the last."""
    toy.commit("toy: Point", two__c="int two;\nchar *nowhere = 0;\n")
    toy.commit("toy: Comment", two__c="/* two */\nint two;\nchar *nowhere = 0;\n")
    toy.ok("refresh", FORCE="1")
    assert "0004-toy-Comment.patch: new warning: two.c: Using plain integer as NULL" in found(toy, "prefixes")


def test_a_source_that_another_includes(toy):
    """It is compiled as a part of that one: alone it cannot be."""
    toy.commit("toy: Add parts", whole__c='typedef int number;\n#include "part.c"\n',
               part__c="number part(void) { number unused; return 2; }\n")
    toy.ok("refresh", FORCE="1")
    said = found(toy, "prefixes")
    assert "0003-toy-Add-parts.patch: new warning: part.c: unused variable" in said
    assert "does not compile" not in said


def test_what_was_good_is_known(toy):
    """A clone does not compile it again; what a change reaches is compiled."""
    assert toy.kit("lint").returncode == 0
    good = toy.dir / "prefixes.good"
    first, second = good.read_text().splitlines()[-2:]
    git(toy.tree, "reset", "-q", "--hard", "HEAD^")
    toy.commit("toy: Warn", two__c="int two(void) { int unused; return 2; }\n")
    toy.ok("refresh", FORCE="1")
    assert "0002-toy-Warn.patch: new warning: two.c" in found(toy, "prefixes")
    assert good.read_text().splitlines()[-2:] == [first, second]


def test_a_broken_script(toy):
    (toy.root / "bad").write_text("#!/bin/sh\nif true\n")
    (toy.root / "bad.py").write_text("def:\n")
    git(toy.root, "add", "bad", "bad.py")
    assert {line.split(":")[0] for line in found(toy, "scripts").splitlines()} == {"bad", "bad.py"}


def test_a_host_and_a_path_of_one_machine(toy):
    (toy.root / "notes").write_text("http://deb.debian" + ".org/debian\n/wor" + "k/main/x\n")
    git(toy.root, "add", "notes")
    said = found(toy, "portable")
    assert "notes:1: names a package host" in said and "notes:2: names a path" in said
