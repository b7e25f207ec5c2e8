"""What every patch, and every tool of ours, must fulfil.

A check is a generator of problems, one line each. Those in PER_BASE look at
one series, those in OF_PROJECT at the project itself.
"""

import ast
import email.header
import email.utils
import functools
import os
import re
import shutil
import tempfile
from pathlib import Path

from . import build, parts as parts_page, tree
from .common import (OUT, PARTS, ROOT, KINDS, Error, Progress, bases, git, given, lock, logged, run, shorten)

LINT = OUT / "lint"


def parse(patch):
    """(header lines, subject, body lines, the text after "---") of a patch mail."""
    text = patch.read_text()
    mail, _, rest = text.partition("\n---\n")
    head, _, body = mail.partition("\n\n")
    head = re.sub(r"\n[ \t]+", " ", head).splitlines()
    subject = next((line[9:] for line in head if line.startswith("Subject: ")), "")
    subject = re.sub(r"^\[PATCH[^]]*\] ", "", subject)
    return head, subject, body.rstrip().splitlines(), rest


def address(text):
    """(name, address) of a mail header, decoded and without quotes."""
    decoded = str(email.header.make_header(email.header.decode_header(text)))
    return email.utils.parseaddr(decoded)


# --- one series: cheap -------------------------------------------------------

def consistency(base):
    """series, patches and new files fit one another"""
    listed = [patch for patch, _ in base.series()]
    there = {path.name for path in base.dir.glob("*.patch")}
    where = shorten(base.dir)
    for name in sorted(there - set(listed)):
        yield f"{where}/{name} is not in {where}/series"
    for name in sorted(set(listed) - there):
        yield f"{where}/series names {name}, which is not there"
    for name in sorted({name for name in listed if listed.count(name) > 1}):
        yield f"{where}/series names {name} twice"
    owner, sources = {}, set()
    for patch, new in base.series():
        for name, source in new:
            if name in owner:
                yield f"{where}/series: {name} belongs to {owner[name]} and to {patch}"
            elif source in sources:
                yield f"{where}/series names {source} twice"
            owner[name] = patch
            sources.add(source)
            if not (base.files / source).is_file():
                yield f"{where}/series names {source}, which is not in {shorten(base.files)}"
    for patch in sorted(there):
        for name in re.findall(r"^\+\+\+ b/(.*)$", (base.dir / patch).read_text(), re.M):
            if name in owner:
                yield f"{where}/{patch} edits {name}, which belongs to {owner[name]}"


def messages(base):
    """subjects, bodies and trailers of the patches"""
    for patch, _ in base.series():
        if not (base.dir / patch).is_file():
            continue                              # consistency() says so
        head, subject, body, _ = parse(base.dir / patch)
        where = shorten(base.dir / patch)
        author = next((address(line[6:]) for line in head if line.startswith("From: ")), None)
        if re.search(r"\b(fixup|squash|amend)!|\bWIP\b", subject, re.I):
            yield f"{where}: \"{subject}\" is not folded in"
        elif not re.match(r"[\w/.,*-]+( [\w-]+)?: \S", subject):
            yield f"{where}: \"{subject}\" has no \"subsystem: \" in front"
        if len(subject) > 75 or subject.endswith("."):
            yield f"{where}: the subject is longer than 75 characters or ends with a full stop"
        signed = [line[15:] for line in body if line.startswith("Signed-off-by: ")]
        if not signed or not body[-1].startswith("Signed-off-by: "):
            yield f"{where}: Signed-off-by is not the last line of the message"
        elif author not in map(address, signed):
            yield f"{where}: the author, {' '.join(author or ())}, has not signed off"
        if not any(line and not re.match(r"[\w-]+: ", line) for line in body):
            yield f"{where}: the message does not say why"
        for line in body:
            if len(line) > 75 and " " in line.strip() and not re.match(r"[\w-]+: |\s{2}", line):
                yield f"{where}: a line of the message is longer than 75 characters: {line[:40]}..."


def parts(base):
    """each patch is in a part of its series, and the parts are in order"""
    order, where, last = PARTS[base.kind], shorten(base.dir / "series"), None
    for patch, part in base.parts().items():
        if part is None and order:
            yield f"{where}: {patch} is in no part: a line \"# part: {order[0]}\" must come before it"
        elif part is not None and part not in order:
            yield f"{where}: {patch} is in the part {part}; there is {', '.join(order) or 'none'}"
        elif last in order and order.index(part) < order.index(last):
            yield f"{where}: {patch} is in the part {part}, and comes after {last}"
        last = part


