"""A feed over a child process, which alone imports a broker's SDK and prints its dicts, one JSON line each.

The SDK may live in an environment of its own: what it pins need not fit VELOX. The child gets what the feed calls the
instruments as its first line, and its credentials from the environment; it ends when its connection does.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from trading.errors import InvalidValue
from trading.feeds.live.decoded import Listing
from trading.feeds.live.lines import REFUSED, FeedLine, LineFailed

LINE_BYTES_MAX = 16 * 2**20
CLOSE_SECONDS = 5.0
SDKS = {"fyers": "fyers_apiv3", "ib": "ib_async"}
PACKAGES = {feed: module.replace("_", "-") for feed, module in SDKS.items()}  # as pip names them
NO_SDK = 3  # the exit code of a child without its SDK


@dataclass(frozen=True, slots=True)
class ChildLine:
    """A child that runs."""

    process: asyncio.subprocess.Process

    async def messages(self) -> AsyncIterator[bytes | str]:
        """Yield lines until the child ends; a line without an end was cut by its death."""
        stdout = self.process.stdout
        while stdout is not None:
            try:
                line = await stdout.readline()
            except ValueError:  # longer than any SDK's
                return
            if not line.endswith(b"\n"):
                return
            yield line[:-1].decode("utf-8", "replace")

    async def beat(self) -> None:
        """Send nothing: the SDK has its own heartbeat."""

    async def close(self) -> None:
        """End the child with all that it started, as an interpreter behind a script, by force where it does not listen;
        one that ends by itself is let, or its code were lost."""
        with suppress(ProcessLookupError):
            if self.process.stdout is not None and self.process.stdout.at_eof():
                await self._ended()
            for number in (signal.SIGTERM, signal.SIGKILL):
                os.killpg(self.process.pid, number)
                await self._ended()

    async def _ended(self) -> None:
        """Wait until the child has ended, and nobody holds its output; not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.process.wait()


@asynccontextmanager
async def child_line(command: Sequence[str], listing: Listing, hint: str) -> AsyncIterator[FeedLine]:
    """Start a child for some instruments. Raises: LineFailed, with the hint where it has no SDK."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
            process_group=0,  # of its own, which is ended as a whole
        )
    except OSError as error:
        raise LineFailed(f"{command[0]}: {error.strerror}") from None
    line = ChildLine(process)
    try:
        if process.stdin is not None:
            with suppress(ConnectionError):
                process.stdin.write(json.dumps(list(listing)).encode() + b"\n")
                await process.stdin.drain()
        yield line
    finally:
        await line.close()
        await process.wait()
    if process.returncode == NO_SDK:
        raise LineFailed(hint, REFUSED)


def must_have_sdk(feed: str, python: str | None) -> None:
    """Raise InvalidValue where this environment has no SDK of a feed and no other one is named."""
    if python is None and find_spec(SDKS[feed]) is None:
        raise InvalidValue(
            f"The feed {feed} needs the package {SDKS[feed]}, which is not here.",
            field="feed",
            hint=f"pip install {PACKAGES[feed]}, or name the interpreter of an environment that has it by --python.",
        )


def command_of(feed: str, python: str | None) -> list[str]:
    """Return the command of a feed's own child; ``python`` is an interpreter of another environment."""
    return [python or sys.executable, str(Path(__file__).with_name("children") / f"{feed}_child.py")]
