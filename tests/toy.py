"""A project of the same shape as ours with a kernel of three files: patched in a moment.

What the kit does to it, it does to the real trees.
"""

import atexit
import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
ME = ("A. Author", "author@example.org")

MAKEFILE = """\
VERSION = 1
PATCHLEVEL = 2
SUBLEVEL = 3

allnoconfig:
\t@grep -v UNKNOWN $(KCONFIG_ALLCONFIG) > $(KCONFIG_CONFIG)
%.o: %.c
\t@gcc -Wall -Iinclude $(shell sed -n 's/=y$$//p' $(O)/.config | sed 's/^/-D/') -c $< -o /dev/null
\t$(if $(C),@$(CHECK) -Wno-decl $<)
Image:
\t@mkdir -p $(O)/arch/arm64/boot && cat *.c > $(O)/arch/arm64/boot/Image
"""
CHECKPATCH = """\
while (<>) { $bad = 1, print "$ARGV:$.: WARNING:SPACE: trailing whitespace\\n" if /^\\+.*[ \\t]$/ }
exit $bad;
"""
ONE = "".join(f"int line_{n};\n" for n in range(1, 21))


def git(where, *args, **kwargs):
    return subprocess.run(["git", "-C", str(where), *args], check=True, text=True,
                          capture_output=True, **kwargs).stdout.strip()


class Toy:
    """The project in @root, with a base linux @version and its tree in work/."""

    foreign = {}        # more environment

    def __init__(self, root, version="1.2"):
        self.root = root
        self.dir = root / "linux" / version
        self.files = root / "linux/files"
        self.tree = root / f"work/linux-{version}"
        self.dir.mkdir(parents=True)
        self.files.mkdir(exist_ok=True)
        (self.dir / "series").touch()
        (self.dir / "base").write_text(f"package: toy\nsuite: none\nverified: {version}.3-1\n")
        config = root / "linux/config"
        config.mkdir(exist_ok=True)
        for name in ("guest", "hotplug", "lint", "noacpi", "off"):
            (config / f"{name}.config").write_text(f"CONFIG_TOY={'n' if name == 'noacpi' else 'y'}\n")
        self.sources(self.tree)
        git(self.tree, "init", "-q", "-b", "main")
        self.identity(self.tree)
        git(self.tree, "add", "-A")
        git(self.tree, "commit", "-q", "-m", f"base: toy {version}.3-1")
        git(self.tree, "tag", "base")
        git(root, "init", "-q")
        self.identity(root)

    @staticmethod
    def identity(where):
        git(where, "config", "user.name", ME[0])
        git(where, "config", "user.email", ME[1])

    @staticmethod
    def sources(where, **more):
        """A pristine toy kernel in @where."""
        files = {"Makefile": MAKEFILE, "one.c": ONE, "two.c": "int two;\n",
                 "scripts/checkpatch.pl": CHECKPATCH, "scripts/kernel-doc": "exit 0;\n", **more}
        for name, text in files.items():
            (where / name).parent.mkdir(parents=True, exist_ok=True)
            (where / name).write_text(text)

    def commit(self, subject, body="The toy needs it.\n", sign=True, remarks="---\nMainline: not in v7.3\n", **files):
        """Commits @files (name with __ for a dot, ___ for a slash) in the tree."""
        for name, text in files.items():
            path = self.tree / name.replace("___", "/").replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            git(self.tree, "add", "-f", path)
        trailer = f"\nSigned-off-by: {ME[0]} <{ME[1]}>\n" if sign else ""
        git(self.tree, "commit", "-q", "-m", f"{subject}\n\n{body}{trailer}{remarks}")

    def kit(self, *args, **env):
        """Runs the kit in the toy; KEY=value arguments are make's variables."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("CPUHP_")}
        given = {f"CPUHP_{key}": value for key, value in {"NOINSTALL": "1", **env}.items()}
        return subprocess.run([str(ROOT / "tools/kit"), *args], text=True, capture_output=True,
                              env={**clean, **self.foreign, "CPUHP_ROOT": str(self.root), **given}, check=False)

    def ok(self, *args, **env):
        done = self.kit(*args, **env)
        assert done.returncode == 0, done.stderr
        return done

    def error(self, *args, **env):
        """The one line that a command fails with."""
        done = self.kit(*args, **env)
        assert done.returncode == 1
        lines = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
        assert len(lines) == 1 and lines[0].startswith("error: "), done.stderr
        return lines[0]

    def project(self):
        """{path: bytes} of all that refresh may write."""
        return {str(path.relative_to(self.root)): path.read_bytes()
                for path in (self.root / "linux").rglob("*") if path.is_file()}

    def next_base(self):
        """The base linux 1.3 next to this one, with its patches; it has three.c in another place."""
        other = Toy(self.root, "1.3")
        other.commit("toy: Edit one", one__c=ONE.replace("line_10", "ten"))
        other.commit("toy: Add three", new___three__c="int three;\n", two__c="int two = 2;\n")
        other.ok("refresh", LINUX="1.3")
        (self.files / "new/three.c").unlink()
        series = other.dir / "series"
        series.write_text(series.read_text().replace(" new/three.c", " new/three.c=three.c"))
        other.ok("tree", LINUX="1.3")
        return other

    def two_parts(self):
        """two_patches(), the first of them in the part core, the second in complete."""
        self.two_patches()
        series = self.dir / "series"
        series.write_text(series.read_text().replace("0002", "# part: complete\n0002"))
        self.ok("tree")

    def two_patches(self):
        """A series of an edit, and an edit with a new file; refreshed.  For a toy that is new: it becomes a copy."""
        shutil.rmtree(self.root)
        shutil.copytree(_two_patches(), self.root, symlinks=True)


@functools.cache
def _two_patches():
    """The first of them, where it can be copied from."""
    home = tempfile.mkdtemp(prefix="toy-")
    atexit.register(shutil.rmtree, home)
    toy = Toy(pathlib.Path(home) / "project")
    toy.commit("toy: Edit one", one__c=ONE.replace("line_10", "ten"))
    toy.commit("toy: Add three", three__c="int three;\n", two__c="int two = 2;\n")
    toy.ok("refresh")
    return toy.root
