"""The tools: trees from series and back, other people's trees, and clear errors."""

import hashlib
import json
import os
import re
import runpy
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from toy import ONE, ROOT, Toy, git

sys.path.insert(0, str(ROOT / "tools"))

from kitlib import common, compare  # noqa: E402

pytestmark = pytest.mark.once


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path / "project")


# --- the loop ----------------------------------------------------------------

def test_refresh_splits_edits_from_new_files(toy):
    toy.two_patches()
    assert (toy.dir / "series").read_text().splitlines() == [
        "# part: core", "0001-toy-Edit-one.patch", "0002-toy-Add-three.patch three.c"]
    assert (toy.files / "three.c").read_text() == "int three;\n"
    second = (toy.dir / "0002-toy-Add-three.patch").read_text()
    assert "two.c" in second and "three.c" not in second


def test_round_trip_is_byte_identical(toy):
    toy.two_patches()
    before, head = toy.project(), git(toy.tree, "rev-parse", "HEAD")
    assert "nothing changed" in toy.ok("refresh").stdout
    toy.ok("tree", DISCARD="1")
    toy.ok("refresh")
    assert toy.project() == before
    assert git(toy.tree, "rev-parse", "HEAD") == head


def test_only_what_changed_is_touched(toy):
    """A new time stamp makes kbuild compile: only changed files may get one."""
    toy.two_patches()
    for name in ("one.c", "two.c", "three.c"):
        os.utime(toy.tree / name, (1, 1))
    (toy.files / "three.c").write_text("int three = 3;\n")
    toy.ok("tree")
    assert (toy.tree / "three.c").read_text() == "int three = 3;\n"
    assert [(toy.tree / name).stat().st_mtime == 1 for name in ("one.c", "two.c", "three.c")] == \
        [True, True, False]


def test_fixup_changes_one_patch(toy):
    toy.two_patches()
    before = toy.project()
    (toy.tree / "two.c").write_text("int two = 22;\n")
    git(toy.tree, "commit", "-q", "-a", "--fixup", "HEAD")
    assert "is not folded in" in toy.error("refresh")
    git(toy.tree, "rebase", "-q", "-i", "--autosquash", "base",
        env={**os.environ, "GIT_SEQUENCE_EDITOR": "true"})
    toy.ok("refresh")
    after = toy.project()
    assert [name for name in before if before[name] != after[name]] == \
        ["linux/1.2/0002-toy-Add-three.patch"]


def test_a_new_file_belongs_to_one_commit(toy):
    toy.two_patches()
    toy.commit("toy: Edit three", three__c="int three = 3;\n")
    message = toy.error("refresh")
    assert "three.c" in message and "--fixup" in message and "toy: Add three" in message


def test_series_is_what_git_am_takes(toy, tmp_path):
    toy.two_patches()
    toy.ok("series", str(tmp_path / "mbox"))
    assert len(list((tmp_path / "mbox").iterdir())) == 2
    pristine = tmp_path / "pristine"
    git(tmp_path, "clone", "-q", str(toy.tree), str(pristine))
    toy.identity(pristine)
    git(pristine, "checkout", "-q", "base")
    git(pristine, "am", "-q", *map(str, sorted((tmp_path / "mbox").iterdir())))
    assert git(pristine, "rev-parse", "HEAD^{tree}") == git(toy.tree, "rev-parse", "HEAD^{tree}")
    (tmp_path / "mbox/0003-mine.patch").write_text("not yours\n")
    assert "another directory" in toy.error("series", str(tmp_path / "mbox"))


# --- parts, and what stands below the "---" -----------------------------------

def message(toy, commit="HEAD"):
    return git(toy.tree, "log", "-1", "--format=%B", commit)


def reword(toy, old, new):
    """Changes the message of the last commit."""
    git(toy.tree, "commit", "-q", "--amend", "-m", message(toy).replace(old, new))


def autosquash(toy):
    git(toy.tree, "rebase", "-q", "-i", "--autosquash", "base", env={**os.environ, "GIT_SEQUENCE_EDITOR": "true"})


def test_parts_and_remarks_survive_the_loop(toy):
    toy.two_parts()
    before = toy.project()
    assert message(toy).endswith(">\n---\nMainline: not in v7.3\nPart: complete")
    assert message(toy, "HEAD^").endswith("\nPart: core")
    patch = before["linux/1.2/0002-toy-Add-three.patch"].decode()
    assert ">\n---\nMainline: not in v7.3\n---\n two.c | 2 +-\n" in patch and "Part:" not in patch
    assert "nothing changed" in toy.ok("refresh").stdout
    toy.ok("tree", DISCARD="1")
    (toy.tree / "one.c").write_text(ONE.replace("line_10", "TEN"))
    git(toy.tree, "commit", "-q", "-a", "--fixup", "HEAD^")
    autosquash(toy)
    toy.ok("refresh")
    after = toy.project()
    assert [name for name in before if before[name] != after[name]] == ["linux/1.2/0001-toy-Edit-one.patch"]
    above, changed = ([project["linux/1.2/0001-toy-Edit-one.patch"].partition(b"\ndiff ")[n] for project in (before, after)]
                      for n in (0, 2))
    assert above[0] == above[1] and b"+int TEN" in changed[1]


def test_remarks_are_edited_with_the_message(toy):
    toy.two_parts()
    reword(toy, "Mainline: not in v7.3", "Mainline: v6.11 toy: Add three\nLink: somewhere")
    toy.ok("refresh")
    assert "\n---\nMainline: v6.11 toy: Add three\nLink: somewhere\n---\n" in (toy.dir / "0002-toy-Add-three.patch").read_text()
    toy.ok("tree", DISCARD="1")
    assert message(toy).endswith("\n---\nMainline: v6.11 toy: Add three\nLink: somewhere\nPart: complete")


