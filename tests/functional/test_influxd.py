"""Telemetry on the disk of a real InfluxDB: Debian's 1.6.7, read back in its own language beside what was accepted."""

from __future__ import annotations

import csv
import gzip
import os
import random
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from tests.conftest import Ledger
from tests.influxd_server import BUCKET, ORG, TOKEN, InfluxdServer, Key, influxd_server
from tests.redis_server import redis_server
from tests.timeseries import outage
from tests.timeseries.batches import INDIA, SECOND, at
from tests.timeseries.desks import Clock
from tests.timeseries.influx_recording import BODIES, Played
from tests.waiting import until
from tests.workers import WORKER, celery
from timeseries import wiring
from timeseries.errors import StoreUnavailable
from timeseries.measurements import EXECUTIONS, MEASUREMENTS, STRATEGY_METRICS, TRAILING_SL, Kind
from timeseries.recording.recorder import PROJECTING_SOURCE, Recorder
from timeseries.recording.tick import PRICE_MAX
from timeseries.shipping.pump import Pump, Sweep
from timeseries.spool import dead_letters
from timeseries.spool.folder import Spool
from timeseries.stores.influx.names import coded, coded_key, coded_text
from timeseries.stores.influx.server import InfluxServer
from timeseries.stores.influx.store import InfluxStore
from timeseries.worker.broker import FLUSH_TICKS
from timeseries.worker.broker_client import BrokerBell
from trading import summon
from trading.data_manager import DataManager

OPEN = at("2021-04-12 09:15")
NAMES = [
    "M&M", "BAJAJ-AUTO", "NIFTY 50", "A=b,c d", 'quo"ted \'s', "50%", "a/b^c", "रिलायंस", "-", ",", "=", "😀 emoji",
    "%2D", "time", "#comment", "ticks,symbol=X close=1 1", "x" * 64,
]  # fmt: skip
TEXTS = [*NAMES, 'T"1\n\\', "\\", "\\\\ \\", "tab\tnew\r\nline", "", "%0A", 'ends in "', "=,\\ ", "\x7f\x01"]
INDICATORS = [*NAMES, "ema", "present", "exchange_time", "received_time", "values.x", "_value"]
FLOATS = [
    5e-324,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    0.1 + 0.2,
    1e-7,
    1e21,
    123456789.123456789,
    2**53 + 0.0,
]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[InfluxdServer]:
    folder = tmp_path / "influxd"
    folder.mkdir()
    with influxd_server(folder) as running:
        yield running


@dataclass
class Desk:
    """Recorders whose clock the test holds, and what they accepted, written down by the test itself."""

    root: Path
    engine: InfluxdServer
    store: InfluxStore
    now: int
    accepted: dict[Key, dict[str, Any]] = field(default_factory=dict)
    taken: set[tuple[str, tuple[str, ...], int]] = field(default_factory=set)

    def recorder(self, **more: Any) -> Recorder:
        given = {"source": "default", "account": "main", "zone": INDIA, "clock": lambda: self.now}
        return Recorder(self.root, **{**given, **more})

    def expect(self, measurement: str, tags: dict[str, str], instant: int, fields: dict[str, Any]) -> None:
        """Note a point: its time is the first at or after its instant that no point of its series has."""
        series, n = (measurement, tuple(tags.values())), 0
        while (*series, instant + n) in self.taken:
            n += 1
        self.taken.add((*series, instant + n))
        self.note(measurement, {"account": "main", "source": "default", **tags}, instant, n, fields)

    def note(self, measurement: str, tags: dict[str, str], instant: int, n: int, fields: dict[str, Any]) -> None:
        key = tuple(sorted((name, coded(value)) for name, value in tags.items()))
        times = {"exchange_time": instant, "received_time": self.now}
        self.accepted[measurement, key, instant + n] = times | fields

    def pump(self) -> Pump:
        return Pump(Spool(self.root), self.store)


@pytest.fixture
def desk(engine: InfluxdServer, tmp_path: Path) -> Iterator[Desk]:
    server = InfluxServer(engine.url, org=ORG, token=TOKEN)
    store = InfluxStore(server, bucket=BUCKET, zone=INDIA)
    yield Desk(tmp_path / "spool", engine, store, at("2021-04-12 15:30") + 123_456_789)
    server.close()


