"""What is counted, told and kept beside the points: damage once a minute, refusals, a raw stream on a full disk."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.trading.live import encoders as pack
from tests.trading.live.frames import LISTING
from trading.data_manager import DataManager
from trading.feeds.live import connection, kite, recording
from trading.feeds.live.connection import ConnectionPatience, FeedConnection
from trading.feeds.live.frame_files import BINARY, FrameFile
from trading.feeds.live.recording import FeedRecorder

pytestmark = pytest.mark.usefixtures("ledger", "alone")
NS = 10**9
NOW = int(time.time()) - 60


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What recorders warn of."""
    warned: list[dict[str, Any]] = []
    monkeypatch.setattr(recording, "_log", SimpleNamespace(warning=lambda _, **words: warned.append(words)))
    return warned


def take(recorder: FeedRecorder, frame: bytes | str, second: int) -> None:
    recorder.take(kite.decode(frame, LISTING), (NOW + second) * NS)


def connection_of(recorder: FeedRecorder) -> Any:
    """Return a connection that is never opened, in a session that is on."""
    return FeedConnection(recorder, lambda *_: None, lambda _: None, lambda _: True, lambda _: True)  # type: ignore[arg-type,return-value]


def test_damage_is_told_once_a_minute_and_counted_always(lines: list[dict[str, Any]]) -> None:
    with DataManager(source="kite") as dm:
        recorder = FeedRecorder(dm, "kite")
        for second in range(125):
            take(recorder, b"\x00\x01\x00", second)
    assert recorder.damaged == {"cut": 125}
    assert [line["cut"] for line in lines] == [1, 60, 60]


def test_what_the_broker_says_to_a_person_is_told_and_the_same_once_a_minute(lines: list[dict[str, Any]]) -> None:
    with DataManager(source="kite") as dm:
        recorder = FeedRecorder(dm, "kite")
        for second in range(125):
            words = "no more than 3000" if second == 30 else "x" * 300 if second == 31 else "too many requests"
            take(recorder, f'{{"type":"error","data":"{words}"}}', second)
    assert recorder.left_out == {"no_point": 125}
    told = [line["remark"] for line in lines]
    assert told == ["too many requests", "no more than 3000", "x" * 200, *["too many requests"] * 2]


def test_a_clock_that_is_set_back_silences_no_warning_and_turns_no_gap_round(lines: list[dict[str, Any]]) -> None:
    with DataManager(source="kite") as dm:
        recorder = FeedRecorder(dm, "kite")
        for second in (7200, 0, 30, 61):
            take(recorder, b"\x00\x01\x00", second)
        assert [line["cut"] for line in lines] == [1, 1, 2]
        take(recorder, pack.kite_message(pack.kite_full(408065, 50, 1, 5, NOW)), 7200)
        recorder.cut("silent", (NOW + 7210) * NS)
        take(recorder, pack.kite_message(pack.kite_full(408065, 50, 1, 6, NOW + 1)), 10)
    (gap,) = recorder.gaps
    assert (gap["start"] <= gap["stop"], gap["reason"], recorder.recorded) == (True, "silent", 2)


def test_quotes_that_the_recorder_refuses_are_counted_by_reason_and_the_others_are_kept() -> None:
    with DataManager(source="kite") as dm:
        recorder = FeedRecorder(dm, "kite")
        ahead = pack.kite_full(408065, 157370, 1, 5, NOW + 3 * 86_400)
        good = pack.kite_full(412675, 835025000, 1, 5, NOW)
        take(recorder, pack.kite_message(ahead, good), 0)
    assert recorder.refused == {"time_in_future": 1}
    assert recorder.recorded == 1