def test_remarks_written_by_hand(toy):
    """Without the second "---", as people write them; refresh adds it."""
    toy.two_patches()
    patch = toy.dir / "0001-toy-Edit-one.patch"
    normal = patch.read_text()
    patch.write_text(normal.replace("Mainline: not in v7.3\n---\n", "Mainline: not in v7.3\n\n"))
    toy.ok("tree")
    toy.ok("refresh")
    assert patch.read_text() == normal


def test_a_part_that_moves(toy):
    """Renamed, a patch stays in its part; a new one is in that of the patch before."""
    toy.two_parts()
    reword(toy, "toy: Add three", "toy: Bring three")
    toy.commit("toy: Edit more", one__c=ONE.replace("line_10", "TEN"))
    toy.ok("refresh")
    assert (toy.dir / "series").read_text().splitlines() == [
        "# part: core", "0001-toy-Edit-one.patch", "# part: complete", "0002-toy-Bring-three.patch three.c",
        "0003-toy-Edit-more.patch"]
    assert message(toy).endswith("\nPart: complete")
    reword(toy, "Part: complete", "Part: cost")
    toy.ok("refresh")
    assert (toy.dir / "series").read_text().splitlines()[4:] == ["# part: cost", "0003-toy-Edit-more.patch"]


@pytest.mark.parametrize("part, says", [
    ("core", r'"\w+ toy: Edit more" is of the part core, and comes after "\w+ toy: Add three" of complete: move one of them, or'),
    ("best", r'"\w+ toy: Edit more" is of the part best; there is core, complete, hardening, cost, optional')])
def test_a_part_in_the_wrong_place(toy, part, says):
    toy.two_parts()
    before = toy.project()
    toy.commit("toy: Edit more", one__c=ONE.replace("line_10", "TEN"), remarks=f"---\nPart: {part}\n")
    error = toy.error("refresh")
    assert re.search(says, error) and '"---" and "Part: <name>"' in error
    assert toy.project() == before


def test_what_git_am_drops_is_known(toy, tmp_path):
    toy.two_parts()
    before = toy.project()
    toy.ok("series", str(tmp_path / "mbox"))
    git(toy.tree, "reset", "-q", "--hard", "base")
    git(toy.tree, "am", "-q", *map(str, sorted((tmp_path / "mbox").iterdir())))
    assert "Part" not in message(toy)
    toy.ok("refresh")
    assert toy.project() == before
    assert message(toy).endswith("\nPart: complete")


def test_a_port_takes_parts_and_remarks_from_another_base(toy):
    toy.two_parts()
    other = Toy(toy.root, "1.3")
    other.commit("toy: Edit one", one__c=ONE.replace("line_10", "ten"), remarks="")
    other.commit("toy: Only here", one__c=ONE.replace("line_10", "TEN"), remarks="")
    other.commit("toy: Add three", three__c="int three;\n", two__c="int two = 2;\n", remarks="")
    toy.ok("refresh", LINUX="1.3")
    assert (other.dir / "series").read_text().splitlines() == [
        "# part: core", "0001-toy-Edit-one.patch", "0002-toy-Only-here.patch",
        "# part: complete", "0003-toy-Add-three.patch three.c"]
    assert "\nMainline: not in v7.3\n" in (other.dir / "0003-toy-Add-three.patch").read_text()
    assert "Mainline" not in (other.dir / "0002-toy-Only-here.patch").read_text()


def test_a_message_is_work_too(toy):
    """make tree does not take back what only a message says."""
    toy.two_parts()
    reword(toy, "not in v7.3", "not in v7.4")
    series = toy.dir / "series"
    series.write_text(series.read_text().replace("complete", "cost"))
    assert "holds commits of yours" in toy.error("tree")
    assert "v7.4" in message(toy)


def test_series_up_to_a_part(toy, tmp_path):
    toy.two_parts()
    mbox = tmp_path / "mbox"
    assert "1 patches for linux 1.2, up to the end of core" in toy.ok("series", str(mbox), PART="core").stdout
    assert [path.name for path in mbox.iterdir()] == ["0001-toy-Edit-one.patch"]
    toy.ok("series", str(mbox), "--part", "complete")
    assert len(list(mbox.iterdir())) == 2
    assert "PART=cost: linux/1.2/series has no such part; there is core, complete" in toy.error("series", str(mbox), PART="cost")
    (toy.dir / "series").write_text("")
    toy.ok("tree", DISCARD="1")
    assert "PART=core: linux/1.2/series is not divided into parts" in toy.error("series", str(mbox), PART="core")


def test_the_kernel_of_a_part(toy):
    toy.two_parts()
    (toy.root / "qemu/1.0").mkdir(parents=True)
    (toy.root / "qemu/1.0/series").touch()
    (toy.root / "linux/config/core.config").write_text("CONFIG_TOY=y\n")
    toy.ok("build", "linux")
    assert "int two = 2" in (toy.root / "out/linux-1.2/Image").read_text()
    assert "built" in toy.ok("build", "linux-core").stdout
    image = (toy.root / "out/linux-1.2-core/Image").read_text()
    assert "ten" in image and "int two = 2" not in image
    assert toy.ok("build", "linux", "linux-core").stdout == ""
    (toy.tree / "two.c").write_text("int edited;\n")
    assert "linux-1.2-core is what linux/1.2 says" in toy.ok("build", "linux-core").stderr
    git(toy.tree, "commit", "-q", "-a", "--fixup", "HEAD")
    autosquash(toy)
    toy.ok("refresh")
    assert toy.ok("build", "linux-core").stdout == ""       # a later part does not reach it


# --- work is never lost ------------------------------------------------------

