"""Patched source trees: made from the series, and written back to it.

A tree is a git repository: the base (tag `base`), then one commit per patch.
In the project a patch holds the edits to files that the base has; the files
that it adds live under linux/files or qemu/files, where they can be read.

What a patch has between "---" and its diffstat, such as its state with
mainline, is in the tree the end of the commit's message, "---" included: git
am drops it, and rebase keeps it. There, "Part: <name>" is the part of the
series; in the project it is the heading in the file `series`.

What make() remembers, in the tree's own git:
  refs/kit/debian  the base as Debian has it
  refs/kit/made    the last commit that make() or refresh() knows to be what
                   the project says; anything else in the tree is local work
  kit.stamp        hash of the base, the series, its patches and new files
  kit.patches      the same without the new files
"""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from . import fetch
from .common import (Error, NewFile, bases, git, KINDS, lock, PARTS, ROOT, run, say, shorten, warn)


# --- what the project says ---------------------------------------------------

def base_commit(base):
    """Commit of the tree that the series is applied to."""
    user = base.user_tree()
    if user:
        return fetch.from_user(base, KINDS[base.kind], user)
    return fetch.from_debian(base)


def known_base(base):
    """base_commit() for those who only read: it waits for no build that goes on in the tree."""
    found = None if base.user_tree() else fetch.known_debian(base)
    if found:
        return found
    with lock(base.name):
        return base_commit(base)


def stamp(base, base_sha, files=True):
    """Hash of everything that the patched tree is made from, or all but the new files."""
    digest = hashlib.sha256(git(base.tree, "rev-parse", f"{base_sha}^{{tree}}").encode())
    parts = base.parts()
    for patch, new in base.series():
        digest.update(" ".join([*filter(None, [parts[patch]]), series_line(patch, new)]).encode() + b"\n")
        for path in [base.dir / patch, *(base.files / source for _, source in new if files)]:
            try:
                digest.update(b"%o " % (path.stat().st_mode & 0o111))
                digest.update(path.read_bytes())
            except FileNotFoundError:
                raise Error(f"{shorten(base.dir / 'series')} names {shorten(path)}, "
                            "which is not there") from None
    return digest.hexdigest()


def series_line(patch, new):
    return " ".join([patch, *map(str, new)])


def subject_of(text):
    """The subject of a patch mail, or None."""
    head = re.sub(r"\n[ \t]+", " ", text.partition("\n\n")[0])
    match = re.search(r"^Subject: (?:\[PATCH[^]]*\] )?(.*)$", head, re.M)
    return match and match[1]


def below(text):
    """The remarks of a patch mail: the lines between the "---" that ends the message and what git says of the diff."""
    _, found, rest = text.partition("\n---\n")
    remarks = []
    for line in rest.splitlines() if found else ():
        if line == "---" or not line.strip() or line.startswith((" ", "diff --git ")):
            break
        remarks.append(line)
    return remarks


def divide(message):
    """(what git am takes of the message of a commit, the lines below its "---" but the part, the part or None)."""
    above, _, rest = message.partition("\n---\n")
    lines = rest.splitlines()
    part = next((line.removeprefix("Part: ").strip() for line in lines if line.startswith("Part: ")), None)
    return above, [line for line in lines if line.strip() and not line.startswith("Part: ")], part


def joined(message, remarks):
    """The inverse of divide()."""
    return "\n".join([message.rstrip("\n"), *(["---", *remarks] if remarks else [])]) + "\n"


def failed_hunk(patch, stderr):
    """'file:line, hunk "@@ ... @@"' out of what git apply complained about."""
    match = re.search(r"error: patch failed: (.*):(\d+)", stderr)
    if not match:
        return stderr.strip().splitlines()[0].removeprefix("error: ") if stderr.strip() else "?"
    name, line = match.groups()
    within = False
    for text in patch.read_text(errors="replace").splitlines():
        if text.startswith("+++ "):
            within = text[6:].strip() == name
        elif within and re.match(rf"@@ -{line}[ ,]", text):
            return f"{name}:{line}, hunk \"{text}\""
    return f"{name}:{line}"