# How a change stands with mainline: this version has it, has something like it, has it not yet.
VERSION = r"v\d+\.\d+(-rc\d+)?"
MAINLINE = re.compile(rf"Mainline: ({VERSION} \S.*|{VERSION}, other form\b.*|not in {VERSION}\b.*|"
                      r"not for mainline, because \S.*)$")


def mainline(base):
    """each patch of a kernel says below its "---" how it stands with mainline"""
    for patch, _ in base.series():
        if base.kind != "linux" or not (base.dir / patch).is_file():
            continue
        where = shorten(base.dir / patch)
        said = [line for line in tree.below((base.dir / patch).read_text()) if line.startswith("Mainline:")]
        if len(said) != 1:
            yield f"{where}: {len(said)} lines \"Mainline:\" below \"---\", must be one"
        for line in said:
            if not MAINLINE.match(line):
                yield (f"{where}: \"{line}\" is none of \"Mainline: v6.11 <subject>\", \"v7.2, other form\", "
                       "\"not in v7.3\", \"not for mainline, because ...\"")


# --- one series: with its tree -----------------------------------------------

@functools.cache
def tip(base):
    """The series as commits: (base commit, [commit, ...])."""
    base_sha = tree.base_commit(base)
    git(base.tree, "update-ref", "refs/kit/base", base_sha)
    last = tree.generate(base, base_sha)
    git(base.tree, "update-ref", "refs/kit/lint", last)       # so that git gc keeps them
    return base_sha, tree.commits(base.tree, base_sha, last)


def round_trip(base):
    """patches -> tree -> patches gives the same bytes"""
    _, commits = tip(base)
    entries = base.series()
    if len(entries) != len(commits):
        yield f"{shorten(base.dir)}: {len(entries)} patches give {len(commits)} commits"
    for number, ((patch, new), commit) in enumerate(zip(entries, commits), 1):
        slug, text, added = tree.split(base.tree, commit)
        where = shorten(base.dir / patch)
        if f"{number:04d}-{slug}" != patch:
            yield f"{where}: refresh would call it {number:04d}-{slug}"
        if text != (base.dir / patch).read_text():
            yield f"{where}: refresh would write other bytes: 'make tree refresh' and look"
        said = [path for path, _ in new]
        if added != said:
            yield f"{where}: brings {' '.join(added) or 'nothing'}, and series says {' '.join(said) or 'nothing'}"


def worktree(base, name, *options):
    """A fresh worktree of the base under out/lint."""
    path = LINT / name
    git(base.tree, "worktree", "prune")
    if tree.is_checkout(path):
        git(base.tree, "worktree", "remove", "--force", path)
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    git(base.tree, "worktree", "add", "-q", "--detach", *options, path, "refs/kit/base")
    return path


def mailbox(base):
    """git am of the mailbox series on a pristine base gives the same tree"""
    base_sha, commits = tip(base)
    if not commits:
        return
    touched = git(base.tree, "diff", "--name-only", "--no-renames", base_sha, commits[-1])
    path = worktree(base, f"{base.name}-am", "--no-checkout")
    try:
        # Only the files that the series touches are written to the disk.
        git(path, "sparse-checkout", "set", "--no-cone", "--stdin",
            data="".join(f"/{name}\n" for name in touched.splitlines()))
        git(path, "checkout", "-q", "--detach", base_sha)
        with tempfile.TemporaryDirectory(prefix="kit-") as out:
            git(base.tree, *tree.FORMAT, "-n", "-o", out, f"{base_sha}..{commits[-1]}")
            proc = run(["git", "-C", path, "-c", "user.name=lint", "-c", "user.email=lint@localhost",
                        "am", "-q", *sorted(Path(out).glob("*.patch"))],
                       env={"GIT_CONFIG_GLOBAL": "/dev/null"}, check=False)
        if proc.returncode:
            yield f"{shorten(base.dir)}: git am fails: {(proc.stderr or proc.stdout).strip().splitlines()[0]}"
        elif not tree.same_content(path, "HEAD", commits[-1]):
            yield f"{shorten(base.dir)}: git am gives another tree than make tree"
    finally:
        git(base.tree, "worktree", "remove", "--force", path, check=False)