@pytest.mark.parametrize("commit", [True, False], ids=["commit", "edit"])
def test_local_work_is_kept(toy, commit):
    toy.two_patches()
    (toy.tree / "one.c").write_text("int mine;\n")
    if commit:
        git(toy.tree, "commit", "-q", "-a", "-m", "toy: Mine")
    toy.ok("tree")                                   # the project did not change: fine
    (toy.files / "three.c").write_text("int three = 3;\n")
    message = toy.error("tree")
    assert "DISCARD=1" in message
    assert (toy.tree / "one.c").read_text() == "int mine;\n"
    toy.ok("tree", DISCARD="1")
    assert (toy.tree / "three.c").read_text() == "int three = 3;\n"
    assert "ten" in (toy.tree / "one.c").read_text()


def test_local_commits_can_be_rebased_as_the_error_says(toy):
    toy.two_patches()
    toy.commit("toy: Mine", two__c="int two = 3;\n")
    (toy.files / "three.c").write_text("int three = 3;\n")
    command = toy.error("tree").split("'")[1]
    subprocess.run(command, shell=True, check=True, cwd=toy.root, capture_output=True)
    toy.ok("tree")
    assert (toy.tree / "three.c").read_text() == "int three = 3;\n"
    assert (toy.tree / "two.c").read_text() == "int two = 3;\n"


def test_refresh_does_not_undo_what_the_project_got_meanwhile(toy):
    toy.two_patches()
    (toy.files / "three.c").write_text("int three = 3;\n")
    assert "holds nothing of yours: 'make tree LINUX=1.2' takes them over" in toy.ok("refresh").stdout
    assert (toy.files / "three.c").read_text() == "int three = 3;\n"
    toy.commit("toy: Mine", three__c="int mine;\n")
    assert "FORCE=1" in toy.error("refresh")
    assert (toy.files / "three.c").read_text() == "int three = 3;\n"


def test_refresh_wants_commits(toy):
    toy.two_patches()
    (toy.tree / "new.c").write_text("int forgotten;\n")
    assert "new.c" in toy.error("refresh")


# --- two bases ----------------------------------------------------------------

def test_a_shared_file_at_another_path(toy):
    toy.two_patches()
    other = toy.next_base()
    assert (other.tree / "new/three.c").read_text() == "int three;\n"
    assert not (other.tree / "three.c").exists()
    assert not (toy.files / "new/three.c").exists()
    before = toy.project()
    assert "nothing changed" in toy.ok("refresh", LINUX="1.3").stdout
    toy.ok("tree", LINUX="1.3", DISCARD="1")
    assert toy.project() == before
    done = toy.kit("lint")
    assert done.returncode == 0, done.stdout + done.stderr


def amend(toy, **files):
    """Changes the last commit."""
    toy.commit("toy: Change", **files)
    git(toy.tree, "reset", "-q", "--soft", "HEAD^")
    git(toy.tree, "commit", "-q", "--amend", "--no-edit")


def test_a_shared_file_edited_in_either_tree(toy):
    toy.two_patches()
    other = toy.next_base()
    amend(other, new___three__c="int three = 3;\n")
    said = toy.ok("refresh").stdout
    assert "work/linux-1.2 shares three.c: 'make tree LINUX=1.2' takes over what changed" in said
    assert (toy.files / "three.c").read_text() == "int three = 3;\n"
    assert "new/three.c=three.c" in (other.dir / "series").read_text()
    assert "'make tree LINUX=1.2' takes them over" in toy.ok("refresh", LINUX="1.2").stdout
    assert (toy.files / "three.c").read_text() == "int three = 3;\n"
    toy.ok("tree", LINUX="1.2")
    assert (toy.tree / "three.c").read_text() == "int three = 3;\n"
    amend(toy, three__c="int three = 33;\n")
    assert "work/linux-1.3 shares three.c" in toy.ok("refresh", LINUX="1.2").stdout
    toy.ok("tree", LINUX="1.3")
    assert (other.tree / "new/three.c").read_text() == "int three = 33;\n"


def test_work_in_both_trees(toy):
    """The second refresh takes over what the first one wrote; neither edit is lost."""
    toy.two_patches()
    other = toy.next_base()
    amend(toy, two__c="int two = 22;\n")
    amend(other, new___three__c="int three = 3;\n")
    toy.ok("refresh", LINUX="1.3")
    assert "took over three.c" in toy.ok("refresh", LINUX="1.2").stdout
    assert (toy.files / "three.c").read_text() == (toy.tree / "three.c").read_text() == "int three = 3;\n"
    assert "+int two = 22;" in (toy.dir / "0002-toy-Add-three.patch").read_text()
    before = toy.project()
    assert "nothing changed" in toy.ok("refresh").stdout
    toy.ok("tree", LINUX="1.2", DISCARD="1")
    assert toy.project() == before


def test_one_shared_file_edited_in_both_trees(toy):
    """No side wins by itself."""
    toy.two_patches()
    other = toy.next_base()
    amend(toy, three__c="int three = 2;\n")
    amend(other, new___three__c="int three = 3;\n")
    toy.ok("refresh", LINUX="1.3")
    message = toy.error("refresh", LINUX="1.2")
    assert "linux/files/three.c and three.c in work/linux-1.2 have both changed" in message
    assert (toy.files / "three.c").read_text() == "int three = 3;\n"
    assert (toy.tree / "three.c").read_text() == "int three = 2;\n"
    amend(toy, three__c="int three = 32;\n")
    assert "work/linux-1.3 shares three.c" in toy.ok("refresh", LINUX="1.2", FORCE="1").stdout
    toy.ok("tree", LINUX="1.3")
    assert (other.tree / "new/three.c").read_text() == "int three = 32;\n"


def test_a_first_refresh_keeps_what_another_base_has(toy):
    """The tree of a port began with an older copy of what the bases share."""
    toy.two_patches()
    other = Toy(toy.root, "1.3")
    other.commit("toy: Add three", three__c="int old;\n")
    assert "linux/files/three.c is there already and differs" in toy.error("refresh", LINUX="1.3")
    assert (toy.files / "three.c").read_text() == "int three;\n"
    assert (other.dir / "series").read_text() == ""