def generate(base, base_sha, entries=None):
    """The series, or @entries like it, as commits upon @base_sha; returns the last one.

    Works in the object store alone. The commits depend on the project's files
    only, so the same series gives the same commits everywhere.
    """
    tip = base_sha
    with tempfile.TemporaryDirectory(prefix="kit-") as scratch:
        scratch = Path(scratch)
        index = {"GIT_INDEX_FILE": str(scratch / "index")}
        git(base.tree, "read-tree", base_sha, env=index)
        parts = base.parts()
        for patch, new in base.series() if entries is None else entries:
            tip = apply_patch(base, base.dir / patch, new, parts.get(patch), tip, index, scratch)
    return tip


def apply_patch(base, patch, new, part, parent, index, scratch):
    """@patch of @part and the files it brings, as a commit upon @parent."""
    mail = patch.read_text()
    head = run(["git", "mailinfo", scratch / "message", scratch / "diff"],
               data=mail, env={"GIT_CONFIG_GLOBAL": "/dev/null"}).stdout
    fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    missing = {"Author", "Email", "Subject", "Date"} - fields.keys()
    if missing:
        raise Error(f"{shorten(patch)} is no complete patch mail: no {', '.join(sorted(missing))}")
    diff = scratch / "diff"
    if re.search(r"^diff --git ", diff.read_text(errors="replace"), re.M):
        proc = run(["git", "-C", base.tree, "apply", "--cached", "--whitespace=nowarn", diff],
                   env={**index, "LC_ALL": "C"}, check=False)
        if proc.returncode:
            origin = git(base.tree, "log", "-1", "--format=%s", "refs/kit/base")
            raise Error(f"{shorten(patch)} does not apply to {origin.removeprefix('base: ')}: "
                        f"{failed_hunk(patch, proc.stderr)}")
    for name, source in new:
        if git(base.tree, "ls-files", "--", name, env=index):
            raise Error(f"{shorten(base.dir / 'series')}: {patch.name} brings {name}, "
                        "which the tree already has")
        path = base.files / source
        mode = "100755" if os.access(path, os.X_OK) else "100644"
        blob = git(base.tree, "hash-object", "-w", "--no-filters", path.resolve())
        git(base.tree, "update-index", "--add", "--cacheinfo", f"{mode},{blob},{name}", env=index)
    body = (scratch / "message").read_text().strip("\n")
    message = joined(fields["Subject"] + ("\n\n" + body if body else ""),
                     [*below(mail), *([f"Part: {part}"] if part else [])])
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER")
           for key, value in (("NAME", fields["Author"]), ("EMAIL", fields["Email"]),
                              ("DATE", fields["Date"]))}
    tree = git(base.tree, "write-tree", env=index)
    return git(base.tree, "commit-tree", tree, "-p", parent, "-F", "-", data=message, env=who)


# --- the tree as it stands ---------------------------------------------------

def in_progress(tree):
    """What git operation waits for the user in @tree, if any."""
    for name, what in (("rebase-merge", "a rebase"), ("rebase-apply", "a rebase or am"),
                       ("MERGE_HEAD", "a merge"), ("CHERRY_PICK_HEAD", "a cherry-pick")):
        if (tree / ".git" / name).exists():
            return what
    return None


# Debian's kernel has a .gitignore that ignores everything, so what looks like
# source is asked for by name, lest a forgotten `git add -f` goes unnoticed.
SOURCE = ["*.[chS]", "*.rst", "*.py", "*.sh", "*.dts*", "*.json", "*.yaml", "*.build",
          "*Kconfig*", "*Makefile*", "*Kbuild"]


def edits(tree):
    """Files with uncommitted changes, and source files not under git yet."""
    changed = git(tree, "diff", "--name-only", "-z", "HEAD")
    new = git(tree, "ls-files", "-o", "-z", "--exclude=/build/", "--exclude=/build-*/", "--", *SOURCE)
    return [name for name in (changed + new).split("\0") if name]


def content_key(tree):
    """Hash of the tree's content, uncommitted edits included.

    Cheap when nothing is edited: git compares time stamps only.
    """
    digest = hashlib.sha256(git(tree, "rev-parse", "HEAD^{tree}").encode())
    for name in edits(tree):
        digest.update(name.encode() + b"\0")
        if (tree / name).is_file():
            digest.update((tree / name).read_bytes())
    return digest.hexdigest()


def some(names):
    return ", ".join(names[:3] + (["..."] if names[3:] else []))


def ref(tree, name):
    return git(tree, "rev-parse", "-q", "--verify", name, check=False)


