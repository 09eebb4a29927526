"""Ticks over HTTP: every format, each row once, the same answer to the same batch, bad rows and bad bodies told."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.trading.test_api import Caller, answered, caller
from timeseries.errors import SpoolFull
from timeseries.recording import writer
from timeseries.recording.marked import MarkedStream
from timeseries.spool.folder import Spool
from trading.api import access, arrow_messages, desk, tick_bodies
from trading.api.tick_batches import BATCH_BYTES_MAX
from trading.operations.make_token import make_token

pytestmark = pytest.mark.usefixtures("alone")
ROOT = "/api/v1/"
NS = 1_710_475_260 * 10**9
TIME = "2024-03-15T04:01:00Z"
TICK = {"symbol": "TCS", "ltp": 3520.4, "timestamp": TIME}
JSON, NDJSON, CSV, ARROW = tick_bodies.READERS


@pytest.fixture(autouse=True)
def _own_sources(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(access, "rates", access.Rates())
    monkeypatch.setattr(desk, "_facades", facades := {})
    yield
    for facade in facades.values():
        facade.close()


@pytest.fixture
def program() -> Caller:
    return caller("record", "read")


def post(program: Caller, body: Any, kind: str = JSON, *, sequence: int = 1, **query: Any) -> tuple[int, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = "&".join(f"{name}={text}" for name, text in {"stream": "s", "sequence": sequence, **query}.items())
    return answered(program.client.post(f"{ROOT}ticks?{asked}", content, content_type=kind))


def stored(settings: Any, measurement: str = "ticks") -> list[tuple[str, int, dict[str, float]]]:
    """Return what stands in the spool: symbol, exchange time, fields."""
    points = []
    for lane in Spool(settings.SPOOL_DIR).lanes():
        if lane.measurement.name == measurement:
            batch = lane.pending(after=0, limit=10**9).batch
            for row in range(len(batch)):
                fields = {name: column[row] for name, column in batch.columns.items()}
                fields = {name: cell for name, cell in fields.items() if cell is not None and cell == cell}
                symbol = batch.series_table[int(batch.series[row])]["symbol"]
                points.append((symbol, int(batch.exchange_time[row]), fields))
    return points


def arrow(columns: dict[str, Any], *, rows: int = 10**9, **options: Any) -> bytes:
    table, sink = pa.table(columns), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(table, max_chunksize=rows)
    return sink.getvalue()


COLUMNS = {
    "symbol": ["TCS", "INFY", "TCS"],
    "ltp": [3520.4, 1500.05, 3520.45],
    "volume": [1.0, 2.0, 3.0],
    "timestamp": pa.array([NS, NS + 1000, NS + 2_000_000_003], pa.timestamp("ns", "UTC")),
}
TEXTS = ["2024-03-15T04:01:00Z", "2024-03-15T09:31:00.000001+05:30", "2024-03-15T04:01:02.000000003Z"]
ROWS = [
    {"symbol": symbol, "ltp": ltp, "volume": volume, "timestamp": text}
    for symbol, ltp, volume, text in zip(COLUMNS["symbol"], COLUMNS["ltp"], COLUMNS["volume"], TEXTS, strict=True)
]
CSV_TEXT = "symbol,ltp,volume,timestamp\n" + "".join(",".join(map(str, row.values())) + "\r\n" for row in ROWS)
BODIES = {
    "list": (JSON, json.dumps(ROWS).encode()),
    "object": (JSON, json.dumps({"ticks": ROWS}).encode()),
    "lines": (NDJSON, "\n\n".join(map(json.dumps, ROWS)).encode()),
    "csv": (CSV, CSV_TEXT.encode()),
    "csv of Excel": (CSV, b"\xef\xbb\xbf" + CSV_TEXT.encode()),
    "arrow": (ARROW, arrow(COLUMNS)),
    "arrow in batches": (ARROW, arrow(COLUMNS, rows=1)),
    "arrow with a dictionary": (ARROW, arrow(COLUMNS | {"symbol": pa.array(COLUMNS["symbol"]).dictionary_encode()})),
    "arrow with others": (ARROW, arrow(COLUMNS | {"depth": [[1], [2], [3]], "ltp": pa.array(COLUMNS["ltp"])})),
    "integers of time": (JSON, json.dumps([row | {"timestamp": NS} for row in ROWS]).encode()),
}


@pytest.mark.parametrize("name", BODIES)
def test_each_format_is_recorded_to_the_last_digit(name: str, program: Caller, settings: Any) -> None:
    kind, body = BODIES[name]
    status, told = post(program, body, kind)
    assert (status, told) == (
        200, {"stream": "s", "sequence": 1, "rows": 3, "accepted": 3, "rejected_count": 0, "rejected": []},
    )  # fmt: skip
    times = [NS] * 3 if name == "integers of time" else [NS, NS + 1000, NS + 2_000_000_003]
    fields = [{"kind": "price", "close": row["ltp"], "volume": row["volume"]} for row in ROWS]
    assert stored(settings) == list(zip(COLUMNS["symbol"], times, fields, strict=True))


def test_the_same_batch_again_adds_nothing_and_hears_the_same_and_another_body_is_refused(
    program: Caller, settings: Any
) -> None:
    rows = [TICK, TICK | {"ltp": -1}, {"ltp": 5}, "x"]
    first = post(program, rows)
    assert (first[0], first[1]["accepted"]) == (200, 1)
    assert first[1]["rejected"] == [
        {"index": 1, "code": "price_not_positive", "field": "ltp"},
        {"index": 2, "code": "no_symbol", "field": "symbol"},
        {"index": 3, "code": "invalid_value", "field": "body"},
    ]
    assert post(program, rows) == first
    for facade in desk._facades.values():
        facade.close()
    desk._facades.clear()  # another process
    assert post(program, rows) == first
    status, told = post(program, [*rows, TICK])
    assert (status, told["code"], told["field"]) == (409, "id_conflict", "sequence")
    assert post(program, [TICK], sequence=3)[0] == 200
    assert post(program, rows) == first
    status, told = post(program, [TICK], sequence=2)
    assert (status, told["code"]) == (409, "out_of_sequence")
    assert post(program, [TICK], sequence=2, stream="other")[0] == 200
    assert len(stored(settings)) == 3


@pytest.mark.parametrize("kind", [NDJSON, CSV, ARROW])
def test_many_rows_come_in_slices_and_each_bad_one_is_told_by_its_index(
    kind: str, program: Caller, settings: Any
) -> None:
    count, bad = 10_000, {0, 4095, 4096, 9_999}
    prices = [-1.0 if number in bad else 100 + number / 100 for number in range(count)]
    if kind == ARROW:
        times = pa.array(np.arange(NS, NS + count), pa.timestamp("ns", "UTC"))
        body = arrow({"symbol": ["TCS"] * count, "ltp": prices, "timestamp": times}, rows=3000)
    elif kind == CSV:
        body = "symbol,ltp,timestamp\n" + "\n".join(f"TCS,{price},{NS + n}" for n, price in enumerate(prices))
        body = body.encode()
    else:
        rows = [{"symbol": "TCS", "ltp": price, "timestamp": NS + n} for n, price in enumerate(prices)]
        body = "\n".join(map(json.dumps, rows)).encode()
    status, told = post(program, body, kind)
    assert (status, told["accepted"], {row["index"] for row in told["rejected"]}) == (200, count - 4, bad)
    assert [time for _, time, _ in stored(settings)] == [NS + n for n in range(count) if n not in bad]


def test_a_line_that_cannot_be_read_costs_no_other(program: Caller, settings: Any) -> None:
    good = json.dumps(TICK)
    lines = [good, "{", '{"ltp": NaN}', "[" * 30 + "]" * 30, '{"symbol": "TCS", "ltp": 1, "timestamp": "09:15"}', good]
    status, told = post(program, "\n".join(lines).encode(), NDJSON)
    assert (status, told["accepted"], [row["index"] for row in told["rejected"]]) == (200, 2, [1, 2, 3, 4])
    assert [row["field"] for row in told["rejected"]] == ["body", "body", "body", "timestamp"]
    status, told = post(program, b"symbol,ltp,bid\nTCS,5,\nTCS,5\nTCS,abc,4\nTCS,6,5\n", CSV, sequence=2)
    assert (status, told["accepted"], [row["code"] for row in told["rejected"]]) == (
        200, 2, ["unreadable", "price_not_a_number"],
    ) or told["rejected"][1]["field"] == "ltp"  # fmt: skip
    assert len(stored(settings)) == 4


def test_where_the_spool_is_full_the_answer_says_how_many_are_kept_and_the_rest_comes_later(
    program: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 100_000
    body = arrow({"symbol": ["TCS"] * count, "ltp": [5.0] * count, "timestamp": np.arange(NS, NS + count)})
    with monkeypatch.context() as patch:
        claims = []

        def claim(self: Any, size: int) -> None:
            claims.append(size)
            if len(claims) > 1:
                raise SpoolFull("The spool is full.", hint="Make room.")

        patch.setattr(writer.Room, "claim", claim)
        status, told = post(program, body, ARROW)
    assert (status, told["code"]) == (503, "spool_full")
    assert 0 < told["accepted"] == told["rows"] < count
    assert len(stored(settings)) == told["accepted"]
    monkeypatch.setattr(writer.Patience, "check", lambda _: None)
    status, told = post(program, body, ARROW)
    assert (status, told["accepted"], told["rejected_count"]) == (200, count, 0)
    assert [time for _, time, _ in stored(settings)] == list(range(NS, NS + count))


def cut_short(program: Caller, body: bytes, kind: str, monkeypatch: pytest.MonkeyPatch, **query: Any) -> int:
    """Send a batch of which the spool takes the first stretch alone; return how many rows are kept."""
    with monkeypatch.context() as patch:
        claims = iter([None])

        def claim(_room: Any, _size: int) -> None:
            if next(claims, "full"):
                raise SpoolFull("The spool is full.", hint="Make room.")

        patch.setattr(writer.Room, "claim", claim)
        status, told = post(program, body, kind, **query)
    assert status == 503
    return int(told["accepted"])


def ten_thousands(kind: str, price: float, count: int = 40_000) -> bytes:
    times = range(NS, NS + count)
    if kind == ARROW:
        return arrow({"symbol": ["TCS"] * count, "ltp": [price] * count, "timestamp": list(times)}, rows=3000)
    form = "TCS,%s,%d" if kind == CSV else '{"symbol":"TCS","ltp":%s,"timestamp":%d}'
    lines = "\n".join(form % (price, time) for time in times)
    return (f"symbol,ltp,timestamp\n{lines}" if kind == CSV else lines).encode()


@pytest.mark.parametrize("kind", [NDJSON, CSV, ARROW], ids=["lines", "csv", "arrow"])
def test_another_body_under_the_number_of_an_unfinished_batch_is_refused_and_the_same_goes_on(
    kind: str, program: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = ten_thousands(kind, 5.25)
    kept = cut_short(program, body, kind, monkeypatch)
    assert 0 < kept < 40_000
    monkeypatch.setattr(writer.Patience, "check", lambda _: None)
    others: dict[str, tuple[bytes, dict[str, str]]] = {
        "another price from the beginning": (ten_thousands(kind, 6.25), {}),
        "fewer rows": (ten_thousands(kind, 5.25, 100), {}),
        "nothing": (arrow({"ltp": []}) if kind == ARROW else b"symbol,ltp,timestamp\n" if kind == CSV else b"\n", {}),
        "another symbol for rows without one": (body, {"symbol": "INFY"}),
    }
    for what, (other, query) in others.items():
        status, told = post(program, other, kind, **query)
        assert (status, told.get("code"), told.get("field")) == (409, "id_conflict", "sequence"), what
        assert len(stored(settings)) == kept, what
    desk._facades.popitem()[1].close()  # what is known of it is in the file
    status, told = post(program, ten_thousands(kind, 6.25), kind)
    assert (status, told["code"]) == (409, "id_conflict")
    status, told = post(program, body, kind)
    assert (status, told["accepted"], told["rejected_count"]) == (200, 40_000, 0)
    assert [(time, fields["close"]) for _, time, fields in stored(settings)] == [(NS + n, 5.25) for n in range(40_000)]


def test_a_source_that_another_process_holds_is_busy_and_its_holder_is_told(program: Caller, settings: Any) -> None:
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True)
    ready, end = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        writer.SourceWriter(
            settings.SPOOL_DIR,
            "api main record read",
            __import__("threading").Lock(),
            max_bytes=None,
            segment_bytes=1 << 20,
        )
        os.write(ready[1], b"x")
        os.read(end[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    status, told = post(program, [TICK])
    assert (status, told["code"], told["holder"]) == (409, "source_busy", child)
    os.write(end[1], b"x")
    os.waitpid(child, 0)
    assert post(program, [TICK])[0] == 200


def test_a_sync_before_the_answer_leaves_nothing_for_a_power_loss(program: Caller, settings: Any) -> None:
    assert post(program, [TICK], sync=1)[0] == 200
    lanes = [lane for lane in Spool(settings.SPOOL_DIR).lanes() if lane.measurement.name == "ticks"]
    assert lanes and all(lane.unsynced() is None for lane in lanes)


WRONG_ARROW = {
    "cut": arrow(COLUMNS)[:-100],
    "no stream": b"PK\x03\x04" * 20,
    "compressed": arrow(COLUMNS, compression="zstd"),
    "an end alone": b"\xff\xff\xff\xff\0\0\0\0",
    "no columns": arrow({"colour": ["red"]}),
    "lists": arrow({"ltp": [[1.0]], "symbol": ["TCS"]}),
    "times without a zone": arrow({"ltp": [1.0], "symbol": ["TCS"], "timestamp": pa.array([NS], pa.timestamp("ns"))}),
    "a huge name": arrow({"ltp": [1.0], "symbol": ["x" * 300]}),
    "huge metadata": b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    "negative metadata": b"\xff\xff\xff\xff\xff\xff\xff\xff",
}


@pytest.mark.parametrize("name", WRONG_ARROW)
def test_an_arrow_stream_that_cannot_be_read_is_refused(name: str, program: Caller, settings: Any) -> None:
    status, told = post(program, WRONG_ARROW[name], ARROW)
    assert (status, told["rows"], told["accepted"]) == (422, 0, 0), told
    assert stored(settings) == []


def test_arrow_streams_that_are_damaged_anywhere_cost_no_process_and_no_other_status(
    program: Caller, settings: Any
) -> None:
    whole = arrow(COLUMNS)
    chance = np.random.default_rng(7)
    for sequence in range(200):
        body = bytearray(whole)
        for place in chance.integers(0, len(body), 3).tolist():
            body[place] = int(chance.integers(0, 256))
        access.rates = access.Rates()
        assert post(program, bytes(body), ARROW, sequence=sequence, stream=f"s{sequence}")[0] in (200, 413, 422)


@pytest.mark.parametrize("lie", [2**62, -1, 17 << 20])
def test_a_message_that_lies_about_its_length_is_not_believed(lie: int, program: Caller) -> None:
    stream = io.BytesIO(arrow(COLUMNS))
    start = len(arrow_messages.next_message(stream)[1])  # type: ignore[index]
    size = arrow_messages._measured(arrow_messages.next_message(stream)[1][8:])[1]  # type: ignore[index]
    body = bytearray(stream.getvalue())
    place = body.index(size.to_bytes(8, "little"), start)
    body[place : place + 8] = lie.to_bytes(8, "little", signed=True)
    assert post(program, bytes(body), ARROW)[0] == 422


BAD_QUERIES = [
    "", "stream=s", "sequence=1", "stream=&sequence=1", "stream=s&sequence=-1", "stream=s&sequence=x",
    "stream=a b&sequence=1", "stream=" + "s" * 65 + "&sequence=1", "stream=s&sequence=1&colour=red",
    "stream=s&sequence=99999999999999999999", "stream=s&sequence=1&sync=perhaps", "stream=%00&sequence=1",
]  # fmt: skip


@pytest.mark.parametrize("query", BAD_QUERIES)
def test_a_place_that_is_none_is_refused(query: str, program: Caller, settings: Any) -> None:
    response = program.client.post(f"{ROOT}ticks?{query}", "[]", content_type=JSON)
    assert answered(response)[0] == 422
    assert stored(settings) == []


def test_bodies_of_another_kind_or_size_have_their_status(program: Caller, settings: Any) -> None:
    assert post(program, b"x", "text/plain")[0] == 415
    assert post(program, b"[" + b" " * (1 << 20) + b"]")[0] == 413
    assert post(program, b"[" * 21 + b"]" * 21)[0] == 422
    assert post(program, b'"ticks"')[0] == post(program, b'{"tick": []}')[0] == post(program, b" ")[0] == 422
    assert post(program, b"x" * (65 << 10), NDJSON)[0] == 422
    assert post(program, b"\xff\xfe", CSV)[0] == post(program, b'a,a\n1,2"\n', CSV)[0] == 422
    assert post(program, b" " * (BATCH_BYTES_MAX // 1000) + b"\n", NDJSON)[0] == 422
    assert stored(settings) == []
    assert post(program, b"[]") == (
        200, {"stream": "s", "sequence": 1, "rows": 0, "accepted": 0, "rejected_count": 0, "rejected": []},
    )  # fmt: skip


def test_a_token_made_anew_under_a_new_name_begins_its_streams_anew(program: Caller, settings: Any) -> None:
    assert post(program, [TICK], sequence=9)[0] == 200
    other = Caller(make_token("main", "second", ["record"], by="asha").secret)
    assert post(other, [TICK], sequence=1)[0] == 200
    assert len(stored(settings)) == 2


@pytest.mark.parametrize("path", ["indicators", "snapshots"])
def test_another_point_under_a_key_whose_first_was_recorded_and_never_answered_is_refused(
    path: str, program: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body: dict[str, Any] = {"symbol": "TCS", "at": TIME}
    body |= {"values": {"rsi": "61.5"}} if path == "indicators" else {
        "strategy_id": "ema", "current_price": "3520.4", "quantity": "10",
    }  # fmt: skip
    keyed = {"content_type": JSON, "headers": {"Idempotency-Key": "k"}}

    def ends(*_: Any) -> None:
        raise SpoolFull("The spool is full.", hint="Make room.")

    with monkeypatch.context() as broken:
        broken.setattr(MarkedStream, "end", ends)
        assert program.client.post(ROOT + path, json.dumps(body), **keyed).status_code == 503
    other = json.dumps(body | {"symbol": "INFY"})
    assert program.client.post(ROOT + path, other, **keyed).json()["code"] == "key_reused"
    assert program.client.post(ROOT + path, json.dumps(body), **keyed).status_code == 200
    assert len(stored(settings, "indicators" if path == "indicators" else "position_snapshots")) == 1


def test_indicators_and_snapshots_are_recorded_once_under_a_key(program: Caller, settings: Any) -> None:
    indicators = {"symbol": "TCS", "values": {"rsi": "61.5", "ema": 3500.25}, "at": TIME, "timeframe": "1m"}
    valued = {"strategy_id": "ema", "symbol": "TCS", "current_price": "3520.4", "quantity": "10", "at": TIME}
    for path, body, other in (("indicators", indicators, {"timeframe": "5m"}), ("snapshots", valued, {"pnl": "1"})):
        for _ in range(3):
            response = program.client.post(
                ROOT + path, json.dumps(body), content_type=JSON, headers={"Idempotency-Key": "k1"}
            )
            assert answered(response) == (200, {"recorded": True})
        response = program.client.post(
            ROOT + path, json.dumps(body | other), content_type=JSON, headers={"Idempotency-Key": "k1"}
        )
        assert (response.status_code, response.json()["code"]) == (422, "key_reused")
        assert program.post(path, body | {"colour": "red"})[0] == 422
    assert stored(settings, "indicators") == [("TCS", NS, {"values": {"rsi": 61.5, "ema": 3500.25}})]
    assert len(stored(settings, "position_snapshots")) == 1
    assert program.post("snapshots", valued | {"quantity": "x"})[0] == 422