def kept(engine: InfluxdServer) -> dict[Key, dict[str, Any]]:
    """Return every point that the engine has; of what is ours to read only, it is asserted that it is right."""
    points = engine.points()
    for (name, _, _), fields in points.items():
        present = fields.pop("present", None)
        assert present == (None if name == "indicators" else presence(name, fields))
    return points


def presence(measurement: str, fields: dict[str, Any]) -> int:
    names = [field.name for field in MEASUREMENTS[measurement].fields]
    return sum(1 << number for number, name in enumerate(names) if name in fields)


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def assert_same(found: dict[Key, dict[str, Any]], expected: dict[Key, dict[str, Any]]) -> None:
    """Compare to the last bit: -0.0 is not 0.0, and an integer is no float."""
    assert len(found) == len(expected)
    assert found.keys() == expected.keys()
    for key, fields in expected.items():
        exact = {name: bits(value) if isinstance(value, float) else value for name, value in fields.items()}
        assert {name: bits(v) if isinstance(v, float) else v for name, v in found[key].items()} == exact


def any_float(chance: random.Random, least: float = -1.8e308, most: float = float("inf")) -> float:
    """Return a float whose bits are any; of all that there are most are tiny or huge."""
    while True:
        (value,) = struct.unpack("<d", chance.randbytes(8))
        if least < value < most:
            return value


def any_price(chance: random.Random) -> float:
    return any_float(chance, 0.0, PRICE_MAX)


def test_every_measurement_comes_back_as_it_was_accepted_to_the_last_bit_and_nanosecond(desk: Desk) -> None:
    chance = random.Random(int(os.environ.get("VELOX_SEED", "167")))
    record_ticks(desk, chance)
    record_indicators_and_snapshots(desk, chance)
    record_projections(desk, chance)
    pump = desk.pump()
    assert pump.drain(600)
    found = pump.points()
    assert (found["accepted"], found["stored"], found["dead_lettered"], found["balance"]) == (
        len(desk.accepted), len(desk.accepted), 0, 0
    )  # fmt: skip
    assert_same(kept(desk.engine), desk.accepted)
    assert {key[0] for key in desk.accepted} == set(MEASUREMENTS)


def record_ticks(desk: Desk, chance: random.Random) -> None:
    recorder = desk.recorder()
    for name in NAMES:
        for number, value in enumerate(
            [*(one for one in FLOATS if one <= PRICE_MAX), *(any_price(chance) for _ in range(10))]
        ):
            instant = OPEN + number // 3 * SECOND + chance.choice([0, 1, 999_999_999]) * (number % 2)
            tick = {"ltp": value, "day_volume": number, "oi": 0}
            assert recorder.tick(name, tick, instant)
            fields = {"kind": "price", "close": value, "day_volume": float(number), "oi": 0.0}
            desk.expect("ticks", {"symbol": name}, instant, fields)
        bar = {"open": 2.5, "high": 9e10, "low": 1e-300, "close": 3.5, "volume": 2**53}
        assert recorder.tick(name, bar, OPEN)
        desk.expect("ticks", {"symbol": name}, OPEN, {"kind": "bar", **{k: float(v) for k, v in bar.items()}})
    recorder.close()


def record_indicators_and_snapshots(desk: Desk, chance: random.Random) -> None:
    recorder = desk.recorder()
    for n, name in enumerate(NAMES):
        values = {indicator: any_float(chance) for indicator in INDICATORS} | {
            "ema": -0.0,
            "n": -1.7976931348623157e308,
        }
        frame = "" if n % 2 else name
        assert recorder.indicators(name, values, at=OPEN, timeframe=frame)
        fields = {coded_key(key): value for key, value in values.items()}
        desk.expect("indicators", {"symbol": name, "timeframe": frame}, OPEN, fields)
        strategy, price, quantity, pnl = NAMES[n - 1], any_float(chance, 0.0), any_float(chance, 0.0), any_float(chance)
        assert recorder.snapshot(strategy, name, price, quantity, pnl, None, at=OPEN)
        fields = {"price": price, "quantity": quantity, "pnl": pnl}
        desk.expect("position_snapshots", {"symbol": name, "strategy": strategy}, OPEN, fields)
    recorder.close()