def remember(base, commit, base_sha, mark):
    """The tree now stands on what the project says."""
    git(base.tree, "update-ref", "refs/kit/made", commit)
    git(base.tree, "tag", "-f", "base", base_sha)
    git(base.tree, "config", "kit.stamp", mark)
    git(base.tree, "config", "kit.patches", stamp(base, base_sha, files=False))


def local_work(base, made):
    """Commits or edits of the user in the tree, in words; '' if there are none."""
    changed = edits(base.tree)
    if changed:
        return f"uncommitted edits ({some(changed)})"
    head = git(base.tree, "rev-parse", "HEAD")
    if head != made:
        return f"commits of yours ({git(base.tree, 'log', '-1', '--format=%h %s', head)})"
    return ""


def inherit_identity(tree):
    """Lets the user commit in @tree as in the project."""
    for key in ("user.name", "user.email"):
        value = run(["git", "-C", ROOT, "config", key], check=False).stdout.strip()
        if value and not run(["git", "-C", tree, "config", key], check=False).stdout.strip():
            git(tree, "config", key, value)


def make(base, discard=False):
    """Brings the tree to what the project says; local work is never lost.

    Files that do not change keep their time stamps, so that a build after it
    compiles what depends on the change and nothing else.
    """
    base_sha = base_commit(base)
    git(base.tree, "update-ref", "refs/kit/base", base_sha)
    busy = in_progress(base.tree)
    if busy and not discard:
        raise Error(f"{busy} is under way in {shorten(base.tree)}: finish or abort it first")
    want = stamp(base, base_sha)
    made = ref(base.tree, "refs/kit/made")
    if not discard and made and git(base.tree, "config", "kit.stamp", check=False) == want:
        return
    tip = generate(base, base_sha)
    head = ref(base.tree, "HEAD")
    name = shorten(base.tree)
    if not head:
        pass                        # nothing checked out yet, so nothing to lose
    elif discard:
        lost = local_work(base, made or base_sha)
        if lost:
            say(f"{name}: discarding {lost}; commits stay in git reflog")
    elif head not in (base_sha, made) and not same_commits(base.tree, base_sha, head, tip) or \
            head != base_sha and not same_content(base.tree, head, tip):
        if is_ancestor(base.tree, tip, head):
            remember(base, tip, base_sha, want)     # rebased onto what the project says
            return
        lost = local_work(base, made or tip)
        if lost:
            raise Error(
                f"{shorten(base.dir)} has changed, and {name} holds {lost}: put them on top with "
                f"'git -C {name} rebase --onto {tip[:12]} {(made or base_sha)[:12]}', or throw them "
                f"away with 'make tree DISCARD=1'")
    elif edits(base.tree) and not same_content(base.tree, head, tip):
        raise Error(f"{name} holds {local_work(base, head)}: commit them, or throw them away with "
                    "'make tree DISCARD=1'")
    if same_content(base.tree, head, tip) and not discard:
        git(base.tree, "reset", "-q", "--soft", tip)
    else:
        if busy:
            git(base.tree, "rebase", "--abort", check=False)
        git(base.tree, "checkout", "-q", "-f", "-B", "main", tip)
        if discard:
            git(base.tree, "clean", "-q", "-d", "-f")
        say(f"{name}: {len(base.series())} patches on "
            f"{git(base.tree, 'log', '-1', '--format=%s', base_sha).removeprefix('base: ')}")
    inherit_identity(base.tree)
    remember(base, tip, base_sha, want)


def same_content(tree, left, right):
    return left and git(tree, "rev-parse", f"{left}^{{tree}}") == \
        git(tree, "rev-parse", f"{right}^{{tree}}")


def same_commits(tree, base_sha, left, right):
    """The same changes with the same messages in the same order, whoever committed them and when."""
    said = [git(tree, "log", "--format=%T%n%an %ae %ad%n%B", f"{base_sha}..{head}") for head in (left, right)]
    return said[0] == said[1]


def is_ancestor(tree, old, new):
    return git(tree, "merge-base", "--is-ancestor", old, new, check=False) is not None


def is_checkout(path):
    """False also for a worktree whose project was moved to another place."""
    return (path / ".git").exists() and ref(path, "HEAD") is not None


