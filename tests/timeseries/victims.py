"""Processes that are there to be killed: at any moment, or at the n-th call of one of their system calls (strace).

They are forked from here, so that a kill costs milliseconds and not the start of a Python.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import shutil
import signal
import subprocess
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 60  # after which a child that hangs ends itself
ANY_TRACER = (0x59616D61, ctypes.c_ulong(-1))  # PR_SET_PTRACER, PR_SET_PTRACER_ANY
# Whatever can change a disk, a lock or a server. What happens between two of them happens in memory.
CALLS = (
    "openat", "close", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir",
    "fallocate", "ftruncate", "truncate", "write", "pwrite64", "fsync", "fdatasync", "flock", "socket", "connect",
    "sendto", "recvfrom",
)  # fmt: skip
TRACED = ",".join(f"?{name}" for name in CALLS)  # not every machine has all of them

CallNumber = tuple[str, int]  # a call's name, and the how manieth of this name


class Told:
    """A number that outlives whoever counts: what a child was told of, kept outside its files."""

    def __init__(self) -> None:
        self.words = memoryview(mmap.mmap(-1, 8)).cast("Q")

    @property
    def number(self) -> int:
        return self.words[0]

    @number.setter
    def number(self, value: int) -> None:
        self.words[0] = value


class Victim:
    """A child that begins its work at `go`."""

    def __init__(self, work: Callable[[], None]) -> None:
        reading, self._gate = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 3
            try:
                os.close(self._gate)
                signal.alarm(PATIENCE_SECONDS)
                ctypes.CDLL(None).prctl(*ANY_TRACER, 0, 0, 0)  # where only ancestors may trace; elsewhere it fails
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # it logs every fault of the server
                os.read(reading, 1)
                work()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(reading)

    def go(self) -> None:
        os.write(self._gate, b"x")
        os.close(self._gate)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> int:
        """Return the exit code: minus the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def why_strace_cannot_trace() -> str:
    """Return what stands in the way of tracing a child here; nothing when it works."""
    if shutil.which("strace") is None:
        return "strace is missing: sudo apt-get install strace"
    try:
        return "" if calls_of(lambda: os.close(os.open(os.devnull, os.O_RDONLY))) else "strace sees nothing"
    except OSError as error:
        return f"strace may not trace here: {error}"


def calls_of(work: Callable[[], None]) -> list[CallNumber]:
    """Let the work be done and return its system calls in their order."""
    with tempfile.NamedTemporaryFile() as log:
        code = _traced(work, "-o", log.name, "-e", f"trace={TRACED}")
        assert code == 0, f"the work failed: {code}"
        names = re.findall(r"^\d+ +(\w+)\(", Path(log.name).read_text(errors="replace"), re.M)
    count = dict.fromkeys(CALLS, 0)
    found = []
    for name in names:
        count[name] += 1
        found.append((name, count[name]))
    return found


def kill_at(work: Callable[[], None], call: CallNumber) -> bool:
    """Kill the work as it enters this call; False when it was done before it came there."""
    name, number = call
    inject = f"inject={name}:signal=KILL:when={number}"
    code = _traced(work, "-o", os.devnull, "-e", f"trace={name}", "-e", inject)
    assert code in (0, -signal.SIGKILL), f"the work failed: {code}"
    return code == -signal.SIGKILL


def _traced(work: Callable[[], None], *options: str) -> int:
    victim = Victim(work)
    command = ["strace", "-f", "-p", str(victim.pid), *options]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr
    said = tracer.stderr.readline()
    if "attached" not in said:
        victim.kill()
    else:
        victim.go()
    code = victim.end()
    said += tracer.communicate()[1]
    if "attached" not in said:
        raise PermissionError(said.strip())
    return code
