"""One message on its way: a process of its own that has ten seconds, and is killed when it hangs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings

LOADING_SECONDS = 30.0  # of a busy machine, until the process has loaded what sends
SENDING_SECONDS = 10.0
SENT, TIMED_OUT, FAILED = "sent", "timed_out", "failed"


@dataclass(frozen=True, slots=True)
class MessageOutcome:
    """What became of a message: ``sent``, or a word for why not, and the HTTP status where a server answered."""

    word: str
    status: int = 0

    @property
    def is_sent(self) -> bool:
        return self.word == SENT

    def __str__(self) -> str:
        return f"{self.word} (HTTP {self.status})" if self.status else self.word


class Messenger:
    """The process that sends one message; ask it with `poll`, which never waits."""

    def __init__(self, request: Mapping[str, str], *, clock_seconds: float) -> None:
        """Start the process; ``clock_seconds`` is of a monotonic clock. Raises: OSError."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "trading.alerts.sending"],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._deadline, self._output, self._is_loaded = clock_seconds + LOADING_SECONDS, b"", False
        assert self._process.stdin is not None and self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        with suppress(OSError):  # it has ended already, which `poll` tells
            self._process.stdin.write(json.dumps(dict(request)).encode())
            self._process.stdin.close()

    def poll(self, *, clock_seconds: float) -> MessageOutcome | None:
        """Return what became of the message, None while it is on its way."""
        assert self._process.stdout is not None
        has_ended = self._process.poll() is not None
        self._output += self._process.stdout.read() or b""
        lines = self._output.split(b"\n")
        if not self._is_loaded and len(lines) > 1:
            self._is_loaded, self._deadline = True, clock_seconds + SENDING_SECONDS
        if len(lines) > 2:
            answer = json.loads(lines[1])
            self.end()
            return MessageOutcome(str(answer["outcome"]), int(answer["status"]))
        if has_ended:
            self.end()
            return MessageOutcome(FAILED)
        if clock_seconds >= self._deadline:
            self.end()
            return MessageOutcome(TIMED_OUT)
        return None

    def end(self) -> None:
        """Kill the process, if it is still there, and wait for its end."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
