"""One look for all who watch: what changed is found out once a moment and handed to every viewer. Pure asyncio.

A viewer's stream is server-sent events: `picture` (JSON: what it is of, and HTML by section; the first one whole, later
ones what has changed), `beat` while nothing changes, `fault` while nobody can look, or a look has hung for as long.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

import structlog

from trading.errors import VeloxError

LOOK_SECONDS = 0.2  # between two looks whether anything changed
SPACING_SECONDS = 0.7  # between two pictures: with a look and its drawing within the second that is promised
BEAT_SECONDS = 4.0

log = structlog.get_logger("system")


@dataclass(frozen=True, slots=True)
class Picture:
    """What a page shows: facts that each event carries (its day, its time), and the HTML of its sections by id."""

    facts: Mapping[str, str]
    sections: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture by its number, and the bytes of its event: whole, and what is other than in the frame before."""

    number: int
    picture: Picture
    whole: bytes
    change: bytes


class Channel:
    """One page that many watch. ``look`` runs in the executor while anybody does, and returns None for no change; its
    argument says that a picture is needed in any case."""

    def __init__(self, look: Callable[[bool], Picture | None], executor: Executor) -> None:
        self.viewers = 0
        self._look, self._executor = look, executor
        self._frame: Frame | None = None
        self._is_faulty = False
        self._began: float | None = None  # the look that is on its way, by a clock that nobody sets
        self._is_over = False
        self._news = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def stream(self) -> AsyncGenerator[bytes]:
        """Yield a viewer's events until the channel ends; who comes late or is slow gets the whole picture."""
        seen = 0
        yield b"retry: 1000\n\n"
        async with aclosing(self.frames()) as frames:
            async for frame in frames:
                if isinstance(frame, bytes):
                    yield frame
                else:
                    is_next = seen and frame.number == seen + 1
                    seen = frame.number
                    yield frame.change if is_next else frame.whole

    async def frames(self) -> AsyncGenerator[Frame | bytes]:
        """Yield the newest frame whenever there is another one, and where there is none for `BEAT_SECONDS` the event
        that says so."""
        self.viewers += 1
        self._looking = self._looking or asyncio.create_task(self._keep_looking())
        seen = 0
        try:
            while not self._is_over:
                news, frame = self._news, self._frame
                if frame is not None and frame.number > seen:
                    seen = frame.number
                    yield frame
                    continue
                try:
                    async with asyncio.timeout(BEAT_SECONDS):
                        await news.wait()
                except TimeoutError:
                    hangs = self._began is not None and time.monotonic() - self._began >= BEAT_SECONDS
                    yield event_text("fault" if self._is_faulty or hangs else "beat", {})
        finally:
            self.viewers -= 1
            if not self.viewers and self._looking is not None:
                self._looking.cancel()
                self._looking, self._frame, self._began = None, None, None

    def end(self) -> None:
        """Let every stream end: the server is about to."""
        self._is_over = True
        self._tell()

    async def _keep_looking(self) -> None:
        loop, drawn_at, pause = asyncio.get_running_loop(), -math.inf, 0.0
        while True:
            await asyncio.sleep(pause)
            self._began = began = time.monotonic()
            try:
                picture = await loop.run_in_executor(self._executor, self._look, self._frame is None)
                self._is_faulty = False
                if picture is not None:
                    drawn_at = began
                    self._publish(picture)
            except Exception as error:
                if not self._is_faulty:
                    is_bug = not isinstance(error, VeloxError)
                    log.error("the live page cannot be drawn", error=str(error), exc_info=is_bug)
                self._is_faulty = True
            self._began = None
            pause = max(LOOK_SECONDS, SPACING_SECONDS - (time.monotonic() - drawn_at))

    def _publish(self, picture: Picture) -> None:
        before = self._frame
        earlier = {} if before is None else before.picture.sections
        changed = {name: html for name, html in picture.sections.items() if earlier.get(name) != html}
        if before is not None and not changed and picture.facts == before.picture.facts:
            return
        whole = event_text("picture", {**picture.facts, "sections": dict(picture.sections)})
        change = event_text("picture", {**picture.facts, "sections": changed})
        self._frame = Frame(1 if before is None else before.number + 1, picture, whole, change)
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def event_text(name: str, body: Mapping[str, str | Mapping[str, str]]) -> bytes:
    """Return a server-sent event."""
    return f"event: {name}\ndata: {json.dumps(body)}\n\n".encode()


class Channels:
    """The channels of one web process by name, each made at its first viewer and forgotten after its last."""

    def __init__(self) -> None:
        self._by_name: dict[str, Channel] = {}
        self._is_over = False

    async def stream(self, name: str, make: Callable[[], Channel]) -> AsyncGenerator[bytes]:
        """Yield the events of a channel (see `Channel.stream`)."""
        with self._watched(name, make) as channel:
            async with aclosing(channel.stream()) as stream:
                async for event in stream:
                    yield event

    async def frames(self, name: str, make: Callable[[], Channel]) -> AsyncGenerator[Frame | bytes]:
        """Yield the frames of a channel (see `Channel.frames`)."""
        with self._watched(name, make) as channel:
            async with aclosing(channel.frames()) as frames:
                async for frame in frames:
                    yield frame

    @contextmanager
    def _watched(self, name: str, make: Callable[[], Channel]) -> Iterator[Channel]:
        channel = self._by_name.get(name)
        if channel is None:
            channel = self._by_name[name] = make()
        if self._is_over:
            channel.end()
        try:
            yield channel
        finally:
            if not channel.viewers and self._by_name.get(name) is channel:
                del self._by_name[name]

    def end(self) -> None:
        """Let every stream end, and each that begins from now on: the server is about to end."""
        self._is_over = True
        for channel in list(self._by_name.values()):
            channel.end()


channels = Channels()