def test_compare(toy):
    toy.two_patches()
    toy.commit("toy: Only here", one__c="int one;\n")
    toy.ok("refresh")
    other = toy.next_base()
    table = ["1 =    1  toy: Edit one", "2 =    2  toy: Add three", "3 <    -  toy: Only here"]
    said = toy.ok("compare", A="1.2", B="1.3").stdout
    assert [line.strip() for line in said.splitlines()[1:4]] == table
    assert said.endswith("2 patches are in both, 2 of them equal (=); 1 only in 1.2, 0 only in 1.3\n")
    amend(other, two__c="int two = 3;\n")
    other.commit("toy: Only there", one__c="int one;\n")
    toy.ok("refresh", LINUX="1.3")
    said = toy.ok("compare", "1.2", "1.3").stdout
    assert "   - >    3  toy: Only there" in said and "1 of them equal" in said
    diff = said.split("only in 1.3\n")[1]
    assert "-+int two = 2;" in diff and "++int two = 3;" in diff and "int three" not in diff


def test_compare_pairs_by_subject():
    assert compare.pairs(["a", "x", "b", "b"], ["b", "y", "a", "b"]) == \
        [(1, None), (2, 0), (None, 1), (0, 2), (3, 3)]
    assert compare.pairs(["x", "a", "z"], ["a"]) == [(0, None), (1, 0), (2, None)]


def test_compare_wants_two_bases(toy):
    toy.two_patches()
    toy.next_base()
    assert "B= is missing" in toy.error("compare", A="1.2")
    assert "B=9.9: no such base; there is 1.2, 1.3" in toy.error("compare", A="1.2", B="9.9")
    assert "A and B are both 1.2" in toy.error("compare", A="1.2", B="1.2")


# --- other people's trees ----------------------------------------------------

def fingerprint(directory):
    return {path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest())
            for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("under_git", [True, False], ids=["git", "plain"])
def test_kdir_is_used_and_never_written(toy, tmp_path, under_git):
    toy.two_patches()
    mine = tmp_path / "mine"
    toy.sources(mine, **{"two.c": "int two;\n", "mine.c": "int mine;\n"})
    if under_git:
        git(mine, "init", "-q")
        git(mine, "add", "-A")
        (mine / "object.o").write_text("not source")
    before = fingerprint(mine)
    toy.ok("tree", KDIR=str(mine))
    assert fingerprint(mine) == before
    assert (toy.tree / "mine.c").exists() and "ten" in (toy.tree / "one.c").read_text()
    assert (toy.tree / "object.o").exists() is False
    (mine / "mine.c").write_text("int mine = 2;\n")
    toy.ok("tree", KDIR=str(mine))
    assert (toy.tree / "mine.c").read_text() == "int mine = 2;\n"
    toy.ok("tree")
    assert not (toy.tree / "mine.c").exists()


def test_kdir_newer_point_release_is_a_warning(toy, tmp_path):
    toy.two_patches()
    toy.sources(tmp_path / "mine")
    makefile = tmp_path / "mine/Makefile"
    makefile.write_text(makefile.read_text().replace("SUBLEVEL = 3", "SUBLEVEL = 9"))
    done = toy.ok("tree", KDIR=str(tmp_path / "mine"))
    assert "warning: " in done.stderr and "1.2.9" in done.stderr


def test_kdir_that_is_not_the_base(toy, tmp_path):
    toy.two_patches()
    assert "no such directory" in toy.error("tree", KDIR=str(tmp_path / "missing"))
    (tmp_path / "empty").mkdir()
    assert "no linux source tree" in toy.error("tree", KDIR=str(tmp_path / "empty"))
    other = tmp_path / "other"
    toy.sources(other)
    text = (other / "Makefile").read_text()
    (other / "Makefile").write_text(text.replace("PATCHLEVEL = 2", "PATCHLEVEL = 7"))
    assert "1.7.3" in toy.error("tree", KDIR=str(other))
    (other / "Makefile").write_text(text)
    (other / "one.c").write_text(ONE.replace("line_9", "nine"))
    message = toy.error("tree", KDIR=str(other))
    assert "0001-toy-Edit-one.patch does not apply" in message
    assert "one.c:7" in message and "@@ -7,7 +7,7 @@" in message


# --- other people's environment ---------------------------------------------------

# What somebody may have exported for another purpose: names of make's variables, and what other builds go by.
FOREIGN = {name: "/usr/bin/another" for name in (
    "LINUX", "QEMU", "TEST", "DEBUG", "QEMU_SANITIZE", "LINT", "KDIR", "QDIR", "QEMU_EFI", "OUT", "PART", "A", "B", "CYCLES",
    "SEED", "SECONDS", "DISCARD", "FORCE", "JOBS", "MIRROR", "NOINSTALL", "SUITE")}
OF_BUILDS = ("ARCH", "CROSS_COMPILE", "CC", "CFLAGS", "LDFLAGS", "KCFLAGS", "HOSTCFLAGS", "LLVM", "KBUILD_OUTPUT",
             "KCONFIG_CONFIG", "LOCALVERSION", "GIT_DIR", "GIT_INDEX_FILE", "MAKEFLAGS", "V")
OURS = {key: value for key, value in os.environ.items() if key not in FOREIGN and not key.startswith(("CPUHP_", "MAKE", "MFLAGS"))}


def make(*args, **env):
    return subprocess.run(["make", *args], cwd=ROOT, text=True, capture_output=True, check=True, env={**OURS, **env}).stdout


def test_a_foreign_environment_does_not_change_what_make_does():
    for targets in (["help"], *(["-n", *options, target] for target in (
            "demo", "vm", "soak", "bench", "fuzz", "check", "lint", "build", "tree", "refresh", "series", "compare", "clean")
            for options in ([], ["-e"]))):
        assert make(*targets, **FOREIGN) == make(*targets), targets