def make_pristine(base):
    """The unpatched tree next to the patched one, for comparison."""
    make_worktree(base, base.pristine, base_commit(base))


def make_part(base, part):
    """The tree up to the end of @part, next to the whole one."""
    lost = local_work(base, ref(base.tree, "refs/kit/made"))
    if lost:
        warn(f"{shorten(base.tree)} holds {lost}; {shorten(base.part_tree(part))} is what "
             f"{shorten(base.dir)} says: 'make refresh' takes them in")
    end = generate(base, base_commit(base), base.series_to(part))
    git(base.tree, "update-ref", f"refs/kit/{part}", end)
    make_worktree(base, base.part_tree(part), end)


def make_worktree(base, path, commit):
    """@commit of the tree at @path; files that are the same keep their time stamps."""
    if not is_checkout(path):
        shutil.rmtree(path, ignore_errors=True)
        git(base.tree, "worktree", "prune")
        git(base.tree, "worktree", "add", "-q", "--detach", path, commit)
    elif ref(path, "HEAD") != commit:
        git(path, "checkout", "-q", "-f", "--detach", commit)


# --- writing it back ---------------------------------------------------------

FORMAT = ["-c", "diff.algorithm=myers", "-c", "core.quotePath=true", "format-patch",
          "--zero-commit", "--no-signature", "--full-index", "--no-renames", "--binary"]


def commits(tree, base_sha, head="HEAD"):
    if not is_ancestor(tree, base_sha, head):
        raise Error(f"{shorten(tree)}: HEAD does not descend from the tag base")
    if git(tree, "rev-list", "--merges", f"{base_sha}..{head}"):
        raise Error(f"{shorten(tree)}: there is a merge among the commits; a series is a line")
    return git(tree, "rev-list", "--reverse", f"{base_sha}..{head}").split()


def split(tree, commit, remarks=None):
    """(patch name, patch text, [added file, ...]) of a commit of the tree.

    Below the "---" of the patch are the commit's own remarks, or @remarks.
    """
    added, edited = [], []
    fields = git(tree, "diff-tree", "-r", "-z", "--no-commit-id", "--no-renames", "--name-status",
                 commit).split("\0")
    for status, name in zip(fields[::2], fields[1::2]):
        (added if status == "A" else edited).append(name)
    with tempfile.TemporaryDirectory(prefix="kit-") as scratch:
        message = git(tree, "log", "-1", "--format=%B", commit)
        above, own, _ = divide(message)
        wanted = joined(above, own if remarks is None else remarks)
        plain = commit
        if added or wanted.rstrip("\n") != message.rstrip("\n"):
            plain = without(tree, commit, added, wanted, Path(scratch))
        git(tree, *FORMAT, "-N", "--always", "-o", scratch, "-1", plain)
        [path] = Path(scratch).glob("*.patch")
        return path.name.split("-", 1)[1], path.read_text(), added


def without(tree, commit, names, message, scratch):
    """@commit as it would be if it had @message, and not the files @names."""
    index = {"GIT_INDEX_FILE": str(scratch / "index")}
    git(tree, "read-tree", commit, env=index)
    if names:
        git(tree, "update-index", "--force-remove", "--", *names, env=index)
    content = git(tree, "write-tree", env=index)
    author, email, date = git(tree, "log", "-1", "--format=%an%n%ae%n%ad", "--date=raw", commit).split("\n")
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER")
           for key, value in (("NAME", author), ("EMAIL", email), ("DATE", date))}
    return git(tree, "commit-tree", content, "-p", f"{commit}^", "-F", "-", data=message, env=who)


def known_remarks(base):
    """{subject: (remarks, part)} of the patches of this base, and of others where this one has none.

    For commits that have none: git am drops them.
    """
    found = {}
    for other in [*(entry for entry in bases(base.kind) if entry.version != base.version), base]:
        parts = other.parts()
        for patch, _ in other.series():
            if (other.dir / patch).is_file():
                text = (other.dir / patch).read_text()
                subject = subject_of(text)
                if subject:
                    had, in_part = found.get(subject, ([], None))
                    found[subject] = below(text) or had, parts[patch] or in_part
    return found


