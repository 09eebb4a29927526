"""Shipping to InfluxDB 2 whatever it answers: nothing lost, nothing doubled, nothing altered."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import pytest
import urllib3

from tests.timeseries.batches import DAY, INDIA, SECOND, at, batch, prices
from tests.timeseries.desks import Clock
from tests.timeseries.influx_server import FaultyInflux, faulty_influx
from timeseries.errors import InvalidValue, StoreMisconfigured, StoreUnavailable
from timeseries.recording.recorder import Recorder
from timeseries.shipping.pump import Pump
from timeseries.shipping.resending import Resent, Retried
from timeseries.shipping.shipper import ship_slice
from timeseries.spool import dead_letters
from timeseries.spool.folder import Spool
from timeseries.spool.lane import Lane
from timeseries.stores.influx.replies import HeldBack, RefusedInPart, RefusedWhole, Stored, TooLarge, TryLater, reply_of
from timeseries.stores.influx.server import InfluxServer
from timeseries.stores.influx.store import InfluxStore

OPEN = at("2021-04-12 09:15")


@dataclass
class Desk:
    spool: Spool
    influx: FaultyInflux
    store: InfluxStore
    pump: Pump
    clock: Clock

    def record(self, count: int, first: int = 0, symbol: str = "A") -> None:
        recorder = Recorder(self.spool.root, source="default", account="main", zone=INDIA)
        for n in range(first, first + count):
            assert recorder.tick(symbol, {"ltp": float(n + 1), "timestamp": OPEN + n * SECOND})
        recorder.close()

    def lane(self) -> Lane:
        (lane,) = self.spool.lanes()
        return lane

    def settle(self, passes: int = 200) -> dict[str, object]:
        for _ in range(passes):
            self.clock.move(301)
            self.pump.run_once()
            if not self.pump.points()["spooled"]:
                break
        return self.pump.points()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with faulty_influx() as influx:
        spool, clock = Spool(tmp_path / "spool"), Clock()
        server = InfluxServer(influx.url, org="velox", token="t", timeout_seconds=(1.0, 0.3))
        store = InfluxStore(server, bucket="velox", zone=INDIA, clock=clock)
        yield Desk(spool, influx, store, Pump(spool, store, clock=clock), clock)
        server.close()


def whole(count: int) -> list[float]:
    return [float(n + 1) for n in range(count)]


def test_all_lines_of_a_slice_go_in_one_body_and_are_stored_once(desk: Desk) -> None:
    desk.record(5000)
    found = desk.settle()
    assert (found["stored"], found["spooled"], found["balance"]) == (5000, 0, 0)
    assert desk.influx.closes("A") == whole(5000)
    assert [len(body.splitlines()) for body in desk.influx.bodies] == [5000]


@pytest.mark.parametrize(
    "fault",
    [
        401, 403, 404, 408, 429, 500, 502, 503, 200, 301, 418, "hang", "drop before", "drop after", "cut gzip before",
        "cut gzip after",
    ],
)  # fmt: skip
def test_after_any_fault_the_same_bytes_go_again_until_204(desk: Desk, fault: int | str) -> None:
    desk.influx.behaviour.plan = [fault, fault]
    desk.record(50)
    with pytest.raises(StoreUnavailable):
        desk.pump.ship(desk.lane())
    assert desk.lane().outcome().through == 0
    assert desk.pump.points()["spooled"] == 50
    found = desk.settle()
    assert (found["stored"], found["dead_lettered"], found["balance"]) == (50, 0, 0)
    assert desk.influx.closes("A") == whole(50)
    assert len(desk.influx.bodies) == 3
    assert len(set(desk.influx.bodies)) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_desk_that_is_refused_keeps_everything_and_says_what_to_correct(desk: Desk, status: int) -> None:
    desk.influx.behaviour.plan = [status]
    desk.record(5)
    with pytest.raises(StoreMisconfigured) as caught:
        desk.pump.ship(desk.lane())
    assert "INFLUXDB_V2" in caught.value.hint or "setup_influx" in caught.value.hint


@pytest.mark.parametrize("status", [400, 422])
def test_bad_lines_are_found_by_halving_and_kept_byte_for_byte(desk: Desk, status: int) -> None:
    bad = {7.0, 8.0, 400.0}
    desk.influx.behaviour.bad = lambda line: status if any(f"close={n:g} ".encode() in line for n in bad) else 0
    desk.record(500)
    found = desk.settle()
    assert (found["stored"], found["dead_lettered"], found["balance"]) == (497, 3, 0)
    assert desk.influx.closes("A") == [close for close in whole(500) if close not in bad]
    letters = dead_letters.read(desk.lane().folder)
    assert [letter.sequence for letter in letters] == [7, 8, 400]
    sent = b"".join(desk.influx.bodies).splitlines()
    assert all(letter.line in sent and letter.status == status for letter in letters)
    assert {letter.reason for letter in letters} == {f"told to say {status}"}
    assert desk.lane().outcome().dead_lettered == {"unreadable" if status == 400 else "refused": 3}


def test_a_crash_between_dead_letter_and_settling_doubles_no_letter(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.influx.behaviour.bad = lambda line: 400 * (b"close=3 " in line)
    desk.record(5)
    with monkeypatch.context() as patch:
        patch.setattr(Lane, "settle", lambda *_: (_ for _ in ()).throw(OSError("crash")))
        with pytest.raises(OSError, match="crash"):
            ship_slice(desk.lane(), desk.store, owner="test")
    with (desk.lane().folder / dead_letters.FILE).open("ab") as file:
        file.write(b'{"sequence": 99, "torn')
    found = desk.settle()
    assert (found["stored"], found["dead_lettered"], found["balance"]) == (4, 1, 0)
    assert [letter.sequence for letter in dead_letters.read(desk.lane().folder)] == [3]


def test_a_dead_letter_that_cannot_be_kept_keeps_its_slice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.influx.behaviour.bad = lambda line: 400 * (b"close=3 " in line)
    desk.record(5)
    with monkeypatch.context() as patch:
        patch.setattr(dead_letters, "append", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            ship_slice(desk.lane(), desk.store, owner="test")
    assert (desk.lane().outcome().through, desk.pump.points()["spooled"]) == (0, 5)
    found = desk.settle()
    assert (found["stored"], found["dead_lettered"], found["balance"]) == (4, 1, 0)


def test_points_older_than_the_retention_expire_without_a_dead_letter(desk: Desk) -> None:
    desk.influx.behaviour.retention_seconds = DAY // SECOND
    edge = OPEN + 30 * SECOND
    desk.clock.now = edge + DAY
    desk.store.clock = lambda: edge + DAY
    desk.influx.behaviour.bad = lambda line: 422 * (int(line.rsplit(b" ", 1)[1]) < edge)
    desk.record(100)
    found = desk.settle()
    assert (found["stored"], found["expired"], found["dead_lettered"], found["balance"]) == (70, 30, 0, 0)
    assert len(desk.influx.bodies) < 30
    assert dead_letters.read(desk.lane().folder) == []


@pytest.mark.parametrize("ahead", ["the desk", "the server", "neither, and the server hides it"])
def test_a_line_is_expired_only_where_both_clocks_say_so(desk: Desk, ahead: str) -> None:
    desk.influx.behaviour.retention_seconds = 30 * DAY // SECOND
    later, now = OPEN + 365 * DAY, OPEN + DAY
    desk.store.clock = lambda: later if ahead == "the desk" else now
    of_server = {"the desk": now, "the server": later}
    desk.influx.behaviour.date = formatdate(of_server[ahead] // SECOND, usegmt=True) if ahead in of_server else "-"
    desk.influx.behaviour.bad = lambda line: 422 * (b"close=3 " in line)
    desk.record(5)
    found = desk.settle()
    assert (found["stored"], found["expired"], found["dead_lettered"], found["balance"]) == (4, 0, 1, 0)
    assert [letter.sequence for letter in dead_letters.read(desk.lane().folder)] == [3]


def test_what_expired_under_clocks_that_ran_ahead_together_is_sent_again_once_they_are_right(desk: Desk) -> None:
    desk.influx.behaviour.retention_seconds = 30 * DAY // SECOND
    desk.store.clock = lambda: OPEN + 365 * DAY
    desk.influx.behaviour.bad = lambda line: 422
    desk.record(5)
    found = desk.settle()
    assert (found["stored"], found["expired"], found["dead_lettered"], found["balance"]) == (0, 5, 0, 0)
    desk.influx.behaviour.bad = lambda line: 0
    assert desk.pump.resend(0).points == 5
    assert desk.influx.closes("A") == whole(5)


def test_a_body_that_is_too_large_is_halved_and_the_next_ones_stay_small(desk: Desk) -> None:
    desk.influx.behaviour.lines_max = 30
    desk.record(100)
    found = desk.settle()
    assert (found["stored"], found["balance"]) == (100, 0)
    assert desk.influx.closes("A") == whole(100)
    desk.influx.bodies.clear()
    desk.record(100, first=100)
    desk.settle()
    assert all(len(body.splitlines()) <= 30 for body in desk.influx.bodies)


def test_a_server_that_refuses_connections_is_asked_again(desk: Desk) -> None:
    desk.record(50)
    with desk.influx.refusing(), pytest.raises(StoreUnavailable, match="refused"):
        desk.pump.ship(desk.lane())
    found = desk.settle()
    assert (found["stored"], found["balance"], len(desk.influx.bodies)) == (50, 0, 1)


def test_one_line_that_is_too_large_is_a_dead_letter(desk: Desk) -> None:
    desk.influx.behaviour.lines_max = 0
    desk.record(2)
    found = desk.settle()
    assert (found["dead_lettered"], found["balance"], desk.lane().outcome().dead_lettered) == (2, 0, {"too_large": 2})


@pytest.mark.parametrize(("asked", "waited"), [("7", 7), ("0", 1), ("9999", 300)])
def test_a_lane_holds_as_long_as_the_server_asks_within_bounds(desk: Desk, asked: str, waited: int) -> None:
    desk.influx.behaviour.plan, desk.influx.behaviour.headers = [429], {"Retry-After": asked}
    desk.record(5)
    desk.clock.move(2)
    desk.pump.run_once()
    desk.clock.move(waited - 0.001)
    assert desk.pump.run_once().held == 1
    assert len(desk.influx.bodies) == 1
    desk.clock.move(waited * 0.1 + 0.1)
    desk.pump.run_once()
    assert desk.pump.points()["stored"] == 5


def test_faults_at_random_lose_and_double_nothing(desk: Desk) -> None:
    chance = random.Random(int(os.environ.get("VELOX_SEED", "4")))
    acts = [204, 204, 401, 404, 429, 500, 503, "drop before", "drop after"]
    desk.influx.behaviour.bad = lambda line: 400 * (b"close=77 " in line) or 422 * (b"close=500 " in line)
    for n in range(10):
        desk.influx.behaviour.plan = chance.choices(acts, k=6)
        desk.record(100, first=n * 100)
        assert desk.pump.points()["balance"] == 0
    found = desk.settle()
    assert (found["accepted"], found["stored"], found["dead_lettered"], found["balance"]) == (1000, 998, 2, 0)
    assert desk.influx.closes("A") == [close for close in whole(1000) if close not in (77, 500)]


def test_a_cleared_account_is_deleted_by_its_tag(desk: Desk) -> None:
    desk.record(3)
    desk.settle()
    assert desk.pump.clear_account("main") == 3
    assert [(entry["bucket"], entry["predicate"]) for entry in desk.influx.deletes] == [("velox", 'account="main"')]


def test_each_answer_has_one_meaning() -> None:
    meanings = {
        204: Stored, 200: HeldBack, 202: HeldBack, 301: HeldBack, 400: RefusedWhole,
        401: HeldBack, 403: HeldBack, 404: HeldBack, 405: HeldBack,
        408: TryLater, 413: TooLarge, 422: RefusedInPart, 429: TryLater, 500: TryLater, 503: TryLater, 599: TryLater,
    }  # fmt: skip
    assert {status: type(reply_of(status, {}, b"prose")) for status in meanings} == meanings


@pytest.mark.parametrize(
    ("given", "seconds"), [("5", 5.0), ("0.1", 1.0), ("1e9", 300.0), ("nan", None), ("soon", None), ("-3", 1.0)]
)
def test_retry_after_is_honoured_within_bounds(given: str, seconds: float | None) -> None:
    assert reply_of(503, {"retry-after": given}, "") == TryLater(503, "", seconds)


def test_a_forked_child_makes_connections_of_its_own(desk: Desk) -> None:
    first = desk.store.server.client
    pid = os.fork()
    if not pid:
        os._exit(desk.store.server.client is first)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    desk.store.write(batch(prices("A", [OPEN], [1.0])))


def test_dead_letters_are_offered_again_and_counted_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.influx.behaviour.bad = lambda line: 400 * (b"close=2 " in line or b"close=4 " in line)
    desk.record(5)
    desk.settle()
    assert desk.pump.retry_dead_letters() == Retried(refused=2)
    desk.influx.behaviour.bad = lambda line: 400 * (b"close=4 " in line)
    with monkeypatch.context() as patch:
        patch.setattr(dead_letters, "replace", lambda *_: (_ for _ in ()).throw(OSError("crash")))
        with pytest.raises(OSError, match="crash"):
            desk.pump.retry_dead_letters()
    for _ in range(2):
        found = desk.pump.points()
        assert (found["stored"], found["dead_lettered"], found["balance"]) == (4, 1, 0)
        assert desk.pump.retry_dead_letters() == Retried(refused=1)
    desk.influx.behaviour.bad = lambda line: 0
    assert desk.pump.retry_dead_letters() == Retried(stored=1)
    assert desk.influx.closes("A") == whole(5)
    assert dead_letters.read(desk.lane().folder) == []
    found = desk.pump.points()
    assert (found["stored"], found["dead_lettered"], found["balance"]) == (5, 0, 0)


def test_a_dead_letter_of_a_cleared_account_is_not_sent(desk: Desk) -> None:
    desk.influx.behaviour.bad = lambda line: 400 * (b"close=2 " in line)
    desk.record(3)
    desk.settle()
    desk.pump.clear_account("main")
    desk.influx.bodies.clear()
    assert desk.pump.retry_dead_letters() == Retried(cleared=1)
    found = desk.pump.points()
    assert (desk.influx.bodies, found["cleared"], found["dead_lettered"], found["balance"]) == ([], 3, 0, 0)


def test_what_is_sent_again_leaves_out_dead_letters_and_counts_nothing_twice(desk: Desk) -> None:
    desk.influx.behaviour.bad = lambda line: 422 * (b"close=2 " in line)
    desk.record(50)
    desk.settle()
    before = desk.pump.points()
    desk.influx.points.clear()
    desk.influx.bodies.clear()
    assert desk.pump.resend(0) == Resent(49, 0)
    assert len(desk.influx.bodies) == 1
    assert desk.influx.closes("A") == [close for close in whole(50) if close != 2]
    assert {
        name: before[name] for name in before if not name.endswith("_seconds")
    }.items() <= desk.pump.points().items()


def test_a_request_whose_gzip_was_cut_is_refused_as_2_7_refuses_it(desk: Desk) -> None:
    whole = gzip.compress(b"ticks,symbol=A close=1 1\n")
    where, coding = f"{desk.influx.url}/api/v2/write?precision=ns", {"Content-Encoding": "gzip"}
    told = [urllib3.request("POST", where, body=body, headers=coding).status for body in (whole[:-9], whole)]
    assert (told, desk.influx.closes("A")) == ([500, 204], [1.0])


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_cut_at_any_byte_is_no_answer(desk: Desk, packed: bool) -> None:
    # Without a length, as some proxies hand it on, nothing below the CSV tells that it was cut.
    table = b",result,table,_value\r\n" + b"".join(b",,0,%d.25\r\n" % (1000 + n) for n in range(3)) + b"\r\n"
    whole = gzip.compress(table) if packed else table
    desk.influx.behaviour.packed = packed

    def prices_of(answer: bytes) -> list[float] | None:
        desk.influx.behaviour.answer = answer
        try:
            return desk.store.query_flux("from(bucket: bucket)", {}).column("_value").to_pylist()
        except StoreUnavailable:
            return None
        except InvalidValue:
            return []  # the question is blamed

    true = prices_of(whole)
    assert true == [1000.25, 1001.25, 1002.25]
    # The last bytes of a packed one are its checksum: the text is whole without them.
    answers = [prices_of(whole[:cut]) for cut in range(len(whole))]
    assert [answer for answer in answers if answer not in (None, true)] == []
    assert answers.count(None) > len(whole) - 16
    desk.influx.behaviour.answer = gzip.compress(b"\r\n") if packed else b"\r\n"
    assert len(desk.store.query_flux("from(bucket: bucket)", {})) == 0
