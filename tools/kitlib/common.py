"""Paths, bases, and the few things that every part of the kit needs."""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
import typing
from pathlib import Path

# What other builds go by: somebody may have exported it for one of them.
for _name in [name for name in os.environ if re.match(
        r"(KBUILD_|KCONFIG_|GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY)$|MAKEFLAGS$|MFLAGS$|MAKELEVEL$|LLVM|"
        r"(ARCH|CROSS_COMPILE|LOCALVERSION|V|O|C|W|M)$|(HOST|K|C|CXX|CPP|LD|A|KA|KCPP|RUST)*FLAGS$|"
        r"(HOST)?(CC|CXX|CPP|LD|AR|AS|NM|OBJCOPY|OBJDUMP|STRIP|READELF)$)", name)]:
    del os.environ[_name]


def given(name):
    """A variable of make, '' if it is not given: make has it on its command line, or by this name in the environment."""
    return os.environ.get(f"CPUHP_{name}", "")


ROOT = Path(os.environ.get("CPUHP_ROOT") or Path(__file__).resolve().parents[2])
WORK = ROOT / "work"
OUT = ROOT / "out"
JOBS = int(given("JOBS") or os.cpu_count() or 1)


class Error(Exception):
    """Something the user can understand and act upon: printed as one line."""


def say(text):
    print(text, flush=True)


def warn(text):
    print(f"warning: {text}", file=sys.stderr, flush=True)


def program(main):
    """Runs main() and turns the errors a user can meet into one clear line."""
    try:
        code = main(sys.argv[1:]) or 0
    except Error as err:
        print(f"error: {err}", file=sys.stderr, flush=True)
        code = 1
    except OSError as err:
        if err.errno != errno.ENOSPC:
            raise
        print(f"error: {full_disk()}", file=sys.stderr, flush=True)
        code = 1
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        code = 130
    sys.exit(code)


def shorten(path):
    """A path as the user would type it: relative to the project if inside."""
    try:
        return str(Path(path).relative_to(ROOT))
    except ValueError:
        return str(path)


def run(cmd, *, cwd=None, env=None, data=None, check=True, binary=False):
    """Runs a command to its end and returns the CompletedProcess.

    Output is captured; if it fails and @check is set, the last line it wrote
    to stderr becomes the error.
    """
    proc = subprocess.run([str(word) for word in cmd], cwd=cwd, input=data,
                          env={**os.environ, **(env or {})},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=None if data is not None else subprocess.DEVNULL,
                          text=not binary, errors=None if binary else "replace")
    if check and proc.returncode:
        text = proc.stderr if not binary else proc.stderr.decode(errors="replace")
        if "No space left on device" in text:
            raise Error(full_disk())
        lines = [line for line in text.splitlines() if line.strip()]
        raise Error(f"{' '.join(str(w) for w in cmd[:4])}: "
                    f"{lines[-1].strip() if lines else f'exit status {proc.returncode}'}")
    return proc


def full_disk():
    return (f"the disk that holds {ROOT} is full: make room and run the same "
            "command again, it continues")


def need_space(gigabytes, what):
    """Says early that @what will not fit, instead of half an hour later."""
    WORK.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(WORK).free / 1e9
    if free < gigabytes:
        raise Error(f"{what} needs about {gigabytes:.1f} GB, and {free:.1f} GB are free "
                    f"on the disk that holds {ROOT}: make room and run the same command again")


