"""The host's end of the test channel; tests/guest/agent.c is the other one and describes the protocol."""

import dataclasses
import os
import socket
import time

PORT_NAME = "org.cpuhp.agent"
_TIMED_OUT = -1
_ANSWER_GRACE = 30.0    # how much later than the script's own timeout an answer of a busy guest may come


class GuestError(Exception):
    """Something in the guest did not go as it must."""


class GuestTimeout(GuestError):
    """The guest, or a script in it, did not finish in time."""


class GuestGone(GuestError):
    """The guest reset, or QEMU ended, while an answer was due."""


class CommandFailed(GuestError):
    """A script in the guest ended with a status other than 0."""


@dataclasses.dataclass(frozen=True)
class Result:
    status: int
    output: str


class Agent:
    """Runs shell scripts in the guest, one at a time."""

    def __init__(self) -> None:
        self._ours, self._qemus = socket.socketpair()
        self._buffer = b""
        self._id = 0

    def qemu_args(self) -> list[str]:
        """Arguments that give the VM the agent's port; QEMU inherits the socket."""
        os.set_inheritable(self._qemus.fileno(), True)
        return ["-chardev", f"socket,id=agent,fd={self._qemus.fileno()}",
                "-device", "virtio-serial-pci,id=agentbus",
                "-device", f"virtserialport,bus=agentbus.0,chardev=agent,name={PORT_NAME}"]

    def qemu_started(self) -> None:
        """Drop our copy of QEMU's end, so that the end of QEMU is the end of the stream."""
        self._qemus.close()

    def close(self) -> None:
        self._ours.close()
        self._qemus.close()

    def wait_hello(self, timeout: float) -> str:
        """Wait for a guest that has booted; returns its boot id."""
        deadline = time.monotonic() + timeout
        while True:
            word, _, boot_id = self._line(deadline, "the guest to boot").partition(" ")
            if word == "hello":
                return boot_id

    def run(self, script: str, timeout: float) -> Result:
        """Run a script, whatever its exit status; raises if the guest does not answer or the script has to be killed."""
        self._id += 1
        encoded = script.encode()
        self._ours.settimeout(_ANSWER_GRACE)
        try:
            self._ours.sendall(b"%d %d %d\n" % (self._id, timeout * 1000, len(encoded)) + encoded)
        except TimeoutError as error:
            raise GuestTimeout(f"the guest does not read: {script}") from error
        except OSError as error:
            raise GuestGone(f"QEMU is gone: {script}") from error
        deadline = time.monotonic() + timeout + _ANSWER_GRACE
        answer = self._line(deadline, script).split()
        if answer[0] == "hello":
            raise GuestGone(f"the guest has reset: {script}")
        answer_id, status, length = map(int, answer)
        if answer_id != self._id:
            raise GuestError(f"answer {answer_id} to request {self._id}: {script}")
        output = self._bytes(length, deadline, script).decode(errors="replace")
        if status == _TIMED_OUT:
            raise GuestTimeout(f"killed after {timeout:g} s: {script}\n{output}")
        return Result(status, output)

    def _line(self, deadline: float, what: str) -> str:
        while b"\n" not in self._buffer:
            self._fill(deadline, what)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def _bytes(self, count: int, deadline: float, what: str) -> bytes:
        while len(self._buffer) < count:
            self._fill(deadline, what)
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _fill(self, deadline: float, what: str) -> None:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise GuestTimeout(f"no answer in time: {what}")
        self._ours.settimeout(remaining)
        try:
            received = self._ours.recv(65536)
        except TimeoutError as error:
            raise GuestTimeout(f"no answer in time: {what}") from error
        except OSError as error:
            raise GuestGone(f"QEMU is gone: {what}") from error
        if not received:
            raise GuestGone(f"QEMU is gone: {what}")
        self._buffer += received
