"""What only a real InfluxDB 2.7 can tell: its refusals, retention, set-up, resending, free questions."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.timeseries.batches import DAY, INDIA, SECOND, at, batch, indicators, prices
from tests.timeseries.influx_real import influx_server, influx_store
from timeseries.errors import InvalidValue, StoreMisconfigured
from timeseries.measurements import TICKS
from timeseries.recording.recorder import Recorder
from timeseries.shipping.pump import Pump
from timeseries.spool.folder import Spool
from timeseries.stores.base import PointQuery
from timeseries.stores.influx.replies import HeldBack, RefusedInPart, RefusedWhole, Stored
from timeseries.stores.influx.server import InfluxServer
from timeseries.stores.influx.setup import set_up
from timeseries.stores.influx.store import InfluxStore, minutes_bucket

OPEN = at("2021-04-12 09:15")
EVER = (-(2**63) + 1, 2**63 - 1)


@pytest.fixture
def store() -> Iterator[InfluxStore]:
    with influx_store() as store:
        yield store


def closes(store: InfluxStore) -> list[float]:
    return store.read(PointQuery(TICKS, *EVER)).column("close").to_pylist()


def test_its_answers_are_what_the_replies_say(store: InfluxStore) -> None:
    post = store.server.post
    assert isinstance(post(store.bucket, b"m,a=b f=1 1\n"), Stored)
    assert isinstance(post(store.bucket, b"m,a=b f=2 2\nthis is no line\n"), RefusedWhole)
    assert isinstance(post(store.bucket, b'm,a=b f="text" 3\nm,a=b f=4 4\n'), RefusedInPart)
    assert isinstance(post("no such bucket", b"m f=1 1\n"), HeldBack)
    assert isinstance(
        InfluxServer(store.server.url, org=store.server.org, token="wrong").post(store.bucket, b"m f=1 1"), HeldBack
    )
    assert store.query_flux(
        'from(bucket: bucket) |> range(start: time(v: 0)) |> keep(columns: ["_value"])', {}
    ).to_pydict() == {"_value": [1, 4]}


def test_a_field_of_another_type_is_a_dead_letter_and_its_neighbours_are_stored(store: InfluxStore) -> None:
    store.server.post(store.bucket, b"ticks,account=main,source=default,symbol=BAD close=1i 1\n")
    refusals = store.write(batch(prices("A", [OPEN, OPEN + 1], [1, 2]) + prices("BAD", [2], [3])))
    # The shard of 1970 knows close as an integer; that of 2021 does not.
    assert [(refusal.sequence, refusal.status, refusal.word, refusal.expired) for refusal in refusals] == [
        (3, 422, "refused", False)
    ]
    assert b"symbol=BAD" in refusals[0].line


def test_older_than_the_retention_is_expired(store: InfluxStore) -> None:
    name = f"velox-test-{uuid.uuid4().hex[:12]}"
    set_up(store.server, name, retention_days=1)
    kept = InfluxStore(store.server, bucket=name, zone=INDIA)
    now = time.time_ns()
    try:
        refusals = kept.write(batch(prices("A", [now - 3 * DAY, now - 2 * DAY, now], [1, 2, 3])))
        assert [(refusal.sequence, refusal.expired) for refusal in refusals] == [(1, True), (2, True)]
        assert closes(kept) == [3.0]
    finally:
        drop(store.server, name)


def drop(server: InfluxServer, name: str) -> None:
    buckets, tokens = server.client.buckets_api(), server.client.authorizations_api()
    for bucket in (name, minutes_bucket(name)):
        buckets.delete_bucket(buckets.find_bucket_by_name(bucket))
    for token in tokens.find_authorizations(org=server.org):
        if token.description.endswith(name):
            tokens.delete_authorization(token)


def test_set_up_makes_what_is_missing_once_and_its_tokens_can_do_what_they_should() -> None:
    server, name = influx_server(), f"velox-test-{uuid.uuid4().hex[:12]}"
    try:
        first, second = set_up(server, name, retention_days=None), set_up(server, name, retention_days=None)
        assert (first.bucket, second.bucket, second.write_token, second.read_token) == ("made", "kept", None, None)
        writing = InfluxStore(
            InfluxServer(server.url, org=server.org, token=first.write_token), bucket=name, zone=INDIA
        )
        reading = InfluxStore(InfluxServer(server.url, org=server.org, token=first.read_token), bucket=name, zone=INDIA)
        writing.write(batch(prices("A", [OPEN], [1])))
        assert closes(writing) == closes(reading) == [1.0]
        assert (first.candles, second.candles) == ("made", "kept")
        assert writing.keeps_minutes()
        assert reading.keeps_minutes()
        with pytest.raises(StoreMisconfigured):
            reading.write(batch(prices("A", [OPEN + 1], [2])))
        with pytest.raises(StoreMisconfigured):
            reading.delete_account("main")
        writing.delete_account("main")
        assert closes(reading) == []
        assert set_up(server, name, retention_days=7).bucket == "retention changed"
        assert writing.server.retention_seconds(name) == 7 * 86_400
        anew = set_up(server, name, retention_days=7, new_tokens=True)
        assert anew.write_token
        assert anew.write_token != first.write_token
        with pytest.raises(StoreMisconfigured):
            writing.ping()
    finally:
        drop(server, name)
        server.close()


def test_an_emptied_bucket_is_filled_again_from_the_kept_segments(store: InfluxStore, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    recorder = Recorder(spool.root, source="default", account="main", zone=INDIA)
    for n in range(500):
        assert recorder.tick("A", {"ltp": n + 1.0, "timestamp": OPEN + n * SECOND})
    recorder.close()
    pump = Pump(spool, store)
    assert pump.drain(20)
    whole, points = closes(store), pump.points()
    store.delete_account("main")
    assert closes(store) == []
    for _ in range(2):
        assert pump.resend(0).points == 500
        assert closes(store) == whole == [n + 1.0 for n in range(500)]
    ages = {"oldest_seconds": None, "unsynced_seconds": 0.0}
    assert pump.points() | ages == points | ages
    assert pump.resend(time.time_ns() + SECOND).points == 0


def test_of_a_point_that_is_written_again_no_older_field_is_seen(store: InfluxStore) -> None:
    store.write(batch(prices("A", [OPEN], [1], volume=[5], bid=[2])))
    store.write(batch(prices("A", [OPEN], [7], oi=[3]), first=2))
    (row,) = store.read(PointQuery(TICKS, *EVER)).to_pylist()
    assert (row["close"], row["oi"], row["volume"], row["bid"]) == (7.0, 3.0, None, None)


def test_what_is_read_while_others_write_is_whole_and_right(store: InfluxStore) -> None:
    chance, places = random.Random(3), list(range(6000))
    chance.shuffle(places)  # so that points come before, between and after those that are there
    done = threading.Event()

    def write() -> None:
        for first in range(0, len(places), 60):
            numbers = places[first : first + 60]
            for symbol in ("A", "B"):
                store.write(batch(prices(symbol, [OPEN + n for n in numbers], [n + 0.5 for n in numbers])))
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    reads = 0
    while not done.is_set() or not reads:
        found = store.read(PointQuery(TICKS, *EVER))
        times, read = found.column("time").to_pylist(), found.column("close").to_pylist()
        assert read == [time - OPEN + 0.5 for time in times]
        assert None not in found.column("kind").to_pylist()
        reads += 1
    thread.join()
    assert len(closes(store)) == 2 * len(places)
    assert reads > 1


def test_named_numbers_may_bear_any_name(store: InfluxStore) -> None:
    names = ["time", "present", "exchange_time", "_value", "_time", "", "-", "a b,c=d", "values.x", "%", "\\", "रेट"]
    values = {name: float(n) for n, name in enumerate(names)}
    points = indicators("A", [OPEN], [values])
    store.write(points)
    (found,) = store.read(PointQuery(points.measurement, *EVER)).column("values").to_pylist(maps_as_pydicts="strict")
    assert found == values


def test_a_wrong_question_is_the_askers_fault(store: InfluxStore) -> None:
    for text in ("select 1", "from(bucket: bucket)", 'from(bucket: "no such bucket") |> range(start: -1h)'):
        with pytest.raises((InvalidValue, StoreMisconfigured)):
            store.query_flux(text, {})