@contextlib.contextmanager
def lock(name):
    """One program at a time for @name; a second one waits and says so."""
    WORK.mkdir(parents=True, exist_ok=True)
    with open(WORK / f".lock-{name}", "a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            owner = handle.read().strip()
            say(f"{name}: waiting for another make (process {owner or '?'}) to finish with it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.seek(0)
        handle.truncate()
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        yield


# --- git ---------------------------------------------------------------------

# The user's own git configuration must not change what we generate.
GIT_ENV = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
           "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "TZ": "UTC"}


def git(repo, *args, env=None, data=None, check=True, binary=False):
    """git in @repo; its output without the final newline (bytes: as it is)."""
    proc = run(["git", "-C", repo, *args], env={**GIT_ENV, **(env or {})},
               data=data, check=check, binary=binary)
    if not check and proc.returncode:
        return None
    return proc.stdout if binary else proc.stdout.rstrip("\n")


# --- bases -------------------------------------------------------------------

KINDS = {"linux": "KDIR", "qemu": "QDIR"}     # kind: variable of the user's tree
# The parts of a series, in order: each begins at a line "# part: <name>" of the file `series`.
PARTS = {"linux": ("core", "complete", "hardening", "cost", "optional"), "qemu": ()}
PART = re.compile(r"#\s*part:\s*(\S*)\s*$")


def version_key(version):
    return tuple(int(part) for part in re.findall(r"\d+", version))


class NewFile(typing.NamedTuple):
    """A file that a patch brings: where it lands in the tree, and where it lies in files/.

    In a series file it is `path`, or `path=source` where this base has another
    place for what bases share.
    """
    path: str
    source: str

    @classmethod
    def parse(cls, word):
        path, _, source = word.partition("=")
        return cls(path, source or path)

    def __str__(self):
        return self.path if self.path == self.source else f"{self.path}={self.source}"


class Base:
    """One directory linux/<version> or qemu/<version>, and what is made of it."""

    def __init__(self, kind, version):
        self.kind = kind
        self.version = version
        self.name = f"{kind}-{version}"
        self.dir = ROOT / kind / version
        self.files = ROOT / kind / "files"
        self.tree = WORK / self.name
        self.pristine = WORK / f"{self.name}-base"

    def info(self):
        """The `base` file: "key: value" lines."""
        path = self.dir / "base"
        try:
            text = path.read_text()
        except FileNotFoundError:
            raise Error(f"{shorten(path)} is missing: it names the source package") from None
        pairs = (line.split(":", 1) for line in text.splitlines()
                 if ":" in line and not line.startswith("#"))
        return {key.strip(): value.strip() for key, value in pairs}

    def series(self):
        """[(patch, [NewFile, ...]), ...] as the `series` file says."""
        entries = []
        for line in (self.dir / "series").read_text().splitlines():
            words = line.split("#", 1)[0].split()
            if words:
                entries.append((words[0], [NewFile.parse(word) for word in words[1:]]))
        return entries

    def parts(self):
        """{patch: its part, or None} as the `series` file says."""
        found, part = {}, None
        for line in (self.dir / "series").read_text().splitlines():
            part = match[1] if (match := PART.match(line)) else part
            words = line.split("#", 1)[0].split()
            if words:
                found[words[0]] = part
        return found

    def series_to(self, part):
        """series() up to the end of @part."""
        parts = self.parts()
        if part not in parts.values():
            there = ", ".join(dict.fromkeys(filter(None, parts.values())))
            raise Error(f"PART={part}: {shorten(self.dir / 'series')} "
                        f"{f'has no such part; there is {there}' if there else 'is not divided into parts'}")
        last = max(number for number, name in enumerate(parts.values()) if name == part)
        return self.series()[:last + 1]

    def part_tree(self, part):
        return WORK / f"{self.name}-{part}"

    def user_tree(self):
        """The tree that the user named with KDIR= or QDIR=, or None."""
        value = given(KINDS[self.kind])
        return Path(value).expanduser().resolve() if value else None


def bases(kind):
    """All bases of @kind, lowest version first: linux/*/series are discovered."""
    found = [path.parent.name for path in (ROOT / kind).glob("*/series")]
    return [Base(kind, version) for version in sorted(found, key=version_key)]


def base(kind, version=None, variable=None):
    """The base for @version, which the user gave in @variable, or the lowest one there is."""
    found = bases(kind)
    if not found:
        raise Error(f"no base there: {kind}/*/series")
    if not version:
        return found[0]
    for entry in found:
        if entry.version == version:
            return entry
    raise Error(f"{variable or kind.upper()}={version}: no such base; there is "
                f"{', '.join(entry.version for entry in found)} (a base is a directory "
                f"{kind}/<version> with a series file)")


# --- progress ----------------------------------------------------------------

class Progress:
    """What is being built, how far, and for how long.

    On a terminal one line that is rewritten; elsewhere a line now and then.
    """

    EVERY = 30        # seconds between two lines when nobody watches

    def __init__(self, what):
        self.what = what
        self.start = time.monotonic()
        self.shown = self.start
        self.tty = sys.stdout.isatty()

    def elapsed(self):
        seconds = int(time.monotonic() - self.start)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def step(self, far, detail=""):
        now = time.monotonic()
        if now - self.shown < (0.1 if self.tty else self.EVERY):
            return
        self.shown = now
        line = f"{self.what}  {far}  {self.elapsed()}"
        if self.tty:
            width = shutil.get_terminal_size().columns - 1
            line = f"{line}  {detail}"[:width]
            print(f"\r\033[K{line}", end="", flush=True)
        else:
            say(line)

    def done(self, result="done"):
        if self.tty:
            print("\r\033[K", end="")
        say(f"{self.what}  {result}  {self.elapsed()}")


def logged(cmd, log, progress, follow, *, cwd=None, env=None):
    """Runs a long @cmd: all output to @log, each line to @follow(line).

    @follow returns (how far, detail) when the line says something about
    progress, else None. Failure shows the end of the log and where it is.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a", buffering=1) as out:
        out.write(f"$ {' '.join(str(word) for word in cmd)}\n")
        out.flush()
        proc = subprocess.Popen([str(word) for word in cmd], cwd=cwd,
                                env={**os.environ, **(env or {})}, text=True,
                                errors="replace", stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            for line in proc.stdout:
                out.write(line)
                where = follow(line)
                if where:
                    progress.step(*where)
            code = proc.wait()
        except BaseException:
            proc.terminate()
            proc.wait()
            raise
    if code:
        progress.done("FAILED")
        with open(log, errors="replace") as text:
            tail = text.read().splitlines()
        if any("No space left on device" in line for line in tail[-200:]):
            raise Error(full_disk())
        marks = [i for i, line in enumerate(tail) if re.search(r"\berror\b|Error \d|FAILED", line, re.I)]
        first = max(0, (marks[-1] if marks else len(tail)) - 15)
        for line in tail[first:first + 25]:
            print(f"    {line}", file=sys.stderr)
        raise Error(f"{progress.what} failed: the whole log is in {shorten(log)}")