def test_variables_count_on_the_command_line_and_by_our_own_names():
    def seen(*args, **env):
        found = dict(line.split("=", 1) for line in make("--eval", "seen: ; @env", "seen", *args, **env).splitlines() if "=" in line)
        assert not {"LINUX", "TEST", "MAKEFLAGS"} & found.keys()       # nor what another make would take for its own
        return {key: value for key, value in found.items() if key.startswith("CPUHP_")}

    assert seen(**FOREIGN) == {}
    assert seen("TEST=a and not '$b'", "LINUX=1.2", **FOREIGN) == {"CPUHP_TEST": "a and not '$b'", "CPUHP_LINUX": "1.2"}
    assert seen(CPUHP_LINUX="1.2", CPUHP_ROOT="/x") == {"CPUHP_LINUX": "1.2", "CPUHP_ROOT": "/x"}
    assert seen("LINUX=1.3", CPUHP_LINUX="1.2") == {"CPUHP_LINUX": "1.3"}
    assert "demo --linux 1.3" in make("-n", "demo", "LINUX=1.3")
    assert "demo --linux 1.3" in make("-n", "demo", CPUHP_LINUX="1.3")
    assert "tools/install" in make("-n", "demo") and "tools/install" not in make("-n", "demo", "NOINSTALL=1")


def test_every_variable_of_make_is_in_the_test_above():
    """... but for those of another kind, which make and its help get from the same list."""
    assert set(re.findall(r"^#V ([A-Z_]+)", (ROOT / "Makefile").read_text(), re.M)) <= FOREIGN.keys()


def test_a_foreign_environment_does_not_reach_the_tools(toy):
    toy.two_patches()
    toy.foreign = {**FOREIGN, **{name: "/usr/bin/another" for name in OF_BUILDS}}
    assert "nothing changed" in toy.ok("refresh").stdout
    assert "LINUX=9.9: no such base" in toy.error("tree", LINUX="9.9")
    (toy.root / "qemu/1.0").mkdir(parents=True)
    (toy.root / "qemu/1.0/series").touch()
    with open(toy.tree / "Makefile", "a") as makefile:
        makefile.write("Image: seen\nseen:\n\t@env > $(O)/seen\n")
    toy.ok("build", "linux")
    seen = (toy.root / "out/linux-1.2/seen").read_text().splitlines()
    assert not [line for line in seen if line.startswith(tuple(f"{name}=" for name in OF_BUILDS))
                and "/usr/bin/another" in line]


# --- clear errors ------------------------------------------------------------

def test_unknown_base(toy):
    assert "LINUX=9.9: no such base; there is 1.2" in toy.error("tree", LINUX="9.9")


def test_patch_that_does_not_apply(toy):
    toy.two_patches()
    patch = toy.dir / "0001-toy-Edit-one.patch"
    patch.write_text(patch.read_text().replace("-int line_10;", "-int line_X;"))
    message = toy.error("tree")
    assert "linux/1.2/0001-toy-Edit-one.patch does not apply to toy 1.2.3-1: one.c:7" in message


def test_a_patch_that_is_missing(toy):
    toy.two_patches()
    (toy.dir / "0001-toy-Edit-one.patch").unlink()
    assert "0001-toy-Edit-one.patch, which is not there" in toy.error("tree")


def test_no_network(toy):
    toy.two_patches()
    subprocess.run(["rm", "-rf", str(toy.root / "work")], check=True)
    message = toy.error("tree", MIRROR="http://127.0.0.1:9/debian")
    assert "no network" in message and "KDIR=" in message


def test_full_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(common, "WORK", tmp_path)
    with pytest.raises(common.Error, match="GB are free"):
        common.need_space(10**9, "this")
    with pytest.raises(common.Error, match="is full"):
        common.run(["sh", "-c", "echo 'write: No space left on device' >&2; exit 1"])


def test_config_symbol_that_does_not_come_true(toy):
    toy.two_patches()
    with open(toy.root / "linux/config/guest.config", "a") as config:
        config.write("CONFIG_UNKNOWN=y\n")
    (toy.root / "qemu/1.0").mkdir(parents=True)
    (toy.root / "qemu/1.0/series").touch()
    assert "CONFIG_UNKNOWN=y (is not there)" in toy.error("build", "linux")


def test_build_is_done_once_and_follows_edits(toy):
    toy.two_patches()
    (toy.root / "qemu/1.0").mkdir(parents=True)
    (toy.root / "qemu/1.0/series").touch()
    image = toy.root / "out/linux-1.2/Image"
    assert "built" in toy.ok("build", "linux").stdout
    assert "ten" in image.read_text()
    assert toy.ok("build", "linux").stdout == ""
    (toy.tree / "two.c").write_text("int edited;\n")         # not even committed
    assert "built" in toy.ok("build", "linux").stdout
    assert "edited" in image.read_text()
    assert "built" in toy.ok("build", "linux-base").stdout
    assert "ten" not in (toy.root / "out/linux-1.2-base/Image").read_text()


def test_a_variant_starts_from_what_the_other_has_built(toy):
    toy.two_patches()
    (toy.root / "qemu/1.0").mkdir(parents=True)
    (toy.root / "qemu/1.0/series").touch()
    toy.ok("build", "linux")
    made = toy.tree / "build/one.o"
    made.write_text("object\n")
    os.utime(made, (1, 1))
    toy.ok("build", "linux-off")
    copy = toy.tree / "build-off/one.o"
    assert copy.read_text() == "object\n" and copy.stat().st_mtime == 1
    made.write_text("another\n")
    assert "built" in toy.ok("build", "linux-off", "linux-base").stdout
    assert copy.read_text() == "object\n"

    base = toy.root / "work/linux-1.2-base"
    copy = base / "build/one.o"
    assert copy.read_text() == "another\n"
    age = copy.stat().st_mtime      # what is the same is older, what the series changes is newer
    assert (base / "Makefile").stat().st_mtime <= age < (base / "one.c").stat().st_mtime
    assert age < (base / "two.c").stat().st_mtime