def changed_lines(repo, first, last):
    """{path: [line, ...]} twice: what the commits after @first up to @last add, new files included, and what they remove."""
    added, removed, path = {}, {}, ""
    for line in git(repo, "-c", "core.quotePath=false", "diff", "--no-renames", "--no-ext-diff", "-U0", first, last).splitlines():
        if line.startswith("diff --git "):
            path = line.rpartition(" b/")[2]
        elif line.startswith(("+", "-")) and not line.startswith(("+++ ", "--- ")):
            (added if line[0] == "+" else removed).setdefault(path, []).append(line[1:])
    return added, removed


# What a line brings that others may name: where, the line, what it is, and how it is named, in Kconfig and elsewhere.
BRINGS = (
    (r"Kconfig", r"^\s*(?:menu)?config\s+(\w+)\s*$", "the symbol", r"\bCONFIG_{}\b", r"\b{}\b"),
    (r"\.c$", r"\b(?:early_param|__setup)\(\"([\w.-]+)=?\"", "the parameter", r"(?<![\w.]){}="),
    (r"\.c$", r"\b(?:core|module)_param(?:_named|_cb)?\((\w+),", "the parameter", r"(?<!\w){}="),
    (r"\.c$", r"\bDEVICE_ATTR(?:_\w+)?\((\w+)\b", "the attribute", r"[/\"`]{}\b"),
    (r"\.h$", r"\b(?:TRACE|DEFINE)_EVENT(?:_\w+)?\((?:\w+, *)?(\w+),\s*$", "the event", r"\b(?:trace_|\w+[/:]){}\b"),
)


def things(lines):
    """{(what it is, its name): [(where, pattern of a line that names it), ...]}, of what {path: [line, ...]} define."""
    found = {}
    for path in lines:
        for where, pattern, what, *names in BRINGS:
            for line in lines[path] if re.search(where, path) else ():
                if match := re.search(pattern, line):
                    found[what, match[1]] = [(where, name.format(re.escape(match[1])))
                                             for where, name in zip(("", "Kconfig"), names)]
    return found


def names_of(path):
    """[(where, pattern of a line that names it), ...] of a file."""
    directory, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    beside = f"^{re.escape(directory)}/" if directory else "^"
    names = [("", rf"(?<![\w/]){re.escape(path)}\b"), (rf"{beside}[^/]*$", rf"[\"`(]{re.escape(name)}\b")]
    if match := re.match(r"(?:arch/\w+/)?include/(?:uapi/)?(.*)", path):
        names.append(("", f"<{re.escape(match[1])}>"))
    if suffix == ".c":
        names.append((f"{beside}(Makefile|Kbuild)$", rf"(?<![\w-]){re.escape(stem)}\.o\b"))
    if suffix == ".rst":
        names.append((rf"{beside}index\.rst$", rf"^\s+{re.escape(stem)}\s*$"))
    return names


def whole(base):
    """no part of the series names a file, symbol, parameter, attribute or event that only a later one brings"""
    base_sha, commits = tip(base)
    parts = base.parts()
    ends = {parts[patch]: commit for (patch, _), commit in zip(base.series(), commits, strict=True)}
    added, brings, start = {}, {}, base_sha
    for part, end in ends.items():
        added[part], removed = changed_lines(base.tree, start, end)
        files = git(base.tree, "diff", "--no-renames", "--diff-filter=A", "--name-only", start, end).splitlines()
        brings[part] = {("the file", path): names_of(path) for path in files}
        brings[part] |= {thing: names for thing, names in things(added[part]).items() if thing not in things(removed)}
        start = end
    for part in ends:
        later = list(ends)[list(ends).index(part) + 1:]
        for other, (thing, names) in ((other, item) for other in later for item in brings[other].items()):
            for path, line in ((path, line) for path, lines in added[part].items() for line in lines):
                if any(re.search(where, path) and re.search(name, line) for where, name in names):
                    yield (f"{shorten(base.dir)}: {part} names {' '.join(thing)}, which {other} brings: "
                           f"{path}: {line.strip()}")


