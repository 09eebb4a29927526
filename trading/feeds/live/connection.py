"""The connection to a broker's socket: opened, subscribed, watched, and opened again with growing pauses.

What ends a connection has a name: `cut` (it ended or failed), `silent` (nothing comes), `frozen` (messages come and no
quote moves), `refused` (the broker does not take the credentials), `session` (the exchange is closed).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from timeseries.spool.backoff import pause_seconds
from trading.errors import InvalidValue
from trading.feeds.live.frame_files import BINARY, CONNECTED, TEXT, FrameFile, KeptFrame
from trading.feeds.live.lines import REFUSED, FeedLine, LineFailed, OpenLine
from trading.feeds.live.recording import FeedRecorder

LOOK_SECONDS = 1.0
BEAT_SECONDS = 10.0
FROZEN_SECONDS = 60.0
_log = structlog.get_logger("market_data")


@dataclass(frozen=True, slots=True)
class ConnectionPatience:
    """For how many seconds a connection may be silent or frozen, and how long the pauses between tries are."""

    silent_seconds: float = 10.0
    frozen_seconds: float = FROZEN_SECONDS
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 30.0


@dataclass(slots=True)
class FeedConnection:
    """One feed's connection, for as long as ``stop`` is not set.

    ``open_line`` opens and subscribes, with credentials read anew; ``is_wanted`` tells whether a session is on or near
    at an instant (ns UTC), ``is_trading`` whether quotes should move. ``frames`` keeps the raw stream. ``on_connect``
    is told of each connection, ``is_once`` ends with the session. ``always_talks``: a heartbeat comes every second,
    where other feeds say nothing while the exchange is closed.
    """

    recorder: FeedRecorder
    take: Callable[[bytes | str, int], None]
    open_line: OpenLine
    is_wanted: Callable[[int], bool]
    is_trading: Callable[[int], bool]
    url: str | None = None
    frames: FrameFile | None = None
    on_connect: Callable[[], None] = lambda: None
    patience: ConnectionPatience = field(default_factory=ConnectionPatience)
    is_once: bool = False
    always_talks: bool = True
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    interrupted_by: int = 0
    _ended_by: str = ""

    async def run(self) -> None:
        """Keep the feed connected while a session is on. Raises: InvalidValue for an address that is not safe."""
        failures, was_on = 0, False
        while not self.stop.is_set():
            if not self.is_wanted(time.time_ns()):
                if was_on and self.is_once:
                    return
                await self._wait(LOOK_SECONDS)
                continue
            was_on, before = True, self.recorder.recorded
            reason = await self._connect_once()
            if self.stop.is_set():
                return
            if reason != "session":
                self.recorder.cut(reason, time.time_ns())
            failures = 0 if self.recorder.recorded > before else failures + 1
            patience = self.patience
            pause = pause_seconds(failures, first=patience.first_pause_seconds, longest=patience.longest_pause_seconds)
            await self._wait(pause * random.uniform(0.5, 1.0))  # noqa: S311  (desks shall not come back all at once)

    def interrupt(self, number: int) -> None:
        """Ask for the end, because of this signal."""
        self.interrupted_by = number
        self.stop.set()

    def keep(self, kind: str, content: bytes | str, now_ns: int) -> None:
        """Add a message to the raw stream; a disk that takes none of it ends that, and not the recording."""
        if self.frames is None:
            return
        try:
            self.frames.write(KeptFrame(now_ns, kind, content))
        except OSError as error:
            self._keep_no_longer(error)

    def _keep_no_longer(self, error: OSError) -> None:
        frames, self.frames = self.frames, None
        if frames is not None:
            frames.abandon()
        _log.error("the raw stream is kept no longer", feed=self.recorder.feed, error=str(error))

    async def _connect_once(self) -> str:
        """Connect and record until the connection ends; return the reason."""
        try:
            async with self.open_line(self.url) as line:
                now_ns = time.time_ns()
                self.connections += 1
                self.keep(CONNECTED, "", now_ns)
                self.recorder.connected(now_ns)
                self.on_connect()
                return await self._receive(line)
        except LineFailed as error:
            _log.warning("the feed cannot be opened", feed=self.recorder.feed, error=str(error))
            return error.reason
        except InvalidValue as error:
            _log.error("the feed cannot be opened", feed=self.recorder.feed, error=str(error))
            return REFUSED

    async def _receive(self, line: FeedLine) -> str:
        """Take messages until the connection ends or is no good; return the reason."""
        self._ended_by = ""
        watch = asyncio.create_task(self._watch(line))
        try:
            async for message in line.messages():
                now_ns = time.time_ns()
                self.keep(TEXT if isinstance(message, str) else BINARY, message, now_ns)
                self.take(message, now_ns)
        finally:
            if not watch.done():
                watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
        return self._ended_by or "cut"

    async def _watch(self, line: FeedLine) -> None:
        """Look again and again at the connection, and close it where it is no good any more.

        Seconds are counted by a clock that nobody sets, since the last change of a count: a clock that steps ends none.
        """
        recorder, patience, beaten = self.recorder, self.patience, time.monotonic()
        heard, moved_at = (recorder.messages, beaten), beaten
        while not self._ended_by:
            await self._wait(min(LOOK_SECONDS, patience.silent_seconds / 4))
            now, now_ns = time.monotonic(), time.time_ns()
            if self.frames is not None:
                try:
                    self.frames.flush()
                except OSError as error:
                    self._keep_no_longer(error)
            if heard[0] != recorder.messages or not (self.always_talks or self.is_trading(now_ns)):
                heard = (recorder.messages, now)
            if recorder.has_moved or not self.is_trading(now_ns):
                recorder.has_moved, moved_at = False, now
            if self.stop.is_set() or not self.is_wanted(now_ns):
                self._ended_by = "session"
            elif now - heard[1] > patience.silent_seconds:
                self._ended_by = "silent"
            elif now - moved_at > patience.frozen_seconds:
                self._ended_by = "frozen"
            elif now - beaten >= BEAT_SECONDS:
                beaten = now
                await line.beat()
        await line.close()

    async def _wait(self, seconds: float) -> None:
        """Wait until the end is asked for, at most this long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stop.wait()
