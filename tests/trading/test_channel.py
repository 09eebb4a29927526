"""One look for all viewers of a live page: who gets what, and when nobody looks any more."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.waiting import PATIENCE_SECONDS
from trading.live import channel
from trading.live.channel import Channel, Channels, Picture

Body = dict[str, str | dict[str, str]]


class Desk:
    """What is looked at: two sections, of which a test changes one."""

    def __init__(self) -> None:
        self.sections = {"tiles": "1", "latest": "a"}
        self.looks = 0
        self.is_broken = False
        self.answers = threading.Event()  # while it is not set a look hangs
        self.answers.set()
        self._drawn: dict[str, str] = {}

    def look(self, is_needed: bool) -> Picture | None:
        self.looks += 1
        self.answers.wait(PATIENCE_SECONDS)
        if self.is_broken:
            raise OSError("locked")
        if self._drawn == self.sections and not is_needed:
            return None
        self._drawn = dict(self.sections)
        return Picture({"day": "2024-03-15", "at": "15:00:00"}, self._drawn)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "LOOK_SECONDS", 0.005)
    monkeypatch.setattr(channel, "SPACING_SECONDS", 0.01)
    monkeypatch.setattr(channel, "BEAT_SECONDS", 0.05)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def event(stream: AsyncGenerator[bytes], name: str = "picture") -> Body:
    """Return the body of the stream's next event of this name."""
    async for text in stream:
        if text.startswith(f"event: {name}\n".encode()):
            body: Body = json.loads(text.split(b"data: ", 1)[1])
            return body
    raise AssertionError(f"the stream ended without {name}")


def played(play: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(play(), PATIENCE_SECONDS))


def test_the_first_picture_is_whole_and_the_next_has_what_changed(desk: Desk, executor: ThreadPoolExecutor) -> None:
    async def play() -> None:
        stream = Channel(desk.look, executor).stream()
        assert (await event(stream))["sections"] == {"tiles": "1", "latest": "a"}
        desk.sections["tiles"] = "2"
        assert (await event(stream))["sections"] == {"tiles": "2"}
        await stream.aclose()

    played(play)


def test_who_comes_late_or_was_slow_gets_the_whole_picture(desk: Desk, executor: ThreadPoolExecutor) -> None:
    async def play() -> None:
        shared = Channel(desk.look, executor)
        quick, slow = shared.stream(), shared.stream()
        await event(quick)
        await event(slow)
        for number in "234":
            desk.sections["tiles"] = number
            await event(quick)
        late = shared.stream()
        whole = {"tiles": "4", "latest": "a"}
        assert (await event(slow))["sections"] == whole
        assert (await event(late))["sections"] == whole
        for stream in (quick, slow, late):
            await stream.aclose()

    played(play)


def test_many_viewers_cost_one_look_and_none_costs_none(desk: Desk, executor: ThreadPoolExecutor) -> None:
    async def play() -> None:
        shared = Channel(desk.look, executor)
        streams = [shared.stream() for _ in range(50)]
        for stream in streams:
            await event(stream)
        drawn = desk.looks
        assert shared.viewers == 50
        assert drawn < 50
        for stream in streams:
            await stream.aclose()
        assert shared.viewers == 0
        await asyncio.sleep(0)
        looks = desk.looks
        await asyncio.sleep(0.1)
        assert desk.looks <= looks + 1  # one may have been on its way

    played(play)


def test_nothing_new_is_told_by_a_beat_and_a_fault_by_its_name(desk: Desk, executor: ThreadPoolExecutor) -> None:
    async def play() -> None:
        stream = Channel(desk.look, executor).stream()
        await event(stream)
        await event(stream, "beat")
        desk.is_broken = True
        await event(stream, "fault")
        desk.is_broken, desk.sections["tiles"] = False, "2"
        assert (await event(stream))["sections"] == {"tiles": "2"}
        await stream.aclose()

    played(play)


def test_a_look_that_hangs_is_a_fault_before_long(desk: Desk, executor: ThreadPoolExecutor) -> None:
    async def play() -> None:
        stream = Channel(desk.look, executor).stream()
        await event(stream)
        desk.answers.clear()
        await event(stream, "fault")
        desk.sections["tiles"] = "2"
        desk.answers.set()
        assert (await event(stream))["sections"] == {"tiles": "2"}
        await event(stream, "beat")
        await stream.aclose()

    played(play)


def test_a_desk_that_cannot_be_read_is_not_asked_without_a_pause(desk: Desk, executor: ThreadPoolExecutor) -> None:
    async def play() -> None:
        desk.is_broken = True
        stream = Channel(desk.look, executor).stream()
        await event(stream, "fault")
        assert desk.looks <= 2 + channel.BEAT_SECONDS / channel.LOOK_SECONDS
        await stream.aclose()

    played(play)


def test_a_server_that_ends_lets_every_stream_end(desk: Desk, executor: ThreadPoolExecutor) -> None:
    async def play() -> None:
        shared = Channels()
        stream = shared.stream("main", lambda: Channel(desk.look, executor))
        await event(stream)
        shared.end()
        async for _ in stream:
            pass  # it does
        async for _ in shared.stream("main", lambda: Channel(desk.look, executor)):
            pass  # so does one that was asked for before, and is answered only now

    played(play)


@pytest.mark.parametrize("turns", range(5))  # of the loop, from the news on
def test_a_viewer_who_leaves_as_news_comes_has_left(
    desk: Desk, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    async def play() -> None:
        shared, loop = Channel(desk.look, executor), asyncio.get_running_loop()

        def leave(left: int) -> None:
            loop.call_soon(leave, left - 1) if left else viewer.cancel()

        def tell(name: str, body: Body) -> bytes:
            monkeypatch.setattr(channel, "event_text", event_text)
            leave(turns)
            return event_text(name, body)

        event_text = channel.event_text
        monkeypatch.setattr(channel, "event_text", tell)
        viewer = asyncio.create_task(event(shared.stream(), "an end"))
        await asyncio.wait([viewer])
        assert viewer.cancelled()
        assert shared.viewers == 0

    played(play)


def test_a_channel_is_made_anew_after_its_last_viewer(desk: Desk, executor: ThreadPoolExecutor) -> None:
    async def play() -> None:
        shared, made = Channels(), 0

        def make() -> Channel:
            nonlocal made
            made += 1
            return Channel(desk.look, executor)

        first, second = (shared.stream("main", make) for _ in range(2))
        await event(first)
        await event(second)
        assert made == 1
        await first.aclose()
        await second.aclose()
        third = shared.stream("main", make)
        await event(third)
        assert made == 2
        await third.aclose()

    played(play)