# What checkpatch says and we do not follow: both ask about MAINTAINERS at every
# new file, whether it has an entry or not.
CHECKPATCH_IGNORE = re.compile("WARNING:FILE_PATH_CHANGES:|does MAINTAINERS need updating")


def checkpatch(base):
    """the target's own checkpatch is clean, new files included"""
    base_sha, commits = tip(base)
    if not commits:
        return
    with tempfile.TemporaryDirectory(prefix="kit-") as out:
        git(base.tree, *tree.FORMAT, "-N", "-o", out, f"{base_sha}..{commits[-1]}")
        mails = {str(mail): patch for mail, (patch, _) in zip(sorted(Path(out).glob("*.patch")), base.series(), strict=True)}
        options = ["-q", "--no-summary", "--terse", *(["--show-types"] if base.kind == "linux" else [])]
        # All at once: it reads MAINTAINERS for each file that it has not met yet.
        proc = run(["perl", "scripts/checkpatch.pl", *options, *mails], cwd=base.tree, check=False)
        for line in proc.stdout.splitlines():
            if re.search(r"(ERROR|WARNING)[: ]", line) and not CHECKPATCH_IGNORE.search(line):
                mail = next((mail for mail in mails if line.startswith(mail)), "")
                where = base.dir / mails[mail] if mail else base.dir
                yield f"{shorten(where)}: checkpatch: {line.removeprefix(mail).lstrip(':')}"
        if proc.returncode and not proc.stdout.strip():
            yield f"{shorten(base.dir)}: checkpatch: {proc.stderr.strip()[:200]}"


def kernel_doc(base):
    """kernel-doc comments of the new files are well-formed"""
    if base.kind != "linux":
        return
    files = [source for _, new in base.series() for _, source in new if source.endswith((".c", ".h"))]
    for name in files:
        proc = run(["perl", "scripts/kernel-doc", "-none", "-Werror", (base.files / name).resolve()],
                   cwd=base.tree, check=False)
        for line in (proc.stdout + proc.stderr).splitlines():
            if re.search(r"warning|error", line) and "warnings as Errors" not in line:
                yield line.replace(str(ROOT) + "/", "")


# --- one series: every prefix ------------------------------------------------

NICE = ["nice", "-n", "10"]      # VMs may be running next to it
WARNING = re.compile(r"^(?:\.\./)*(\S+?):(\d+):(?:\d+:)? (?:warning|error): (.*)$")


def warnings(text):
    """{(file, message)}: line numbers differ from prefix to prefix."""
    return {(match[1], match[3]) for match in map(WARNING.match, text.splitlines()) if match}


def compiled(base, names):
    """Those of @names that this machine can compile for the target."""
    names = sorted(set(names))
    if base.kind == "linux":
        return [name for name in names if name.endswith((".c", ".S"))
                and not re.match(r"(arch/(?!arm64/)|Documentation/|tools/|samples/|scripts/)", name)]
    return [name for name in names if name.endswith(".c")]


class Prefix:
    """Compiles single objects of a tree in a directory of it."""

    def __init__(self, base, path, directory="build"):
        self.base, self.path = base, path
        self.out = path / directory
        self.out.mkdir(exist_ok=True)
        self.log = self.out / "build.log"
        self.log.touch()
        self.mark = 0

    def start(self):
        self.mark = self.log.stat().st_size

    def said(self):
        """What the last compilation has said, also one that failed."""
        return self.log.read_bytes()[self.mark:].decode(errors="replace")


class KernelPrefix(Prefix):
    """With W=1, and with sparse if asked to."""

    def __init__(self, base, path, variant="lint"):
        super().__init__(base, path, f"build-{variant}")
        self.fragments = build.kernel_fragments(base, variant)
        self.configured = None

    def configure(self):
        """Again only for a commit that brings options."""
        head = git(self.path, "rev-parse", "HEAD")
        if not self.configured or git(self.path, "diff", "--name-only", self.configured, head, "--", "*Kconfig*"):
            build.configure_kernel(self.path, self.out, self.fragments, self.log, strict=False)
            self.configured = head

    def unit(self, name):
        """The file that is given to the compiler for a source: the scheduler's include each other."""
        directory, file = os.path.split(name)
        pattern = rf'^#include "{re.escape(file)}"'
        return next((str(other.relative_to(self.path)) for other in sorted((self.path / directory).glob("*.c"))
                     if other.name != file and re.search(pattern, other.read_text(errors="replace"), re.M)), name)

    def compile(self, names, progress, check=False):
        self.start()
        self.configure()
        objects = sorted({re.sub(r"\.[cS]$", ".o", self.unit(name)) for name in names if (self.path / name).exists()})
        if not objects:       # make would take that for everything
            return
        flags = ["W=1", *(["C=2", "CHECK=sparse"] if check else [])]
        logged([*NICE, *build.kernel_make(self.path, self.out, *flags, *objects)], self.log, progress,
               lambda line: progress.step(line.strip()), env=build.KBUILD_ENV)


