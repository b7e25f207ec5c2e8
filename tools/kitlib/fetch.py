"""Sources and packages from the distribution's signed archive, through apt.

The machine's own apt setup is read (mirrors, proxies) and never written:
lists, caches and downloads live under work/apt.
"""

import functools
import re
import shutil
from pathlib import Path

from .common import (WORK, Error, git, given, need_space, run, say, shorten, version_key, warn)

APT = WORK / "apt"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NO_NETWORK = re.compile(r"resolv|onnect|timed out|unreachable|Network", re.I)


def mirrors():
    """(main, security): the Debian mirrors that this machine's apt uses."""
    named = given("MIRROR").split()
    if named:
        return named[0].rstrip("/"), named[1].rstrip("/") if named[1:] else None
    main = security = None
    for release_info in ([], ["--no-release-info"]):
        out = run(["apt-get", "indextargets", *release_info, "--format",
                   "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)", "Created-By: Packages"],
                  check=False).stdout
        targets = [line.split() for line in out.splitlines() if len(line.split()) >= 4]
        for uri, release, component, origin in (target[:4] for target in targets):
            # Without downloaded lists the origin is not known: go by the path.
            debian = origin == "Debian" or (
                origin.startswith("$(") and re.search(r"/debian(-security)?/?$|^mirror\+", uri))
            if not debian or component != "main":
                continue
            if release.endswith("-security"):
                security = security or uri
            else:
                main = main or uri
        if main:
            return main.rstrip("/"), security and security.rstrip("/")
    raise Error("the apt sources of this machine name no Debian mirror: give one with "
                "MIRROR='<Debian mirror> [<its security mirror>]', or your own trees with KDIR= and QDIR=")


def debian_order(left, right):
    """cmp() for Debian versions."""
    for result, relation in ((-1, "lt"), (1, "gt")):
        if run(["dpkg", "--compare-versions", left, relation, right],
               check=False).returncode == 0:
            return result
    return 0


class Archive:
    """A private view of one Debian suite: its lists, and downloads from it."""

    def __init__(self, suite, arch=None, sources=False):
        self.suite = suite
        self.dir = APT / "-".join(filter(None, [suite, arch, "src" if sources else None]))
        main, security = mirrors()
        option = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
        kind = "deb-src" if sources else "deb"
        lines = [f"{kind} {option}{main} {suite} main"]
        if not suite.endswith("-backports"):
            lines.append(f"{kind} {option}{main} {suite}-updates main")
            if security:
                lines.append(f"{kind} {option}{security} {suite}-security main")
        for folder in ("lists/partial", "cache/archives/partial", "parts"):
            (self.dir / folder).mkdir(parents=True, exist_ok=True)
        (self.dir / "sources.list").write_text("\n".join(lines) + "\n")
        (self.dir / "status").touch()
        options = {
            "Dir::Etc::SourceList": self.dir / "sources.list",
            "Dir::Etc::SourceParts": self.dir / "parts",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": self.dir / "parts",
            "Dir::State::Lists": self.dir / "lists",
            "Dir::State::status": self.dir / "status",
            "Dir::Cache": self.dir / "cache",
            "Acquire::Languages": "none",
            "Acquire::Retries": 2,
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
            "APT::Update::Error-Mode": "any",
            "APT::Sandbox::User": "root",
            **({"APT::Architecture": arch, "APT::Architectures": arch} if arch else {}),
        }
        self.options = [word for key, value in options.items()
                        for word in ("-o", f"{key}={value}")]

    def _apt(self, tool, *args, cwd=None):
        proc = run([tool, *self.options, *args], cwd=cwd, check=False, env={"LC_ALL": "C"})
        if proc.returncode == 0:
            return proc.stdout
        text = proc.stderr
        lines = [line for line in text.splitlines() if line.startswith(("E:", "W:"))] or ["E: ?"]
        why = lines[0][2:].strip()
        if "No space left on device" in text:
            raise Error(f"the disk is full (apt, for {self.suite}): make room and run the same "
                        "command again, it continues")
        if NO_NETWORK.search(text):
            raise Error(f"no network: apt cannot fetch from Debian {self.suite} ({why}); run the "
                        "same command again when there is one, or use KDIR= and QDIR=")
        raise Error(f"apt, for Debian {self.suite}: {why}")

    def download(self, package, dest, verified=(), source=False):
        """Downloads @package to @dest; returns (file, version).

        The newest verified version that the archive has, else the newest.
        """
        say(f"fetching {package} (Debian {self.suite})")
        self._apt("apt-get", "update", "-qq")
        rows = [row.split("|") for row in self._apt("apt-cache", "madison", package).splitlines()]
        versions = sorted({row[1].strip() for row in rows
                           if len(row) > 1 and row[0].strip() == package},
                          key=functools.cmp_to_key(debian_order), reverse=True)
        if not versions:
            raise Error(f"Debian {self.suite} has no {package}")
        version = next((v for v in versions if v in verified), versions[0])
        dest.mkdir(parents=True, exist_ok=True)
        command = ["source", "--download-only"] if source else ["download"]
        self._apt("apt-get", *command, "-qq", f"{package}={version}", cwd=dest)
        pattern = "*.dsc" if source else "*.deb"
        # A version's epoch is not part of a file name (or is percent-encoded).
        tail = version.split(":", 1)[-1]
        for path in dest.glob(f"{package}_{pattern}"):
            if path.stem.split("_")[1].split("%3a")[-1] == tail:
                return path, version
        raise Error(f"apt did not leave {package} {version} in {shorten(dest)}")


    def download_set(self, packages, dest):
        """Downloads @packages and all they depend on to @dest, which is emptied first; returns the files."""
        say(f"fetching {', '.join(packages)} and what they need (Debian {self.suite})")
        self._apt("apt-get", "update", "-qq")
        shutil.rmtree(dest, ignore_errors=True)
        (dest / "partial").mkdir(parents=True)
        self._apt("apt-get", "install", "-qq", "-y", "--download-only", "--no-install-recommends",
                  "-o", f"Dir::Cache::archives={dest}", *packages)
        return sorted(dest.glob("*.deb"))