def test_a_failing_build_shows_why(toy):
    toy.two_patches()
    (toy.root / "qemu/1.0").mkdir(parents=True)
    (toy.root / "qemu/1.0/series").touch()
    (toy.tree / "Makefile").write_text((toy.tree / "Makefile").read_text().replace(
        "Image:\n", "Image:\n\t@echo one.c:1: error: no; exit 1\n"))
    done = toy.kit("build", "linux")
    assert done.returncode == 1
    assert "one.c:1: error: no" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("the whole log is in work/linux-1.2/build/build.log")


def test_two_at_once_wait_for_one_another(toy):
    toy.two_patches()
    script = f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r})\n" \
             "from kitlib import common\n" \
             "with common.lock('linux-1.2'): print('mine', flush=True); sys.stdin.read()\n"
    holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "CPUHP_ROOT": str(toy.root)})
    assert holder.stdout.readline() == "mine\n"
    assert toy.ok("lint").stdout.endswith("checks passed\n")      # only reads
    assert holder.poll() is None
    threading.Timer(6, holder.stdin.close).start()
    assert f"waiting for another make (process {holder.pid})" in toy.ok("tree").stdout
    assert holder.wait() == 0


def test_check_ends_with_the_count_even_if_it_cannot_start(toy):
    done = toy.kit("check", LINUX="9.9")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


TESTS = """\
import os, pytest

@pytest.fixture(autouse=True)
def note(request):
    said = [str(request.config.getoption(f"--{{name}}")) for name in ("linux", "debug-kernel", "part", "one-dialect")]
    said.append("sanitized" if request.config.getoption("--sanitized-qemu") else "")
    with open("ran", "a") as ran:
        ran.write(" ".join([request.node.name, *filter(None, said)]) + "\\n")

def test_each(): assert {assertion}
@pytest.mark.once
def test_once(): pass
@pytest.mark.last
def test_last(): pass
@pytest.mark.check_all
def test_seldom(): pass
@pytest.mark.closer
def test_closer(): pass
"""
RUN = """\
import sys
sys.path[:0] = [{tools!r}]
from kitlib import check, results
print("status", {call}(lambda version, products: print("built", version, *products),
                       lambda sanitized: ["qemu-sanitize" if sanitized else "qemu"]))
"""


@pytest.fixture
def tested(toy):
    """make check, or make check-all, of a project with two bases and five tests; gives its output, and what it has run."""
    toy.two_patches()
    toy.next_base()
    (toy.root / "tests").mkdir()
    (toy.root / "tests/conftest.py").write_text(
        "def pytest_addoption(parser):\n"
        "    for name in ('linux', 'debug-kernel', 'part', 'one-dialect'): parser.addoption(f'--{name}', default='')\n"
        "    parser.addoption('--sanitized-qemu', action='store_true')\n"
        "def pytest_configure(config):\n"
        "    for mark in ('once', 'last', 'closer', 'check_all'): config.addinivalue_line('markers', f'{mark}: .')\n")

    def run(assertion="True", call="check.run_check", **variables):
        (toy.root / "tests/test_toy.py").write_text(TESTS.format(assertion=assertion))
        (toy.root / "ran").write_text("")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "CPUHP_"))}
        done = subprocess.run([sys.executable, "-c", RUN.format(tools=str(ROOT / "tools"), call=call)], text=True,
                              capture_output=True, check=False, env={**clean, "CPUHP_ROOT": str(toy.root), "CPUHP_NOINSTALL": "1",
                                                                     **{f"CPUHP_{key}": value for key, value in variables.items()}})
        done.ran = sorted((toy.root / "ran").read_text().splitlines())
        done.built = [line.removeprefix("built ") for line in done.stdout.splitlines() if line.startswith("built")]
        done.last, done.status = done.stdout.splitlines()[-2:]
        return done
    run.toy = toy
    return run


def test_check(tested):
    """Each base, the last one's part core, and what looks closer with a debug kernel; other dialects in each, the count of all."""
    done = tested()
    assert done.built == ["1.2 linux linux-base", "1.2 linux linux-base qemu", "1.3 linux linux-base qemu",
                          "1.3 linux-core linux-base qemu", "1.3 linux-lockdep qemu"]
    assert done.ran == sorted([
        "test_each 1.2 0", "test_closer 1.2 0", "test_once 1.2 0",
        "test_each 1.3 1", "test_closer 1.3 1", "test_last 1.3 1",
        "test_each 1.3 core 2", "test_closer 1.3 core 2", "test_last 1.3 core 2", "test_closer 1.3 lockdep 0"])
    assert (done.last, done.status) == ("10 passed, 0 failed, 0 skipped", "status 0")
    done = tested("False")
    assert (done.last, done.status) == ("7 passed, 3 failed, 0 skipped", "status 1")


EVERY = ["test_closer", "test_each", "test_last", "test_once", "test_seldom"]


@pytest.mark.parametrize("variables, runs, built", [
    ({"LINUX": "1.3"}, [" 1.3"], "linux linux-base linux-off qemu"),
    ({"KDIR": "mine"}, [" 1.2"], "linux linux-base linux-off qemu"),
    ({"DEBUG": "kasan", "LINUX": "1.2"}, [" 1.2 kasan"], "linux-kasan qemu"),
    ({"QEMU_SANITIZE": "1", "LINUX": "1.2"}, [" 1.2 sanitized"], "linux linux-base linux-off qemu-sanitize"),
])
def test_check_of_what_is_asked_for(tested, variables, runs, built):
    """All of its tests, all dialects."""
    done = tested(**variables)
    assert done.ran == [f"{name}{run}" for run in runs for name in EVERY]
    assert done.built[-1].partition(" ")[2] == built


