"""Builds: kernels, QEMUs, the guest's initramfs. Nothing is built twice.

A build is skipped when its key, a hash of the tree's content (uncommitted
edits included), the configuration and the compiler, is the one it was last
built from. Otherwise make or ninja finds out what is left to do.
"""

import hashlib
import os
import platform
import re
import shutil
import sys
import time
from pathlib import Path

from . import fetch, tree
from .common import (JOBS, OUT, ROOT, Error, Progress, git, logged, need_space, run, shorten)

CROSS = "" if platform.machine() == "aarch64" else "aarch64-linux-gnu-"
CCACHE = ["ccache"] if shutil.which("ccache") else []
# Same source, same configuration: same bytes, and the same for ccache. What an
# object depends on it takes from the compiler, instead of a pass of its own.
CCACHE_ENV = {"CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1", "CCACHE_DEPEND": "1"}
KBUILD_ENV = {"KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
              "KBUILD_BUILD_USER": "cpuhp", "KBUILD_BUILD_HOST": "cpuhp",
              "KBUILD_BUILD_VERSION": "1", "LOCALVERSION": "", **CCACHE_ENV}
KERNEL_OBJECTS = 1500          # of the lean guest; only for the first progress lines
CONFIG = ROOT / "linux" / "config"


def hashed(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else str(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def compiler(cc):
    """The compiler's version line; changes with every update of it."""
    return run([cc, "--version"]).stdout.splitlines()[0]


def build_dir(source, out, name="build"):
    """Makes @out the build directory @name of @source; returns its real path.

    It lies inside the source tree, with a symbolic link from out/: kbuild and
    meson then name every file relatively, so ccache serves the patched and
    the unpatched tree from one another.
    """
    if not out.exists():
        (source / name).mkdir(exist_ok=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.is_symlink():
            out.unlink()
        out.symlink_to(os.path.relpath(source / name, out.parent))
    return out.resolve()


def up_to_date(stamp, key, product):
    """True if @product is what was built from @key, and not built by hand since."""
    return product.exists() and stamp.exists() and stamp.read_text() == dated(key, product)


def dated(key, product):
    return f"{key} {product.stat().st_mtime_ns}"


HUGE_HEAP = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def hugepages():
    """Environment in which compilers get huge pages without asking, and need a quarter less time.

    Empty where they get them anyway, or cannot.
    """
    policy = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not policy.exists() or "[madvise]" not in policy.read_text():
        return {}
    source, library = Path(__file__).resolve().parents[1] / "hugepages.c", OUT / "tools/hugepages.so"
    if not library.exists() or library.stat().st_mtime_ns < source.stat().st_mtime_ns:
        library.parent.mkdir(parents=True, exist_ok=True)
        unfinished = library.with_suffix(f".{os.getpid()}")     # another build may be at it too
        run(["gcc", "-O2", "-shared", "-fPIC", "-o", unfinished, source])
        unfinished.replace(library)
    return {"LD_PRELOAD": str(library), **HUGE_HEAP}


# --- Linux -------------------------------------------------------------------

# What DEBUG= may name: a kernel that notices more, for the same tests.
DEBUG = ("kasan", "lockdep")

# Suffix of the output directory: the fragments in linux/config it is made of.
# "base" is the unpatched tree, which cannot have what our series offers, "core"
# the one with the first part of it; of "lint" and "noacpi" lint compiles single
# objects.
KERNELS = {"": ("guest", "hotplug"), "base": ("guest",), "off": ("guest", "off"), "core": ("guest", "core"),
           "lint": ("guest", "hotplug", "lint"), "noacpi": ("guest", "noacpi"),
           **{debug: ("guest", "hotplug", debug) for debug in DEBUG}}


def wishes(paths):
    """{symbol: value} that the fragments ask for."""
    found = {}
    for path in paths:
        for line in path.read_text().splitlines():
            match = re.match(r"(CONFIG_\w+)=(.*)|# (CONFIG_\w+) is not set", line)
            if match:
                found[match[1] or match[3]] = match[2] or "n"
    return found


def seed(base, source, out):
    """Lets the first build in @out start from that of another variant.

    kbuild notes what every object depends on, options included, and names
    all files relatively: it then compiles what the other options reach, and
    what the series changes.
    """
    def copy(other, copy_function):
        shutil.rmtree(out)
        shutil.copytree(other, out, symlinks=True, copy_function=copy_function,
                        ignore=shutil.ignore_patterns(".kit-built", "build.log"))

    for other in sorted(source.glob("build*")):
        if other != out and (other / ".kit-built").exists():
            return copy(other, shutil.copy2)

    patched = base.tree / "build"
    if source != base.tree and up_to_date(patched / ".kit-built", kernel_key(base, ""), patched / "Image"):
        # Other sources, so the time stamps are ours to tell: first what was
        # built, all at once, and then what is different here.
        now = time.time()

        def copy_file(name, copied):
            shutil.copy(name, copied)
            os.utime(copied, (now, now))

        copy(patched, copy_file)
        for name in git(base.tree, "diff", "--name-only", "--no-renames", tree.ref(source, "HEAD")).splitlines():
            if (source / name).is_file():
                os.utime(source / name)
    return None


def kernel_make(source, out, *targets):
    return ["make", "-C", source, f"O={out}", "ARCH=arm64", f"CROSS_COMPILE={CROSS}",
            "CC=" + " ".join([*CCACHE, f"{CROSS}gcc"]), "HOSTCC=" + " ".join([*CCACHE, "gcc"]),
            # no file between the compiler and the assembler: it costs a twentieth
            "KCFLAGS=-pipe", f"-j{JOBS}", *targets]


def configure_kernel(source, out, paths, log, strict=True):
    """Makes out/.config; with @strict every wish of the fragments must come true."""
    wanted = wishes(paths)
    merged = out / ".config.wanted"
    merged.write_text("".join(f"{name}={value}\n" for name, value in wanted.items()))
    fresh = out / ".config.fresh"
    progress = Progress(f"{shorten(source)} configuration")
    logged(kernel_make(source, out, "-s", "allnoconfig"), log, progress, lambda line: None,
           env={**KBUILD_ENV, "KCONFIG_ALLCONFIG": str(merged), "KCONFIG_CONFIG": str(fresh)})
    final = wishes([fresh])
    missing = [f"{name}={value} (is {final.get(name, 'not there')})"
               for name, value in wanted.items() if final.get(name, "n") != value]
    if missing and strict:
        raise Error(f"{', '.join(shorten(path) for path in paths)}: not in the final .config of "
                    f"{shorten(source)}: {'; '.join(missing)}")
    config = out / ".config"
    if not config.exists() or config.read_bytes() != fresh.read_bytes():
        fresh.replace(config)
    fresh.unlink(missing_ok=True)


def kernel_source(base, variant):
    return {"base": base.pristine, "core": base.part_tree("core")}.get(variant, base.tree)


def kernel_fragments(base, variant):
    """Those of all bases, and what this one has under the same name: options that are called otherwise elsewhere."""
    paths = [directory / f"{name}.config" for name in KERNELS[variant] for directory in (CONFIG, base.dir)]
    return [path for path in paths if path.parent == CONFIG or path.exists()]


def kernel_key(base, variant):
    return hashed(tree.content_key(kernel_source(base, variant)),
                  *(path.read_bytes() for path in kernel_fragments(base, variant)), compiler(f"{CROSS}gcc"))


def kernel(base, variant=""):
    """out/linux-<v>[-<variant>]/Image"""
    source = kernel_source(base, variant)
    link = OUT / "-".join(filter(None, [base.name, variant]))
    out = build_dir(source, link, "build" if source != base.tree or not variant else f"build-{variant}")
    image, stamp, log = out / "Image", out / ".kit-built", out / "build.log"
    paths, key = kernel_fragments(base, variant), kernel_key(base, variant)
    if up_to_date(stamp, key, image):
        return
    if not (out / "vmlinux.o").exists():
        need_space(1.5, f"building {shorten(source)}")
        seed(base, source, out)
    stamp.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    configure_kernel(source, out, paths, log)

    counted = out / ".kit-objects"
    total = int(counted.read_text()) if counted.exists() else KERNEL_OBJECTS
    done = 0

    def follow(line):
        nonlocal done
        match = re.match(r"\s+(?:CC|AS|AR|LD|HOSTCC)\s+(?:\[M\]\s+)?(\S+)", line)
        if not match:
            return None
        done += 1
        return f"{done} of about {max(total, done)} objects", match[1]

    progress = Progress(f"{link.name} kernel")
    modules = ["modules"] if "m" in wishes(paths).values() else []
    logged(kernel_make(source, out, "Image", *modules), log, progress, follow, env={**KBUILD_ENV, **hugepages()})
    progress.done(f"built, {done} objects")
    if done > KERNEL_OBJECTS // 2:
        counted.write_text(str(done))
    image.unlink(missing_ok=True)
    image.symlink_to("arch/arm64/boot/Image")
    stamp.write_text(dated(key, image))


# --- QEMU --------------------------------------------------------------------

# Where Debian puts the network card's ROM and the UEFI image.
FIRMWARE_DIRS = [Path("/usr/share/qemu"), Path("/usr/lib/ipxe/qemu"), Path("/usr/share/qemu-efi-aarch64")]

QEMU_OPTIONS = ["--target-list=aarch64-softmmu", "--without-default-features", "--enable-tcg",
                "--enable-fdt=system", "--enable-plugins", "--disable-docs", "--disable-debug-info",
                "--disable-install-blobs", "--python=/usr/bin/python3",
                "--firmwarepath=" + ":".join(map(str, FIRMWARE_DIRS))]
# Further options of a variant, which has a build directory of its own.
QEMU_VARIANTS = {"": [], "base": [], "sanitize": ["--enable-asan", "--enable-ubsan"]}


def qemu_env():
    """meson's directory comes first if the machine's own meson is too old."""
    private = fetch.meson_path()
    return {**CCACHE_ENV, "CC": " ".join([*CCACHE, "gcc"]),
            **({"PYTHONPATH": str(private)} if private else {})}


# The devices of what we build. One list for the patched and the unpatched
# tree: each symbol is known to every file, so a further one makes ccache miss all.
DEVICES = ROOT / "qemu/config/virt.mak"


def configure_qemu(source, out, log, env, variant=""):
    options = [*QEMU_OPTIONS, *QEMU_VARIANTS[variant], "--without-default-devices", "--with-devices-aarch64=" +
               os.path.relpath(DEVICES.with_suffix(""), source / "configs/devices/aarch64-softmmu")]
    if (source / "subprojects/keycodemapdb/meson.build").exists():
        options.append("--disable-download")
    if platform.machine() == "aarch64":
        options.append("--enable-kvm")
    mark = out / ".kit-configured"
    key = hashed(*options, env["CC"], DEVICES.read_bytes())
    if (out / "build.ninja").exists() and mark.exists() and mark.read_text() == key:
        return
    progress = Progress(f"{shorten(source)} configuration")
    for stale in ("build.ninja", "config-host.mak"):
        (out / stale).unlink(missing_ok=True)
    shutil.rmtree(out / "meson-private", ignore_errors=True)
    logged([source / "configure", *options], log, progress, lambda line: progress.step("", line.strip()),
           cwd=out, env=env)
    mark.write_text(key)


def link_firmware(out):
    """Run from its build directory, QEMU looks for all of its files below qemu-bundle."""
    for directory in FIRMWARE_DIRS:
        link = out / "qemu-bundle" / directory.relative_to("/")
        if directory.is_dir() and not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(directory)


def ninja_step(line):
    match = re.match(r"\[(\d+)/(\d+)\] (.*)", line)
    return match and (f"{match[1]} of {match[2]} steps", match[3])


def qemu(base, variant=""):
    """out/qemu-<v>[-<variant>]/qemu-system-aarch64"""
    source = base.pristine if variant == "base" else base.tree
    link = OUT / "-".join(filter(None, [base.name, variant]))
    out = build_dir(source, link, f"build-{variant}" if QEMU_VARIANTS[variant] else "build")
    program, stamp, log = out / "qemu-system-aarch64", out / ".kit-built", out / "build.log"
    key = hashed(tree.content_key(source), *QEMU_OPTIONS, *QEMU_VARIANTS[variant], DEVICES.read_bytes(), compiler("gcc"))
    if up_to_date(stamp, key, program):
        link_firmware(out)
        return
    if not program.exists():
        need_space(1.5, f"building {shorten(source)}")
    stamp.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    env = qemu_env()
    configure_qemu(source, out, log, env, variant)
    progress = Progress(f"{link.name} qemu-system-aarch64")
    if variant != "sanitize":       # ASan wants to come first in whatever the build runs
        env.update(hugepages())
    logged(["ninja", f"-j{JOBS}", program.name], log, progress, ninja_step, cwd=out, env=env)
    link_firmware(out)
    progress.done("built")
    stamp.write_text(dated(key, program))


# --- guest -------------------------------------------------------------------

def initramfs():
    """out/guest/initramfs.cpio.gz"""
    image = OUT / "guest/initramfs.cpio.gz"
    packer = ROOT / "tools/mkinitramfs"
    inputs = [packer, ROOT / "tests/cpuhp/cpio.py",
              *sorted(path for path in (ROOT / "tests/guest").rglob("*") if path.is_file())]
    busybox = fetch.busybox()
    key = hashed(*(path.read_bytes() for path in inputs), busybox.read_bytes())
    stamp = image.parent / ".kit-built"
    if up_to_date(stamp, key, image):
        return
    image.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress("guest initramfs")
    logged([sys.executable, packer, "--busybox", busybox, "--cc", f"{CROSS}gcc", "-o", image],
           image.parent / "build.log", progress, lambda line: None)
    progress.done("built")
    stamp.write_text(dated(key, image))


def first_need(linux, host):
    """One look at the disk before the long way from nothing."""
    missing = [entry for entry in (linux, host) if not (entry.tree / ".git").exists()]
    if missing:
        need_space(4 * len(missing), "building everything from nothing")
