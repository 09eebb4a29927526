"""What a day brings while `manage.py record` runs: strange instruments, midnight, a clock that jumps, a token's end."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.companions import ended_afterwards
from tests.conftest import Ledger
from tests.trading.live import encoders as pack
from tests.trading.live import test_record_command
from tests.trading.live.broker import broker
from tests.trading.live.moved_clock import set_clock
from tests.trading.live.test_connection import NOW, SECRETS, forever, full, points
from tests.trading.live.test_record_command import recorder
from tests.waiting import PATIENCE_SECONDS
from trading.data_manager import DataManager
from trading.queries.period import desk_zone

pytestmark = pytest.mark.usefixtures("ledger")
instruments = test_record_command.instruments  # the fixture
NS, HOUR_NS = 10**9, 3600 * 10**9


async def until(condition: Any, process: subprocess.Popen[bytes]) -> None:
    """Wait for what a living recorder shows."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await asyncio.to_thread(condition):
            assert process.poll() is None, process.communicate()
            await asyncio.sleep(0.05)  # else its looks would take the processor that the recorder needs


async def told(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """End a recorder and return its report."""
    process.send_signal(signal.SIGTERM)
    output, errors = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, errors
    return dict(json.loads(output))


def volumes() -> list[int | None]:
    return [volume for _, volume in points()]


def test_instruments_that_nobody_listed_are_counted_and_a_file_that_changes_counts_from_the_next_start(
    ledger: Ledger, instruments: Path
) -> None:
    """The file is read once: what is in it meanwhile, torn or for another token, changes no series of a recorder."""
    changed = asyncio.Event()

    async def script(connection: ServerConnection, number: int) -> None:
        old, new = (pack.kite_full(token, 157370, 1, number, NOW + number) for token in (408065, 779521))
        await connection.send('{"type":"error","data":"one of your tokens is not known"}')
        await connection.send(pack.kite_message(new, old))
        if number == 1:
            await changed.wait()
            return
        await forever(connection)

    async def run() -> list[dict[str, Any]]:
        reports = []
        async with broker(script, subscriptions=2) as fake:
            with recorder(ledger, instruments, "--url", fake.url) as process:
                await until(lambda: volumes() == [1], process)
                text = instruments.read_text()
                instruments.write_text("key,symb")  # a copy that is not there yet in full
                changed.set()
                await until(lambda: volumes() == [1, 2], process)
                reports.append(await told(process))
            instruments.write_text(text.replace("408065", "779521"))
            with recorder(ledger, instruments, "--url", fake.url) as process:
                await until(lambda: volumes() == [1, 2, 3], process)
                reports.append(await told(process))
            tokens = [wanted["v"] for wanted in fake.subscriptions if wanted["a"] == "subscribe"]
            assert tokens[0] == tokens[1] == [408065, 256265, 412675]
            assert tokens[2] == [779521, 256265, 412675]
        return reports

    with ended_afterwards():
        first, second = asyncio.run(run())
    assert (first["recorded"], first["left_out"], first["damaged"]) == (2, {"not_listed": 2, "no_point": 2}, {})
    assert (second["recorded"], second["left_out"], second["damaged"]) == (1, {"not_listed": 1, "no_point": 1}, {})


def test_midnight_and_a_clock_that_jumps_ahead_and_back_cut_nothing_and_lose_nothing(
    ledger: Ledger, instruments: Path, tmp_path: Path
) -> None:
    midnight = datetime.now(desk_zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    midnight_ns, file = int(midnight.timestamp()) * NS, tmp_path / "clock"
    sent = exchange_ahead = 0

    def set_clocks(now_ns: int, *, ahead_ns: int = 0) -> None:
        """Set the exchange's clock, and the recorder's so far ahead of it."""
        nonlocal exchange_ahead
        exchange_ahead = now_ns - time.time_ns()
        set_clock(file, exchange_ahead + ahead_ns)

    async def script(connection: ServerConnection, number: int) -> None:
        nonlocal sent
        with suppress(ConnectionClosed):
            while True:
                sent += 1
                share = pack.kite_full(408065, 157370, 1, sent, (time.time_ns() + exchange_ahead) // NS)
                await connection.send(pack.kite_message(share, pack.kite_ltp(256265, 2400000 + sent)))
                await asyncio.sleep(0.01)

    def times(symbol: str) -> list[tuple[int, int]]:
        """Return when each quote was, and when it was received."""
        with DataManager(source="reader") as dm:
            ticks = dm.get_ticks(symbol, midnight - timedelta(hours=1), midnight + timedelta(hours=4), source="kite")
        columns = (ticks[name].cast("int64").to_pylist() for name in ("exchange_time", "received_time"))
        return list(zip(*columns, strict=True))

    async def run() -> dict[str, Any]:
        async with broker(script, subscriptions=2) as fake:
            set_clocks(midnight_ns - 600 * NS)
            program = ("-m", "tests.trading.live.moved_clock", str(file))
            with recorder(ledger, instruments, "--url", fake.url, program=program) as process:
                await until(lambda: times("INFY"), process)
                set_clocks(midnight_ns - NS // 2)
                await until(lambda: times("INFY")[-1][0] >= midnight_ns, process)
                set_clocks(midnight_ns + 60 * NS, ahead_ns=2 * HOUR_NS)
                await until(lambda: times("INFY")[-1][1] > midnight_ns + HOUR_NS, process)
                set_clocks(midnight_ns + 120 * NS)
                await until(lambda: times("INFY")[-1][0] >= midnight_ns + 120 * NS, process)
                return await told(process)

    with ended_afterwards():
        report = asyncio.run(run())
    share, index = times("INFY"), times("NIFTY 50")
    assert (report["connections"], report["gaps"], report["refused"], report["repeated"]) == (1, [], {}, 0)
    assert (report["recorded"], report["stamped_here"]) == (len(share) + len(index), len(index))
    assert volumes() == list(range(1, len(share) + 1)), "in the order of their times, whatever the clock said"
    assert share[0][0] < midnight_ns <= share[-1][0]
    ahead = {name: sum(at - when > HOUR_NS for when, at in found) for name, found in (("INFY", share), ("", index))}
    assert ahead["INFY"] > 0 == ahead[""], "a quote with a time keeps it, one without has the clock's"
    assert any(when > midnight_ns + HOUR_NS for when, _ in index)


def test_a_token_that_ends_in_the_session_is_told_and_the_next_one_is_taken_from_its_file(
    ledger: Ledger, instruments: Path, tmp_path: Path
) -> None:
    tokens, valid = tmp_path / "token", "secret-of-today"
    tokens.write_text(valid)

    async def script(connection: ServerConnection, number: int) -> None:
        nonlocal valid
        await connection.send(full(2 * number - 1))
        await connection.send(full(2 * number))
        if number == 1:
            valid = "secret-of-tomorrow"
            return  # the broker ends the connections of a token that it has taken back
        await forever(connection)

    async def run() -> dict[str, Any]:
        async with broker(script, subscriptions=2, lets_in=lambda path: f"access_token={valid}" in path) as fake:
            secrets = {"KITE_API_KEY": SECRETS["KITE_API_KEY"], "KITE_ACCESS_TOKEN_FILE": str(tokens)}
            with recorder(ledger, instruments, "--url", fake.url, secrets=secrets) as process:
                await until(lambda: fake.refused > 1, process)
                assert volumes() == [1, 2]
                tokens.write_text(valid)
                await until(lambda: volumes() == [1, 2, 3, 4], process)
                return await told(process)

    with ended_afterwards():
        report = asyncio.run(run())
    assert (report["connections"], report["recorded"]) == (2, 4)
    assert [gap["reason"] for gap in report["gaps"]] == ["refused"]
    logs = "".join(path.read_text() for path in (ledger.data_dir / "logs").glob("*"))
    assert "status 403: the broker does not take the credentials" in logs
    assert "secret-" not in logs