class Parts:
    """Which part each commit of a tree is in, commit by commit."""

    def __init__(self, base):
        self.base, self.order = base, PARTS[base.kind]
        self.part = self.order[0] if self.order else None
        self.first = ""         # commit that the part began with

    def next(self, part, subject):
        """The part of the commit @subject, which says @part, or None: then that of the one before."""
        if not self.order or not part:
            return self.part
        name = shorten(self.base.tree)
        reword = f"end its message with \"---\" and \"Part: <name>\" ('git -C {name} rebase -i base', reword)"
        if part not in self.order:
            raise Error(f"{name}: \"{subject}\" is of the part {part}; there is {', '.join(self.order)}: {reword}")
        if self.order.index(part) < self.order.index(self.part):
            raise Error(f"{name}: \"{subject}\" is of the part {part}, and comes after \"{self.first}\" of "
                        f"{self.part}: move one of them, or {reword}")
        if part != self.part or not self.first:
            self.part, self.first = part, subject
        return part


def refresh(base, force=False):
    """Writes the tree's commits back: patches, new files, series."""
    tree, name = base.tree, shorten(base.tree)
    if not (tree / ".git").exists():
        raise Error(f"{name} is not there yet: 'make tree' makes it")
    busy = in_progress(tree)
    if busy:
        raise Error(f"{busy} is under way in {name}: finish or abort it first")
    changed = edits(tree)
    if changed:
        raise Error(f"{name} holds uncommitted edits ({some(changed)}): commit them first (new "
                    "files with 'git add -f')")
    base_sha = git(tree, "rev-parse", "base^{commit}")
    taken = set()
    if not force and base.series():
        old = git(tree, "config", "kit.stamp", check=False)
        if old != stamp(base, base_sha):
            what = f"{shorten(base.dir)} or its files have changed since {name} was made from them"
            again = f"make tree {base.kind.upper()}={base.version}"
            if ref(tree, "HEAD") == ref(tree, "refs/kit/made"):
                # Another base's refresh did it, as a rule. There is nothing to lose here.
                say(f"{what}, and it holds nothing of yours: '{again}' takes them over")
                return
            if git(tree, "config", "kit.patches", check=False) != stamp(base, base_sha, files=False):
                raise Error(f"{what}: '{again}' first (or 'make refresh FORCE=1': the tree wins)")
            taken = changed_elsewhere(base)

    # What bases share stays where it is, whatever its path in this tree.
    sources = {path: source for _, new in base.series() for path, source in new}
    entries, owner = [], {}
    remembered, parts = known_remarks(base), Parts(base)
    for number, commit in enumerate(commits(tree, base_sha), 1):
        _, remarks, part = divide(git(tree, "log", "-1", "--format=%B", commit))
        subject = git(tree, "log", "-1", "--format=%h %s", commit)
        before, of_part = remembered.get(subject.split(" ", 1)[1], ([], None))
        slug, text, added = split(tree, commit, remarks or before)
        if re.match(r"\S+ (fixup|squash|amend)!", subject):
            raise Error(f"{name}: \"{subject}\" is not folded in yet: "
                        f"'git -C {name} rebase -i --autosquash base' first")
        touched = git(tree, "diff-tree", "-r", "-z", "--no-commit-id", "--no-renames",
                      "--name-only", commit).split("\0")
        for path in filter(None, touched):
            if path in owner:
                first = owner[path]
                raise Error(f"{name}: \"{subject}\" edits {path}, which \"{first}\" brings: a new "
                            f"file belongs to one commit; 'git commit --fixup {first.split()[0]}'")
        owner.update({path: subject for path in added})
        entries.append((parts.next(part or of_part, subject), f"{number:04d}-{slug}", text,
                        [NewFile(path, sources.get(path, path)) for path in added]))

    if not force:
        keep_shared(base, [new for *_, added in entries for new in added], sources.values())
    write_series(base, entries, taken)
    # What was written must give the same tree again; and the tree stands on it.
    tip = generate(base, base_sha)
    differs = git(tree, "diff", "--name-only", "--no-renames", "HEAD", tip).splitlines()
    if set(differs) - taken:
        raise Error(f"{shorten(base.dir)}: the series just written does not give {name} again")
    git(tree, "reset", "-q", "--soft", tip)
    if differs:
        git(tree, "checkout", "-q", "HEAD", "--", *differs)
        say(f"{name}: took over {some(differs)}, changed in {shorten(base.files)} since")
    remember(base, tip, base_sha, stamp(base, base_sha))


