"""`manage.py record` as it runs: killed at random, started twice, replayed from its raw stream."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from tests.companions import ended_afterwards
from tests.conftest import Ledger
from tests.trading.live import encoders as pack
from tests.trading.live.broker import broker
from tests.trading.live.frames import LISTING
from tests.trading.live.test_connection import NOW, SECRETS, full, points
from tests.trading.live.test_orders import FULL, update
from trading.errors import InvalidValue
from trading.feeds.live.frame_files import BINARY, CONNECTED, TEXT, FrameFile, KeptFrame, read_frames
from trading.models import Fill, Trade

ROOT = Path(__file__).resolve().parents[3]
NS = 10**9
KILLS = int(os.environ.get("VELOX_RECORDER_KILLS", "3"))


@pytest.fixture
def instruments(tmp_path: Path) -> Path:
    rows = [f"{key},{each.symbol},0.05" for key, each in LISTING.items() if isinstance(key, int)]
    path = tmp_path / "kite.csv"
    path.write_text("\n".join(["key,symbol,price_tick", *rows]) + "\n")
    return path


def command(instruments: Path, *more: str, program: Sequence[str] = ("manage.py",)) -> list[str]:
    words = ("record", "--feed", "kite", "--instruments", str(instruments), "--trades-url", "-", "--any-time")
    return [sys.executable, *program, *words, "--format", "json", *more]


@contextmanager
def recorder(
    ledger: Ledger,
    instruments: Path,
    *more: str,
    program: Sequence[str] = ("manage.py",),
    secrets: Mapping[str, str] = SECRETS,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the recorder as a process; it is gone afterwards."""
    process = subprocess.Popen(
        command(instruments, *more, program=program),
        cwd=ROOT,
        env={**ledger.env, **secrets},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("ledger")
def test_a_recorder_that_is_killed_at_random_loses_nothing_that_it_took_and_doubles_none(
    ledger: Ledger, instruments: Path
) -> None:
    chance, sent = random.Random(3), 0

    async def script(connection: ServerConnection, number: int) -> None:
        nonlocal sent
        with suppress(ConnectionClosed):
            if sent:
                await connection.send(full(sent))  # the snapshot that every subscription begins with
            while True:
                sent += 1
                await connection.send(full(sent))
                await asyncio.sleep(0.001)

    async def run() -> None:
        async with broker(script, subscriptions=2) as fake:
            seen: list[int] = []
            for _ in range(KILLS):
                with recorder(ledger, instruments, "--url", fake.url) as process:
                    before = len(seen)
                    while len(seen) < before + chance.randint(1, 60):
                        assert process.poll() is None
                        seen = [volume or 0 for _, volume in await asyncio.to_thread(points)]
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                again = [volume or 0 for _, volume in await asyncio.to_thread(points)]
                assert set(seen) <= set(again), "what could be read before the kill is there after it"
                assert max(Counter(again).values()) == 1, "no quote is there twice"
                seen = again
            # Each life took an unbroken run of what was sent.
            holes = sum(later - earlier > 1 for earlier, later in pairwise(seen))
            assert holes <= KILLS - 1
            assert seen[-1] <= sent

    with ended_afterwards():
        asyncio.run(run())


@pytest.mark.usefixtures("ledger")
def test_one_process_a_feed_and_an_end_that_tells_what_was_recorded(
    ledger: Ledger, instruments: Path, tmp_path: Path
) -> None:
    async def script(connection: ServerConnection, number: int) -> None:
        for volume in (1, 2, 3):
            await connection.send(full(volume))
        await connection.send(full(4)[:50])
        await connection.send(json.dumps({"type": "order", "data": update(FULL, status="COMPLETE")}))
        while connection.state is State.OPEN:  # a heartbeat, or on a slow machine the feed would be silent for too long
            with suppress(TimeoutError, ConnectionClosed):
                await connection.send(b"\x00")
                await asyncio.wait_for(connection.wait_closed(), 1)

    async def run() -> tuple[dict[str, Any], bytes]:
        async with broker(script, subscriptions=2) as fake:
            more = ("--url", fake.url, "--frames", str(tmp_path / "raw" / "kite"), "--strategy", "bot")
            with recorder(ledger, instruments, *more) as process:
                while not (len(await asyncio.to_thread(points)) == 3 and await asyncio.to_thread(fills)):
                    assert process.poll() is None, process.communicate()
                second = await asyncio.to_thread(
                    subprocess.run,
                    command(instruments, *more),
                    cwd=ROOT,
                    env={**ledger.env, **SECRETS},
                    capture_output=True,
                )
                assert second.returncode == 2
                assert f"Another process ({process.pid}) records kite for main" in second.stderr.decode()
                process.send_signal(signal.SIGTERM)
                output, errors = await asyncio.to_thread(process.communicate)
                assert process.returncode == 0, errors
                return json.loads(output), errors

    with ended_afterwards():
        report, errors = asyncio.run(run())
    assert (report["recorded"], report["damaged"], report["orders"], report["fills"]) == (3, {"cut": 1}, 1, 2)
    assert (report["connections"], report["gaps"], report["source"]) == (1, [], "kite")
    assert not any(secret.encode() in errors for secret in SECRETS.values())
    assert "secret-" not in "".join(path.read_text() for path in (ledger.data_dir / "logs").glob("*"))
    # The raw stream gives the same points under another source, and its order none again.
    frames = [str(path) for path in (tmp_path / "raw").iterdir()]
    for _ in range(2):
        replayed = run_file(instruments, *frames, "--source", "again", "--strategy", "bot")
        assert (replayed["recorded"], replayed["damaged"], replayed["fills"]) == (3, {"cut": 1}, 0)
        assert points(source="again") == points()


def fills() -> int:
    return Fill.objects.exclude(trade__state="VOID").count()


def run_file(instruments: Path, *more: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("record", *more, "--feed", "file", "--instruments", str(instruments), "--format", "json", stdout=out)
    return dict(json.loads(out.getvalue()))


def kept(path: Path, *frames: tuple[int, str, bytes | str]) -> str:
    file = FrameFile(path, "kite")
    for second, kind, content in frames:
        file.write(KeptFrame((NOW + second) * NS, kind, content))
    file.close()
    (made,) = path.parent.glob(f"{path.name}.*")
    return str(made)


@pytest.mark.usefixtures("ledger", "alone")
def test_a_kept_stream_is_recorded_as_it_came_and_again_changes_nothing(instruments: Path, tmp_path: Path) -> None:
    late = kept(tmp_path / "b", (30, CONNECTED, ""), (31, BINARY, full(2)), (32, BINARY, full(3)))
    ltp = pack.kite_message(pack.kite_ltp(256265, 2400005))
    orders = [json.dumps({"type": "order", "data": update(FULL[:n])}) for n in (1, 2, 3)]
    early = kept(
        tmp_path / "a",
        (0, CONNECTED, ""),
        (1, BINARY, full(1)),
        (2, BINARY, full(2)),
        (2, BINARY, ltp),
        *((3, TEXT, order) for order in orders),
    )
    for _ in range(2):
        report = run_file(instruments, late, early, "--strategy", "bot")
        assert (report["recorded"], report["repeated"], report["stamped_here"]) == (4, 1, 1)
        assert points(source="file") == [(1573.7, 1), (1573.7, 2), (1573.7, 3)]
        assert points("NIFTY 50", "file") == [(24000.05, None)]
        assert sum(fill.quantity for fill in Fill.objects.exclude(trade__state="VOID")) == 51
        assert Trade.objects.get(state="OPEN").strategy.code == "bot"


def test_a_stream_that_a_kill_has_cut_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    file = FrameFile(tmp_path / "raw", "kite")
    for number in range(50):
        file.write(KeptFrame(NOW * NS + number, BINARY, full(number + 1)))
    file.flush()
    (path,) = tmp_path.iterdir()
    assert len(list(read_frames([path]))) == 50  # flushed and not closed: all are there
    file.close()
    content = path.read_bytes()
    for size in (len(content) - 1, len(content) - 9, len(content) // 2, 80):
        path.write_bytes(content[:size])
        frames = list(read_frames([path]))
        assert [frame.content for frame in frames] == [full(number + 1) for number in range(len(frames))]


def test_the_raw_stream_is_rotated_and_holds_every_kind_of_text(tmp_path: Path) -> None:
    file = FrameFile(tmp_path / "raw", "kite", rotated_at=200)
    texts = ["\n", "\\n", "\\", "é\x00", '"', "\ud800", ""]
    for number, text in enumerate(texts):
        file.write(KeptFrame(number + 1, TEXT, text * 20))
    file.close()
    assert len(list(tmp_path.iterdir())) > 2
    paths = sorted(tmp_path.iterdir(), key=lambda path: int(path.name.split(".")[1]))
    assert [frame.content for frame in read_frames(paths)] == [text * 20 for text in texts]


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "no file of frames"), (b"a,b\n", "cannot be read"), (gzip.compress(b"a,b\n"), "no file of frames")],
    ids=["empty", "text", "gzip of text"],
)
def test_what_is_no_kept_stream_is_refused(instruments: Path, tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=words) as error:
        run_file(instruments, str(path))
    assert error.value.returncode == 2


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--feed", "kite"], "KITE_API_KEY is not set"),
        (["--feed", "dhan"], "no key|no instrument token"),
        (["--feed", "fyers"], "needs the package fyers_apiv3"),
        (["--feed", "kite", "--url", "ws://example.org"], "neither wss"),
        (["--feed", "kite", "--account", "none"], "none"),
        (["--feed", "file"], "no feed"),
        (["x.gz", "--feed", "kite"], "go with --feed file"),
    ],
)
def test_what_cannot_start_says_why_before_anything_is_waited_for(
    instruments: Path, options: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CommandError, match=words) as error:
        call_command("record", *options, "--instruments", str(instruments))
    assert error.value.returncode == 2