class QemuPrefix(Prefix):
    """With QEMU's own flags."""

    def __init__(self, base, path):
        super().__init__(base, path)
        self.env = build.qemu_env()

    def compile(self, names, progress, check=False):
        self.start()
        build.configure_qemu(self.path, self.out, self.log, self.env)
        run(["ninja", "build.ninja"], cwd=self.out, env=self.env)
        database = (self.out / "compile_commands.json").read_text()
        wanted = [f"../{name}^" for name in names
                  if (self.path / name).exists() and f'"../{name}"' in database]
        if wanted:
            logged([*NICE, "ninja", f"-j{build.JOBS}", *wanted], self.log, progress, build.ninja_step,
                   cwd=self.out, env=self.env)


GOOD = """\
# Prefixes of the series that compile without a new warning, as hashes of the
# sources before and after, the configuration and the compiler. make lint writes
# this, and compiles what is not in it; LINT=all compiles all.
"""


def without_acpi(base, path, base_sha, names):
    """Compiles those of @names that are also in kernels without it: none that the series brings."""
    there = git(path, "ls-tree", "--name-only", base_sha, *names).splitlines()
    KernelPrefix(base, path, "noacpi").compile([name for name in there if "acpi" not in name],
                                               Progress(f"lint {base.name}: without ACPI"))


def prefixes(base):
    """every prefix of the series compiles what it touches, without a new warning"""
    base_sha, commits = tip(base)
    if not commits:
        return
    # What was found good once is not compiled again, by anybody: content, tools, flags.
    if base.kind == "linux":
        tools = [build.compiler(f"{build.CROSS}gcc"), build.compiler("sparse"),
                 *(path.read_bytes() for path in build.kernel_fragments(base, "lint"))]
    else:
        tools = [build.compiler("gcc"), *build.QEMU_OPTIONS, build.DEVICES.read_bytes()]
    good = base.dir / "prefixes.good"
    known = set()
    if good.exists() and given("LINT") != "all":
        known = set(re.findall("^[0-9a-f]{64}$", good.read_text(), re.M))
    trees = [git(base.tree, "rev-parse", f"{commit}^{{tree}}") for commit in [base_sha, *commits]]
    # The last one is looked at more closely than the others.
    closer = [path.read_bytes() for path in build.kernel_fragments(base, "noacpi")] if base.kind == "linux" else True
    keys = [build.hashed(parent, content, content == trees[-1] and closer, *tools)
            for parent, content in zip(trees, trees[1:])]
    if all(key in known for key in keys):
        return

    everything = compiled(base, git(base.tree, "log", "--format=", "--name-only", "--no-renames",
                                    f"{base_sha}..{commits[-1]}").splitlines())
    path = LINT / base.name
    if not tree.is_checkout(path):
        worktree(base, base.name)
    compiler = (KernelPrefix if base.kind == "linux" else QemuPrefix)(base, path)
    progress = Progress(f"lint {base.name}: base")
    git(path, "checkout", "-q", "-f", "--detach", base_sha)
    try:
        compiler.compile(everything, progress, check=True)
    finally:        # what was compiled before a failure is not compiled again
        before = warnings(compiler.said()) | stored(base)
        store(base, before)
    for number, (commit, key, (patch, _)) in enumerate(zip(commits, keys, base.series()), 1):
        if key in known:
            continue
        progress = Progress(f"lint {base.name}: {number} of {len(commits)}")
        git(path, "checkout", "-q", "-f", "--detach", commit)
        try:
            # All that the series touches, not the patch alone: headers reach far.
            # sparse costs as much as the compiler: it looks at the whole series.
            compiler.compile(everything, progress, check=commit == commits[-1])
            if commit == commits[-1] and base.kind == "linux":
                without_acpi(base, path, base_sha, everything)
        except Error as err:
            yield f"{shorten(base.dir / patch)} does not compile as the last of its series: {err}"
            return
        new = warnings(compiler.said()) - before
        for name, message in sorted(new):
            yield f"{shorten(base.dir / patch)}: new warning: {name}: {message}"
        if not new:
            known.add(key)
        if not new and not given(KINDS[base.kind]):      # it is about Debian's source, not the user's
            good.write_text(GOOD + "".join(f"{key}\n" for key in keys if key in known))


