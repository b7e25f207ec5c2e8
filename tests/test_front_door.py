"""What the user runs: the line of the design as it is written, and the programs in tools/."""

import os
import re
import select
import subprocess
import time

import pytest

from cpuhp import paths

# The user's commands, which must work as written
LINE = """\
exec qemu-system-aarch64 -machine virt,gic-version=3 -cpu cortex-a57 -smp cpus=4,maxcpus=6 -m 300M \
    -kernel Image -initrd rootfs.cpio.gz -append "console=ttyAMA0 rdinit=/init maxcpus=2 acpi=force" \
    -nographic -bios QEMU_EFI.fd
"""
SWITCH, END = "\x01c", "\x01x"
MASKS = "grep . possible present online offline\n"
PROMPT = r"\n# (?:\x1b\[6n)?"


class Terminal:
    """A program on pipes, typed at and read by a person."""

    def __init__(self, line, cwd):
        path = f"{paths.qemu().parent}:{os.environ['PATH']}"
        self._program = subprocess.Popen(["/bin/sh", "-c", line], cwd=cwd, env={**os.environ, "PATH": path},
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._seen = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._program.kill()
        self._program.wait()
        self._program.stdin.close()
        self._program.stdout.close()

    def type(self, text):
        self._program.stdin.write(text.encode())
        self._program.stdin.flush()

    def read_to(self, pattern, timeout=240):
        """Everything up to and with the first match."""
        deadline = time.monotonic() + timeout
        while not (match := re.search(pattern, self._seen)):
            ready, _, _ = select.select([self._program.stdout], [], [], max(0, deadline - time.monotonic()))
            received = os.read(self._program.stdout.fileno(), 65536) if ready else b""
            assert received, f"no {pattern!r} in {self._seen[-3000:]!r}"
            self._seen += received.decode(errors="replace").replace("\r", "")
        text, self._seen = self._seen[:match.end()], self._seen[match.end():]
        return text

    def shell(self, line):
        self.type(line)
        return self.read_to(PROMPT)

    def monitor(self, line):
        self.type(SWITCH)
        self.read_to(r"\(qemu\) ")
        self.type(line)
        answer = self.read_to(r"\(qemu\) ")
        self.type(SWITCH)
        return answer

    def wait_end(self):
        return self._program.wait(timeout=30)


def masks(text):
    return dict(re.findall(r"^(possible|present|online|offline):(.*)$", text, re.M))


def test_the_users_line(directory, linux):
    """
    CPU  0 1 2 3 | 4 5
         x x . . |           the design's commands typed at a terminal, Ctrl-A C between guest and monitor
    """
    (directory / "Image").symlink_to(paths.image(linux))
    (directory / "rootfs.cpio.gz").symlink_to(paths.INITRAMFS)
    booted = {"possible": "0-5", "present": "0-3", "online": "0-1", "offline": "2-5"}
    with Terminal(LINE, directory) as terminal:
        terminal.read_to(PROMPT)
        assert masks(terminal.shell(MASKS)) == booted
        assert "rror" not in terminal.monitor("device_add cortex-a57-arm-cpu,id=core4,core-id=4\n")
        terminal.shell("until [ -d cpu4 ]; do sleep 0.2; done\n")
        terminal.shell("echo 1 > /sys/devices/system/cpu/cpu4/online\n")
        assert masks(terminal.shell(MASKS)) == booted | {"present": "0-4", "online": "0-1,4", "offline": "2-3,5"}
        assert "rror" not in terminal.monitor("device_del core4\n")
        terminal.shell("while [ -d cpu4 ]; do sleep 0.2; done\n")
        assert masks(terminal.shell(MASKS)) == booted
        terminal.type(END)
        assert terminal.wait_end() == 0


def skip_unless_ordinary():
    if paths.DEBUG or paths.SANITIZED:
        pytest.skip("the tools take the ordinary kernel and QEMU")


def tool(name, *arguments):
    skip_unless_ordinary()
    return subprocess.run([paths.ROOT / "tools" / name, *arguments],
                          capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.xdist_group("demo")
def test_demo(linux):
    """tools/demo shows each of the design's masks and is content."""
    done = tool("demo", "--linux", linux)
    assert done.returncode == 0, done.stdout + done.stderr
    present = re.findall(r"^ +present  (.*)$", done.stdout, re.M)
    assert present == ["0-3", "0-4", "0-4", "0-3"]
    assert re.findall(r"^ +online  (.*)$", done.stdout, re.M) == ["0-1", "0-1", "0-1,4", "0-1"]
    assert "(qemu) device_add cortex-a57-arm-cpu,id=core4,core-id=4" in done.stdout


@pytest.mark.once
@pytest.mark.xdist_group("demo")
def test_demo_of_the_unpatched_kernel_fails(linux):
    """tools/demo on a kernel that cannot do it ends with a status and a reason."""
    done = tool("demo", "--linux", f"{linux}-base")
    assert done.returncode == 1
    assert "demo:" in done.stderr


@pytest.mark.once
@pytest.mark.parametrize("name", ["demo", "vm", "soak"])
def test_nothing_built(name):
    """A kernel that is not there: one line that says what to do."""
    done = tool(name, "--linux", "0.1")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "out/linux-0.1/Image is missing" in done.stderr


@pytest.mark.once
def test_vm(directory, linux):
    """tools/vm: a shell, and the monitor a Ctrl-A C away."""
    skip_unless_ordinary()
    with Terminal(f"exec {paths.ROOT}/tools/vm --linux {linux}", directory) as terminal:
        assert "Ctrl-A C" in terminal.read_to(PROMPT)
        assert "0-5" in terminal.shell("masks\n")
        assert "CPU #0" in terminal.monitor("info cpus\n")
        terminal.type(END)
        assert terminal.wait_end() == 0