def test_check_of_a_part(tested):
    done = tested(PART="core", LINUX="1.2")
    assert done.ran == ["test_closer 1.2 core", "test_each 1.2 core", "test_last 1.2 core", "test_seldom 1.2 core"]
    assert done.built[-1] == "1.2 linux-core linux-base qemu"


def test_check_narrowed(tested):
    assert tested(TEST="test_once").ran == ["test_once 1.2"]
    assert tested(TEST="test_seldom").ran == ["test_seldom 1.2", "test_seldom 1.3"]
    done = tested(TEST="nothing")
    assert (done.last, done.status) == ("0 passed, 1 failed, 0 skipped", "status 1")
    assert "no test has such a name" in done.stderr


def test_check_with_what_is_not_there(toy):
    assert "DEBUG=valgrind: there is kasan, lockdep" in toy.error("check", DEBUG="valgrind")
    assert "PART=cost: there is core" in toy.error("check", PART="cost")


def test_soak_compares_after_the_warm_up():
    """Of a run that is flat from its 1000th cycle on, and of one that is not."""
    tool = SimpleNamespace(**runpy.run_path(str(ROOT / "tools/soak")))

    def not_flat(slab, cycles):
        samples = [tool.soak.Sample(cycle, 450000, 5, 80, slab(cycle), 40) for cycle in range(6, cycles + 1, 6)]
        return [drift.quantity for drift in tool.soak.drifts(tool.settled(samples, cycles)) if not drift.flat]

    assert not_flat(lambda cycle: 18000 + min(cycle, 1000), 5000) == []
    assert not_flat(lambda cycle: 18000 + min(cycle, 500), 1000) == []
    assert not_flat(lambda cycle: 18000 + cycle // 8, 5000) == ["guest_slab_kb"]
    assert not_flat(lambda cycle: 18000 + cycle, 1000) == ["guest_slab_kb"]


def test_check_all(tested):
    """Suite by suite; what has passed is kept until what it tested changes, and the page says what each gave, and on what."""
    toy = tested.toy
    def commit():
        git(toy.root, "add", "-A")
        git(toy.root, "commit", "-q", "--allow-empty", "-m", "The project")
        return git(toy.root, "rev-parse", "--short=12", "HEAD")
    def check_all(*args, **variables):
        return tested(*args, call="results.run_all", **variables)
    def rows():
        return {line.split(" | ")[0].removeprefix("| "): line.split(" | ")[2:] for line in page.read_text().splitlines()
                if line.startswith("| ")}

    (toy.root / ".gitignore").write_text("/work/\n/out/\n/ran\n__pycache__\n")
    page = toy.root / "docs/results.md"
    (toy.root / "tests/test_toy.py").write_text(TESTS.format(assertion="True"))
    head = commit()
    done = check_all(SUITE="linux-1.?")
    assert done.ran == sorted([f"{name} 1.2" for name in EVERY if name != "test_last"] +
                              [f"{name} 1.3" for name in EVERY if name != "test_once"])
    assert (done.last, done.status) == ("check-all: 2 of 2 suites passed; docs/results.md says what each gave", "status 0")
    assert rows()["linux-1.2"][0] == "4 passed, 0 failed, 0 skipped" and rows()["linux-1.2"][2] == head
    assert re.search(r"^1\. .*\d+ CPUs, \d+ GB", page.read_text(), re.M) and "Not run yet: lint, linux-1.2-core" in page.read_text()

    # A commit of documents changes nothing.
    assert commit() != head and check_all(SUITE="linux-1.3").ran == []
    assert check_all(SUITE="linux-1.3", FORCE="1").ran != []
    done = check_all("False", SUITE="linux-1.3*")
    assert done.ran and done.status == "status 1" and done.last == "check-all: failed: linux-1.3, linux-1.3-core, linux-1.3-lockdep, linux-1.3-kasan"
    assert rows()["linux-1.3"][0] == "**failed**: 3 passed, 1 failed, 0 skipped" and rows()["linux-1.3"][2].endswith(" and edits")
    assert "- linux-1.3: `tests.test_toy::test_each`" in page.read_text()
    assert rows()["linux-1.2"][2] == head
    commit()
    assert check_all("False", SUITE="linux-1.3").ran        # what failed runs again

    # Another check-all has run a program that is no test, on an earlier commit with other tests.
    known = toy.root / "docs/results.json"
    soak = {**json.loads(known.read_text())["linux-1.2"], "said": "flat", "what": "make soak CYCLES=1000"}
    known.write_text(json.dumps({**json.loads(known.read_text()), "soak-1.2": soak}))
    assert check_all(SUITE="soak-1.2").built == [] and "soak-1.2: passed on this content before" in check_all(SUITE="soak-1.2").stdout
    (toy.root / "tests/toy.txt").touch()
    commit()
    assert check_all(SUITE="soak-1.2").built != []

    # Files of tests that have changed or failed run again alone, unless something else has changed, too.
    def more(text):
        (toy.root / "tests/test_toy.py").write_text(TESTS.format(assertion="True"))
        (toy.root / "tests/test_more.py").write_text(text)
        commit()
        done = check_all(SUITE="linux-1.3")
        return bool(done.ran), rows()["linux-1.3"][0]
    assert more("def test_more(): pass") == (True, "5 passed, 0 failed, 0 skipped")
    assert more("def test_more(): assert False") == (False, "**failed**: 4 passed, 1 failed, 0 skipped")
    assert "- linux-1.3: `tests.test_more::test_more`" in page.read_text()
    assert more("def test_more(): assert False") == (False, "**failed**: 4 passed, 1 failed, 0 skipped")
    assert more("import pytest\n@pytest.mark.once\ndef test_more(): pass") == (False, "4 passed, 0 failed, 0 skipped")
    (toy.root / "tests/helper.py").touch()
    assert more("def test_more(): pass") == (True, "5 passed, 0 failed, 0 skipped")

    # What only some files of tests depend on, or a program.
    (toy.root / "tests/test_house.py").write_text("def test_house(): pass")
    (toy.root / "tools/kitlib").mkdir(parents=True)
    soak["commit"] = commit()
    known.write_text(json.dumps({**json.loads(known.read_text()), "soak-1.2": soak}))
    check_all(SUITE="linux-1.2")
    (toy.root / "tools/kitlib/parts.py").touch()
    commit()
    assert check_all(SUITE="soak-1.2").built == [] and "only tests/test_house.py" in check_all(SUITE="linux-1.2").stdout
    (toy.root / "tools/soak").touch()
    commit()
    assert check_all(SUITE="soak-1.2").built != []
    assert "only tests/test_front_door.py tests/test_house.py" in check_all(SUITE="linux-1.2").stdout
    (toy.root / "tools/kitlib/results.py").touch()
    assert more("def test_more(): pass") == (False, "6 passed, 0 failed, 0 skipped")
    assert "only tests/test_house.py" in check_all(SUITE="linux-1.2").stdout

    check_all(SUITE="lint")         # a program
    assert re.fullmatch(r"lint: \d+ checks passed", rows()["lint"][0])
    assert "SUITE=nothing: no suite has such a name; there is lint, linux-1.2, linux-1.3, linux-1.2-core" in \
        toy.error("check-all", SUITE="nothing")

    # Another length is another run; the program does not run here.
    assert "soak-1.2: make soak CYCLES=7\n" in check_all(SUITE="soak-1.2", CYCLES="7").stdout
    assert "leave out KDIR= and QDIR=" in toy.error("check-all", KDIR="mine")

    # A file that cannot be read counts, and is the one that runs again.
    assert more("import nothing_like_it")[1].startswith("**failed**: 5 passed, 1 failed")
    assert more("def test_more(): pass") == (False, "6 passed, 0 failed, 0 skipped")

    # A patch's message and documents are for lint alone.
    def edited(pattern, new):
        patch = sorted((toy.root / "linux/1.3").glob("*.patch"))[-1]
        text = patch.read_text()
        assert re.search(pattern, text, re.M)
        patch.write_text(re.sub(pattern, new, text, flags=re.M))
        commit()
        return bool(check_all(SUITE="linux-1.3").ran)
    document = "diff --git a/Documentation/new b/Documentation/new\n--- /dev/null\n+++ b/Documentation/new\n@@ -0,0 +1 @@\n+New.\n"
    assert not edited(r"^(Subject: .*)$", r"\1, in other words")
    assert not edited(r"\A((?s:.*?))^diff --git", rf"\1{document}diff --git")
    assert edited(r"^\+(?!\+)(.*)$", r"+\1 changed")


def collected(*options, tests=("tests/test_eject.py", "tests/test_views.py"), cwd=ROOT, status=0):
    """[(test, its parameters)] that pytest would run, or what it says if it ends with another status."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    done = subprocess.run([sys.executable, "-m", "pytest", *tests, "--collect-only", "-q", "-p", "no:cacheprovider", *options],
                          cwd=cwd, env={**env, "CPUHP_ROOT": str(ROOT)}, text=True, capture_output=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr if status else \
        [re.fullmatch(r"(.*::\w+)(?:\[(.*)\])?", line).groups() for line in done.stdout.splitlines() if "::" in line]


def test_directory_of_each_test():
    """Tests that run at the same time have each their own: no two files have a test of the same name."""
    names = [name for path in (ROOT / "tests").glob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)]
    assert len(names) > 200 and {name for name in names if names.count(name) > 1} == set()


def test_one_dialect_of_each_test():
    """Every test is left, each with one dialect, and each dialect with some."""
    every, *turns = collected(), *(collected(*option) for option in (["--one-dialect"], ["--one-dialect=1"], ["--one-dialect=2"]))
    for left in turns:
        assert len(left) == len(dict(every)) < len(every)
        assert dict(left).keys() == dict(every).keys()
        assert {dialect for _, dialect in left} >= {"online-capable", "hidden", "disabled"}
    assert set(every) == {test for left in turns for test in left}      # in each turn another one


PART_TESTS = """\
import pytest
def test_core(vm): pass
@pytest.mark.part("complete")
def test_complete(boot): pass
@pytest.mark.part({later!r})
def test_later(vm): pass
def test_no_guest(): pass
"""


def test_tests_of_a_part(tmp_path):
    """Those that need a later part, or no guest's kernel, are left out."""
    (tmp_path / "test_parts.py").write_text(PART_TESTS.format(later="optional"))
    options = ("-p", "conftest", "--rootdir", str(tmp_path))

    def names(*more):
        return [name.partition("::test_")[2] for name, _ in collected(*options, *more, tests=[str(tmp_path)], cwd=ROOT / "tests")]
    assert names() == ["core", "complete", "later", "no_guest"]
    assert names("--part", "core") == ["core"]
    assert names("--part", "hardening") == ["core", "complete"]
    (tmp_path / "test_parts.py").write_text(PART_TESTS.format(later="best"))
    assert "part('best'): there is core, complete, hardening, cost, optional" in \
        collected(*options, tests=[str(tmp_path)], cwd=ROOT / "tests", status=4)


def test_a_project_that_was_moved(toy, tmp_path):
    """git worktrees know each other by absolute paths."""
    toy.two_patches()
    (toy.root / "qemu/1.0").mkdir(parents=True)
    (toy.root / "qemu/1.0/series").touch()
    toy.ok("build", "linux", "linux-base")
    toy.root.rename(tmp_path / "moved")
    toy.root = tmp_path / "moved"
    (tmp_path / "moved/work/linux-1.2-base/build/.kit-built").unlink()
    toy.ok("build", "linux", "linux-base")