def stored(base):
    """Warnings that the base itself was seen to give (make is silent if nothing is to do)."""
    path = LINT / f"{base.name}.warnings"
    return {tuple(line.split("\t", 1)) for line in path.read_text().splitlines()} if path.exists() else set()


def store(base, found):
    (LINT / f"{base.name}.warnings").write_text("".join(f"{a}\t{b}\n" for a, b in sorted(found)))


# --- the project -------------------------------------------------------------

def tracked():
    """Files of the project as git knows them (all files, if it is not under git)."""
    if (ROOT / ".git").exists():
        names = git(ROOT, "ls-files", "-z").split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file()
            and path.relative_to(ROOT).parts[0] not in ("work", "out")]


def scripts():
    """our shell and Python programs parse"""
    for path in tracked():
        if path.suffix in (".patch", ".c", ".h") or "files" in path.relative_to(ROOT).parts[:2]:
            continue
        first = path.read_bytes()[:40].split(b"\n")[0]
        if path.suffix == ".py" or re.match(rb"#!.*python", first):
            try:
                ast.parse(path.read_text(), str(path))
            except SyntaxError as err:
                yield f"{shorten(path)}:{err.lineno}: {err.msg}"
        elif re.match(rb"#!.*\b(ba)?sh\b", first):
            shell = "bash" if b"bash" in first else "sh"
            proc = run([shell, "-n", path], check=False)
            if proc.returncode:
                yield f"{shorten(path)}: {proc.stderr.strip().splitlines()[0]}"


def orphans():
    """every file in files/ belongs to a series"""
    for kind in KINDS:
        used = {source for base in bases(kind) for _, new in base.series() for _, source in new}
        root = ROOT / kind / "files"
        for path in sorted(root.rglob("*")):
            if path.is_file() and str(path.relative_to(root)) not in used:
                yield f"{shorten(path)} belongs to no series"


def portable():
    """no package host, and no path of a developer's machine"""
    host = re.compile(r"https?://(deb|security|snapshot|ftp\.[a-z]+|registry)\.[a-z]+(js)?\.org")
    local = re.compile(r"(^|[^\w.-])/" + r"work/[a-z.]+/|/home/\w+/")
    for path in tracked():
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            if host.search(line):
                yield f"{shorten(path)}:{number}: names a package host"
            if local.search(line):
                yield f"{shorten(path)}:{number}: names a path of one machine"


def parts_table():
    """docs/how-it-works.md has the parts and patches as they are"""
    text = parts_page.PAGE.read_text() if parts_page.PAGE.exists() else None
    if text is not None and parts_page.renewed(text) != text:
        yield f"{shorten(parts_page.PAGE)}: the table of the parts is not that of the series: 'make parts' writes it"


PER_BASE = (consistency, messages, parts, mainline, round_trip, whole, mailbox, checkpatch, kernel_doc, prefixes)
NEEDS_TREE = (round_trip, whole, mailbox, checkpatch, kernel_doc, prefixes)
OF_PROJECT = (orphans, scripts, portable, parts_table)


def checks():
    """[(name, function of no arguments that gives a list of problems)]"""
    found = [(check.__name__, check, None) for check in OF_PROJECT]
    for kind in KINDS:
        found += [(f"{check.__name__}-{base.name}", check, base)
                  for base in bases(kind) for check in PER_BASE]
    return found


def problems(check, base):
    """All problems that one check finds."""
    if base is None:
        return list(check())
    if check not in NEEDS_TREE:
        return list(check(base))
    tree.known_base(base)
    # Only the object store is read and added to: a build may go on meanwhile.
    with lock(f"lint-{base.name}"):
        return list(check(base))