def unpack_deb(deb, dest):
    """Unpacks @deb into @dest, atomically: what is there is whole."""
    part = dest.with_name(dest.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    run(["dpkg-deb", "-x", deb, part])
    shutil.rmtree(dest, ignore_errors=True)
    part.rename(dest)


def private(package, suite, arch=None):
    """@package unpacked under work/: for what the machine cannot install."""
    dest = WORK / "pkg" / f"{package}{'-' + arch if arch else ''}"
    if not dest.exists():
        deb, _ = Archive(suite, arch).download(package, APT / "download")
        unpack_deb(deb, dest)
        deb.unlink()
    return dest


SET_LIST = ".packages"            # of private_set(): what was asked for, and what came


def private_set(name, packages, suite, arch):
    """@packages and all they depend on, unpacked on top of one another under work/."""
    dest = WORK / "pkg" / f"{name}-{arch}"
    asked = f"asked: {' '.join(packages)}\n"
    if (dest / SET_LIST).exists() and (dest / SET_LIST).read_text().startswith(asked):
        return dest
    downloads = APT / "download" / name
    debs = Archive(suite, arch).download_set(packages, downloads)
    part = dest.with_name(dest.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for deb in debs:
        run(["dpkg-deb", "-x", deb, part])
    (part / SET_LIST).write_text(asked + "".join(f"{deb.name}\n" for deb in debs))
    shutil.rmtree(dest, ignore_errors=True)
    part.rename(dest)
    shutil.rmtree(downloads)
    return dest


def meson_path():
    """A PYTHONPATH with meson >= 1.5, or None if the machine's own will do."""
    proc = run(["/usr/bin/python3", "-c", "import mesonbuild.coredata as c; print(c.version)"],
               check=False)
    if proc.returncode == 0 and version_key(proc.stdout) >= (1, 5):
        return None
    return private("meson", "bookworm-backports") / "usr/lib/python3/dist-packages"


def busybox():
    """A static busybox for the guest."""
    root = private("busybox-static", "bookworm", "arm64")
    for path in (root / "bin/busybox", root / "usr/bin/busybox"):
        if path.exists():
            return path
    raise Error(f"no busybox in {shorten(root)}: remove that directory and try again")


# --- the base of a tree ------------------------------------------------------

FIXED = {"GIT_AUTHOR_NAME": "base", "GIT_AUTHOR_EMAIL": "base@localhost",
         "GIT_AUTHOR_DATE": "1970-01-01T00:00:00 +0000",
         "GIT_COMMITTER_NAME": "base", "GIT_COMMITTER_EMAIL": "base@localhost",
         "GIT_COMMITTER_DATE": "1970-01-01T00:00:00 +0000"}


def init_tree(tree):
    if not (tree / ".git").exists():
        tree.mkdir(parents=True, exist_ok=True)
        git(tree, "init", "-q", "-b", "main")
        git(tree, "config", "gc.auto", "0")
        (tree / ".git/info").mkdir(exist_ok=True)
        with open(tree / ".git/info/exclude", "a") as exclude:
            exclude.write("/build/\n/build-*/\n")


def index_of(tree, origin):
    """The index that snapshot() keeps for @origin."""
    return tree / ".git" / f"index-{re.sub(r'[^A-Za-z0-9.]', '-', origin)}"


def snapshot(tree, directory, origin):
    """The files of @directory as a commit in @tree's object store.

    @directory itself is only read; if it is under git, the files that git
    knows are meant, as they stand. The index is kept, so a second snapshot
    looks at time stamps only.
    """
    env = {"GIT_DIR": tree / ".git", "GIT_WORK_TREE": directory,
           "GIT_INDEX_FILE": index_of(tree, origin)}
    env = {key: str(value) for key, value in env.items()}
    if (directory / ".git").exists() and directory != tree:
        names = git(directory, "-c", "safe.directory=*", "ls-files", "-z", binary=True)
        had = git(directory, "ls-files", "-z", env=env, binary=True)
        gone = set(had.split(b"\0")) - set(names.split(b"\0"))
        git(directory, "-c", "core.looseCompression=1", "update-index", "--add", "--remove", "-z", "--stdin",
            data=names, binary=True, env=env)
        git(directory, "update-index", "--force-remove", "-z", "--stdin",
            data=b"\0".join(gone), binary=True, env=env)
    else:
        # What git takes for big goes into one pack, which costs half of what 80,000 loose objects do.
        git(directory, "-c", "core.bigFileThreshold=1", "-c", "core.compression=1", "add", "-A", "-f", ".", env=env)
    sha = git(directory, "write-tree", env=env)
    return git(tree, "commit-tree", sha, "-m", f"base: {origin}", env=FIXED)


def unpack_source(base, archive_file, dest):
    """Unpacks what download() brought: the plain source tree ends up in @dest."""
    shutil.rmtree(dest, ignore_errors=True)
    if archive_file.suffix == ".dsc":
        run(["dpkg-source", "--no-check", "--no-copy", "-x", archive_file.name, dest], cwd=archive_file.parent)
        return
    holder = dest.with_name(dest.name + ".deb")
    unpack_deb(archive_file, holder)
    tarballs = list(holder.glob("usr/src/*.tar.*"))
    if len(tarballs) != 1:
        raise Error(f"{base.info()['package']} holds no source tarball")
    dest.mkdir()
    run(["tar", "-xf", tarballs[0], "-C", dest, "--strip-components=1"])
    shutil.rmtree(holder)


def known_debian(base):
    """The commit of the base as Debian has it, if the tree has it already."""
    if not (base.tree / ".git").exists():
        return None
    found = git(base.tree, "rev-parse", "-q", "--verify", "refs/kit/debian", check=False)
    if found:
        return found
    tagged = git(base.tree, "log", "-1", "--format=%H %s", "base", "--", check=False)
    if tagged and tagged.split(" ", 1)[1].startswith(f"base: {package_of(base)} "):
        git(base.tree, "update-ref", "refs/kit/debian", tagged.split()[0])
        return tagged.split()[0]
    return None


def package_of(base):
    info = base.info()
    return info.get("package") or info["source"]


def from_debian(base):
    """The base as Debian has it; commit. Downloaded once."""
    found = known_debian(base)
    if found:
        return found
    info, package = base.info(), package_of(base)
    need_space(4, f"fetching and unpacking {package}")
    is_source = "source" in info
    path, version = Archive(info["suite"], sources=is_source).download(
        package, APT / "download", info["verified"].split(), is_source)
    if version not in info["verified"].split():
        warn(f"{package} {version} is newer than {info['verified'].split()[-1]}, the newest that "
             f"{shorten(base.dir)} was verified with")
    say(f"unpacking {package} {version}")
    part = WORK / f".unpack-{base.name}"
    unpack_source(base, path, part)
    # A tree that is there (of KDIR=) gets one more commit; else this becomes
    # the tree, in one step, so that an interrupted run leaves nothing half done.
    home = base.tree if (base.tree / ".git").exists() else part
    init_tree(home)
    commit = snapshot(home, part, f"{package} {version}")
    git(home, "update-ref", "refs/kit/debian", commit)
    if home is part:
        index_of(home, f"{package} {version}").rename(home / ".git/index")
        git(home, "update-ref", "HEAD", commit)
        shutil.rmtree(base.tree, ignore_errors=True)
        part.rename(base.tree)
    else:
        index_of(home, f"{package} {version}").unlink()
        shutil.rmtree(part)
    for leftover in (APT / "download").glob(f"{package}_*"):
        leftover.unlink()
    return commit


def tree_version(base, directory):
    """The version that a source tree says it is."""
    try:
        if base.kind == "qemu":
            return (directory / "VERSION").read_text().strip()
        text = (directory / "Makefile").read_text()[:400]
        return ".".join(re.search(rf"^{key} *= *(\d+)", text, re.M).group(1)
                        for key in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))
    except (OSError, AttributeError):
        raise Error(f"{directory} is no {base.kind} source tree") from None


def verified_upstream(base):
    """The newest verified upstream version: 1:10.0.13+ds-0+deb13u1 -> 10.0.13"""
    newest = base.info()["verified"].split()[-1].split(":", 1)[-1]
    return re.match(r"[\d.]+", newest).group().rstrip(".")


def from_user(base, variable, directory):
    """The base out of the user's own tree, which is never written to."""
    if not directory.is_dir():
        raise Error(f"{variable}={directory}: no such directory")
    version = tree_version(base, directory)
    if version_key(version)[:2] != version_key(base.version)[:2]:
        raise Error(f"{variable}={directory} is {base.kind} {version}, and the series is for "
                    f"{base.version}")
    if version_key(version) > version_key(verified_upstream(base)):
        warn(f"{variable}={directory} is {base.kind} {version}, newer than "
             f"{verified_upstream(base)}, the newest that the series was verified with")
    if not (directory / ".git").exists() and (directory / "include/config").exists():
        raise Error(f"{variable}={directory} has been built in: 'make mrproper' there, or give a "
                    "git tree")
    known_debian(base)
    init_tree(base.tree)
    return snapshot(base.tree, directory, f"{variable} {directory}")