@pytest.mark.usefixtures("ledger")
def test_dhan_does_not_start_before_a_person_has_said_from_when_its_times_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    path = tmp_path / "dhan.csv"
    path.write_text("key,symbol\n1:1333,HDFCBANK\n")
    with pytest.raises(CommandError, match="do not settle"):
        call_command("record", "--feed", "dhan", "--instruments", str(path))


def test_credentials_of_a_file_are_taken_from_it_and_named_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trading.feeds.live.credentials import read_credentials

    monkeypatch.setenv("KITE_API_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(InvalidValue, match="KITE_API_KEY_FILE"):
        read_credentials(["KITE_API_KEY"])
    (tmp_path / "key").write_text("secret-word\n")
    secrets = read_credentials(["KITE_API_KEY"])
    assert (secrets["KITE_API_KEY"], repr(secrets)) == ("secret-word", "Credentials(KITE_API_KEY)")
    (tmp_path / "key").write_text("two words")
    with pytest.raises(InvalidValue, match="not one printable word") as error:
        read_credentials(["KITE_API_KEY"])
    assert "two words" not in str(error.value)


def test_the_session_clock_wants_a_connection_from_shortly_before_to_shortly_after(ledger: Ledger) -> None:
    from trading.feeds.live.session_clock import SessionClock
    from trading.queries.sessions import calendars_of

    clock = SessionClock(calendars_of(["INFY", "TCS", "NIFTY 50"]))
    assert len(clock.calendars) <= 2
    open_at = datetime(2026, 6, 1, 3, 45, tzinfo=UTC)  # a Monday, 09:15 in India

    def ns(**later: int) -> int:
        return int((open_at + timedelta(**later)).timestamp()) * NS

    assert [clock.is_wanted(ns(minutes=m)) for m in (-18, -16, 0, 200)] == [False, True, True, True]
    assert not clock.is_wanted(ns(hours=12))
    assert not clock.is_wanted(ns(days=-1))
    assert [clock.is_trading(ns(minutes=m)) for m in (-10, 0, 374, 376)] == [False, True, True, False]


@pytest.mark.parametrize(("feed", "what"), [("kite", "--instruments CSV"), ("kafka", "Name the topics")])
def test_what_a_feed_needs_is_told(ledger: Ledger, feed: str, what: str) -> None:
    with pytest.raises(CommandError, match=what):
        call_command("record", "--feed", feed)