def test_a_feed_moves_by_quotes_that_are_kept_and_say_something_new() -> None:
    """One that is refused each time would otherwise make a frozen feed look alive."""
    ahead = pack.kite_full(408065, 157370, 1, 5, NOW + 3 * 86_400)
    with DataManager(source="kite") as dm:
        recorder, moves = FeedRecorder(dm, "kite"), []
        for second in (0, 0, 1, 1):
            quotes = (pack.kite_full(412675, 835025000, 1, 5, NOW + second), pack.kite_index(256265, 2400005, NOW))
            take(recorder, pack.kite_message(ahead, *quotes), 0)
            moves.append(recorder.has_moved)
            recorder.has_moved = False
    assert moves == [True, False, True, False]
    assert (recorder.recorded, recorder.refused) == (8, {"time_in_future": 4})


def test_points_without_a_time_of_their_own_say_so_by_the_instant_of_their_receipt() -> None:
    with DataManager(source="kite") as dm:
        recorder = FeedRecorder(dm, "kite")
        take(recorder, pack.kite_message(pack.kite_ltp(256265, 2400005), pack.kite_full(408065, 50, 1, 5, NOW)), 0)
        without, own = dm.get_latest_tick("NIFTY 50"), dm.get_latest_tick("INFY")
    assert (recorder.recorded, recorder.stamped_here) == (2, 1)
    assert without is not None
    assert without["exchange_time"] == without["received_time"]
    assert own is not None
    assert own["exchange_time"] == NOW * NS


def test_a_disk_that_takes_no_frames_ends_the_raw_stream_and_not_the_recording(
    tmp_path: Path,
) -> None:
    with DataManager(source="kite") as dm:
        recorder = FeedRecorder(dm, "kite")
        on = connection_of(recorder)
        (tmp_path / "folder").write_text("a file where a folder should be")
        on.frames = FrameFile(tmp_path / "folder" / "raw", "kite")
        on.keep(BINARY, b"x", NOW * NS)
        assert on.frames is None
        on.keep(BINARY, b"x", NOW * NS)


def test_a_disk_that_fills_up_under_the_raw_stream_is_told_within_a_second_and_the_recording_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[str] = []
    monkeypatch.setattr(connection, "_log", SimpleNamespace(error=lambda text, **_: errors.append(text)))
    with DataManager(source="kite") as dm:
        recorder = FeedRecorder(dm, "kite")
        on = connection_of(recorder)
        on.patience = ConnectionPatience(silent_seconds=0.4)
        on.frames = FrameFile(tmp_path / "raw", "kite")
        on.keep(BINARY, b"x", NOW * NS)
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, on.frames._raw.fileno())
        os.close(full)

        async def close() -> None:
            on.stop.set()

        async def watch() -> None:
            on.keep(BINARY, b"y", NOW * NS)
            line: Any = SimpleNamespace(close=close, beat=close)
            watcher = asyncio.create_task(on._watch(line))
            while on.frames is not None and not watcher.done():
                await asyncio.sleep(0.01)
            on.stop.set()
            await watcher

        asyncio.run(watch())
        take(recorder, pack.kite_message(pack.kite_full(408065, 50, 1, 5, NOW)), 0)
    assert (errors, recorder.recorded) == (["the raw stream is kept no longer"], 1)


def test_a_clock_that_jumps_ahead_ends_no_connection_and_seconds_of_silence_do(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, closed = 0, []
    with DataManager(source="kite") as dm:
        on = connection_of(FeedRecorder(dm, "kite"))

        async def look(_: object, seconds: float) -> None:
            nonlocal looks
            looks += 1

        async def close() -> None:
            closed.append(looks)

        async def beat() -> None:
            pass

        clocks = {
            "monotonic": lambda: looks * 0.1,
            "time": lambda: looks * 7200.0,
            "time_ns": lambda: looks * 7200 * NS,
        }
        monkeypatch.setattr(connection, "time", SimpleNamespace(**clocks))
        monkeypatch.setattr(FeedConnection, "_wait", look)
        asyncio.run(on._watch(SimpleNamespace(close=close, beat=beat)))
    assert (closed, on._ended_by) == ([101], "silent")