def changed_elsewhere(base):
    """Paths of new files whose source is not what the tree was made from: another base's refresh.

    They are taken over, unless this tree has edited them as well.
    """
    tree, changed = base.tree, set()
    for path, source in (new for _, files in base.series() for new in files):
        made = git(tree, "show", f"refs/kit/made:{path}", binary=True)
        if (base.files / source).read_bytes() == made:
            continue
        mine = git(tree, "show", f"HEAD:{path}", binary=True, check=False)
        if mine not in (made, (base.files / source).read_bytes()):
            raise Error(
                f"{shorten(base.files / source)} and {path} in {shorten(tree)} have both changed: copy "
                f"the one over the other, merge, and 'git commit --fixup' in {shorten(tree)}; then "
                f"'make refresh {base.kind.upper()}={base.version} FORCE=1'")
        changed.add(path)
    return changed


def keep_shared(base, files, known):
    """A file that this base has not brought before may be another's, and newer there."""
    for path, source in files:
        there = base.files / source
        if source not in known and there.exists() and \
                there.read_bytes() != git(base.tree, "show", f"HEAD:{path}", binary=True):
            raise Error(f"{shorten(there)} is there already and differs from {path} in "
                        f"{shorten(base.tree)}: bring the two together there first (or 'make refresh "
                        "FORCE=1': the tree wins)")


def write_if_changed(path, data, mode=0o644):
    """True if @path had to be written."""
    if path.exists() and path.read_bytes() == data and path.stat().st_mode & 0o777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return True


def write_series(base, entries, keep=()):
    """Writes the project's side: only what differs is touched, and no new file whose path is in @keep."""
    written, changed = 0, set()
    had = {source for _, new in base.series() for _, source in new}
    for _, patch, text, added in entries:
        written += write_if_changed(base.dir / patch, text.encode())
        for path, source in added:
            if path in keep:
                continue
            data = git(base.tree, "show", f"HEAD:{path}", binary=True)
            mode = git(base.tree, "ls-tree", "HEAD", "--", path).split()[0]
            if write_if_changed(base.files / source, data, int(mode[-3:], 8)):
                changed.add(source)
    written += len(changed)
    lines, last = [], None
    for part, patch, _, added in entries:
        lines += [*([f"# part: {part}"] if part != last else []), series_line(patch, added)]
        last = part
    for old in base.dir.glob("*.patch"):
        if old.name not in {patch for _, patch, _, _ in entries}:
            old.unlink()
            written += 1
    written += write_if_changed(base.dir / "series", "".join(f"{line}\n" for line in lines).encode())
    # A new file that no base brings any more is gone.
    used = {source for other in bases(base.kind) for _, new in other.series() for _, source in new}
    for name in had - used:
        (base.files / name).unlink(missing_ok=True)
        written += 1
    say(f"{shorten(base.dir)}: {len(entries)} patches, "
        f"{f'{written} files written' if written else 'nothing changed'}")
    for other in bases(base.kind):
        shared = sorted(changed & {source for _, new in other.series() for _, source in new})
        if shared and other.version != base.version and (other.tree / ".git").exists():
            say(f"{shorten(other.tree)} shares {some(shared)}: 'make tree "
                f"{other.kind.upper()}={other.version}' takes over what changed")


def series(base, out, part=None):
    """Writes one complete mailbox series, new files included, to @out; with @part, up to its end."""
    entries = base.series_to(part) if part else base.series()
    head = ref(base.tree, "refs/kit/made")
    lost = local_work(base, head)
    if lost:
        warn(f"{shorten(base.tree)} holds {lost}; the series in {out} is what "
             f"{shorten(base.dir)} says: 'make refresh' takes them in")
    if part:
        head = generate(base, base_commit(base), entries)
    out = Path(out).expanduser().resolve()
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("[0-9][0-9][0-9][0-9]-*.patch"):
        if not old.read_text(errors="replace").startswith("From " + "0" * 40):
            raise Error(f"{old} was not written by 'make series': choose another directory")
        old.unlink()
    if git(base.tree, "rev-list", f"base..{head}"):
        git(base.tree, *FORMAT, "-n", "-o", out, f"base..{head}")
    say(f"{out}: {len(entries)} patches for {base.kind} {base.version}{f', up to the end of {part}' if part else ''}; "
        "'git am' takes them in order")