def record_projections(desk: Desk, chance: random.Random) -> None:
    recorder = desk.recorder(source=PROJECTING_SOURCE, projecting=True, ordinals="restart")
    for n, text in enumerate(TEXTS):
        tags = {"account": "main", "symbol": NAMES[n % len(NAMES)], "strategy": NAMES[n // 2 % len(NAMES)]}
        for measurement in (EXECUTIONS, TRAILING_SL, STRATEGY_METRICS):
            of = {
                Kind.TEXT: lambda text=text: text,
                Kind.FLOAT: lambda: any_float(chance),
                Kind.INTEGER: lambda n=n: 2**63 - 1 - n,
            }
            fields = {field.name: of[field.kind]() for field in measurement.fields}
            own = {name: tags[name] for name in ("account", *measurement.tags)}
            recorder.project(measurement, own, fields, time_ns=OPEN + n)
            sent = {name: coded_text(value) if isinstance(value, str) else value for name, value in fields.items()}
            desk.note(measurement.name, {**own, "source": PROJECTING_SOURCE}, OPEN + n, 0, sent)
    recorder.close()


def test_poison_ends_in_dead_letters_and_everything_else_arrives(desk: Desk) -> None:
    # Somebody else wrote text under the name of a number: 1.x and 2.x refuse every point that has it as a number.
    desk.engine.write(f'indicators,account=main,source=other rsi="high" {OPEN}'.encode())
    recorder = desk.recorder()
    poison = set(random.Random(5).sample(range(600), 4))
    for n in range(600):
        values = {"ema": n + 0.5, **({"rsi": 50.0} if n in poison else {})}
        assert recorder.indicators("A", values, at=OPEN + n)
        if n not in poison:
            desk.expect("indicators", {"symbol": "A", "timeframe": ""}, OPEN + n, {"ema": n + 0.5})
    recorder.close()
    pump = desk.pump()
    assert pump.drain(600)
    found = pump.points()
    assert (found["accepted"], found["stored"], found["dead_lettered"], found["balance"]) == (600, 596, 4, 0)
    (lane,) = Spool(desk.root).lanes()
    letters = dead_letters.read(lane.folder)
    assert {(letter.sequence - 1, letter.status, letter.word) for letter in letters} == {
        (n, 422, "refused") for n in poison
    }
    assert all("field type conflict" in letter.reason and b"rsi=50" in letter.line for letter in letters)
    points = kept(desk.engine)
    del points["indicators", (("account", "main"), ("source", "other")), OPEN]
    assert_same(points, desk.accepted)


def test_an_engine_that_is_killed_and_restarted_has_what_it_acknowledged_and_gets_the_rest(desk: Desk) -> None:
    clock = Clock()
    pump = Pump(Spool(desk.root), desk.store, clock=clock)
    recorder = desk.recorder()
    for part in range(3):
        for n in range(1000):
            instant = OPEN + (part * 1000 + n) // 7 * SECOND
            assert recorder.tick("A", {"ltp": part * 1000 + n + 1.0}, instant)
            fields = {"kind": "price", "close": part * 1000 + n + 1.0}
            desk.expect("ticks", {"symbol": "A"}, instant, fields)
        if part == 1:
            desk.engine.kill()
            with pytest.raises(StoreUnavailable):
                pump.ship(pump.spool.lanes()[0])
            assert swept(pump, clock).held == 1
            assert (pump.points()["stored"], pump.points()["spooled"]) == (1000, 1000)
            desk.engine.start()
            assert desk.engine.count("ticks") == 1000  # what was acknowledged is durable
        swept(pump, clock)
    recorder.close()
    assert pump.drain(600)
    assert_same(kept(desk.engine), desk.accepted)
    assert pump.points()["balance"] == 0


def swept(pump: Pump, clock: Clock) -> Sweep:
    """Look, and look again when what waits has waited long enough, whatever held it."""
    pump.run_once()
    clock.move(120)
    return pump.run_once()


@pytest.mark.data
def test_a_real_day_through_a_worker_while_the_engine_is_killed_thrice(
    ledger: Ledger,
    engine: InfluxdServer,
    market_data: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(summon, "summon", lambda: None)
    files = {"RELIANCE": "RELIANCE", "M&M": "MM", "BAJAJ-AUTO": "BAJAJ_AUTO"}
    with redis_server(tmp_path) as broker, closing(BrokerBell(broker.url)) as bell:
        for name, value in {**engine.environment, "CELERY_BROKER_URL": broker.url}.items():
            setattr(settings, name, value)
            ledger.env[name] = value
        with celery(ledger.data_dir, ledger.env, *WORKER), DataManager(volume="cumulative") as dm:
            expected: dict[tuple[str, int], tuple[float, float]] = {}
            for symbol, stem in files.items():
                rows = rows_of(market_data / "nse-ticks-2021" / f"{stem}_12_April.csv")
                columns = dict(zip(("timestamp", "ltp", "volume"), map(list, zip(*rows, strict=True)), strict=True))
                assert dm.process_ticks(columns, symbol=symbol).accepted == len(rows)
                before = len(expected)
                # Again and again, as the companion does: a lane that holds hears no ring.
                until(lambda before=before: bell.ring(FLUSH_TICKS) and points()["stored"] > before)
                engine.kill()
                assert points()["balance"] == 0
                engine.start()
                expected |= times_of(symbol, rows)
                until(lambda: bell.ring(FLUSH_TICKS) and points()["spooled"] == 0)
        found = points()
    assert (found["stored"], found["dead_lettered"], found["balance"]) == (len(expected), 0, 0)
    assert len(expected) == 21960 + 21735 + 21450
    tags = {symbol: (("account", "main"), ("source", "default"), ("symbol", symbol)) for symbol in files}
    kept_now = {key: (fields["close"], fields["day_volume"]) for key, fields in kept(engine).items()}
    assert kept_now == {("ticks", tags[symbol], time): values for (symbol, time), values in expected.items()}


def test_an_outage_loses_nothing_and_costs_no_memory(ledger: Ledger, engine: InfluxdServer, settings: Any) -> None:
    """`make chaos` runs it with an hour's ticks (`python -m tests.timeseries.outage`)."""
    for name, value in engine.environment.items():
        setattr(settings, name, value)
    seen = outage.run(100_000, engine=engine, environment={**ledger.env, **engine.environment})
    assert (seen.wrong, seen.refused) == ([], 0)
    # A recorder remembers the instants of some ticks (100 bytes each, bounded), a companion one slice.
    assert seen.recorder[-1] - seen.recorder[0] < 25
    assert max(seen.draining) - seen.companion[0] < 120


def points() -> dict[str, Any]:
    return wiring.count_points()


def rows_of(path: Path) -> list[tuple[datetime, float, float]]:
    with path.open(newline="") as file:
        return [
            (datetime.fromisoformat(row["timestamp"]), float(row["ltp"]), float(row["volume"]))
            for row in csv.DictReader(file)
        ]


def times_of(symbol: str, rows: list[tuple[datetime, float, float]]) -> dict[tuple[str, int], tuple[float, float]]:
    """Return close and day volume of each row under its instant + how many of the file came before it there."""
    held: Counter[int] = Counter()
    found = {}
    for wall, close, volume in rows:
        instant = int(wall.replace(tzinfo=INDIA).timestamp()) * SECOND
        found[symbol, instant + held[instant]] = (close, volume)
        held[instant] += 1
    return found


def test_the_adapter_answers_as_a_real_2_7_was_recorded(engine: InfluxdServer) -> None:
    recorded = {name: said["status"] for name, said in Played().recorded["replies"].items()}
    asked = [(name, BUCKET, TOKEN, body) for name, body in BODIES.items()]
    asked += [("no bucket", "absent", TOKEN, b"m f=1 1\n"), ("no token", BUCKET, "velox:wrong", b"m f=1 1\n")]
    answers = {name: post(engine, bucket, token, body) for name, bucket, token, body in asked}
    assert answers == recorded
    whole = gzip.compress(b"z f=1 1\n")
    coding = {"Content-Encoding": "gzip"}
    assert [post(engine, BUCKET, TOKEN, body, **coding) for body in (whole, whole[:-9])] == [204, 500]
    assert post(engine, BUCKET, TOKEN, b"z f=2 2\n", precision="s") == 204
    times = [key[2] for key in engine.points() if key[0] == "z"]
    assert times == [1, 2 * SECOND]


def post(engine: InfluxdServer, bucket: str, token: str, body: bytes, *, precision: str = "ns", **headers: str) -> int:
    asked = urlencode({"org": ORG, "bucket": bucket, "precision": precision})
    answer = urllib3.request(
        "POST", f"{engine.url}/api/v2/write?{asked}", body=body, headers={"Authorization": f"Token {token}", **headers}
    )
    return answer.status
