"""`manage.py replay` on small files: what it answers, what it refuses, what a repeat changes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from timeseries.spool.folder import Spool
from trading import replay, summon
from trading.data_manager import DataManager
from trading.errors import LedgerBusy, UnknownAccount
from trading.feeds.feed import Reading, feed_of_ticks, read_feed
from trading.feeds.lines import UnusableFile
from trading.feeds.names import FileSymbols
from trading.management.commands import replay as command
from trading.models import Exchange, FeedGap, Instrument, StopChange
from trading.queries.sessions import calendar_of_symbol
from trading.strategies.base import Strategy
from trading.strategies.loading import load_strategy

ROWS = ("09:15:08,1958.05,100", "09:15:08,1958.05,100", "09:15:08,1957,150", "09:15:07,1956,150")
GOOD = "".join(f"2021-04-12 {row}\n" for row in ROWS)


@pytest.fixture(autouse=True)
def alone(ledger, monkeypatch):
    """No companion: what a test writes it ships itself."""
    monkeypatch.setattr(summon, "summon", lambda: None)


@pytest.fixture
def feed(tmp_path):
    def write(rows: str = GOOD, name: str = "RELIANCE_12_April.csv", header: str = "timestamp,ltp,volume") -> Path:
        path = tmp_path / name
        content = f"{header}\n{rows}".encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def run(*arguments) -> dict:
    out = io.StringIO()
    call_command("replay", *map(str, arguments), "--format", "json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def refused(*arguments) -> str:
    with pytest.raises(CommandError) as error:
        run(*arguments)
    assert error.value.returncode == 2
    return str(error.value)


def ticks(source: str = "replay", symbol: str = "RELIANCE", account: str = "replay") -> list[tuple]:
    dm = DataManager(source="reader", account=account)
    table = dm.get_ticks(symbol, datetime(2000, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC), source=source)
    return list(
        zip(
            *(table.column(name).to_pylist() for name in ("time", "received_time", "close", "day_volume", "volume")),
            strict=True,
        )
    )


def issued(data_dir: Path) -> int:
    return sum(lane.issued() for lane in Spool(data_dir / "spool").lanes())


def test_the_answer_has_every_key_in_its_order_and_says_what_the_store_holds(feed):
    told = run(feed())
    assert list(told) == [
        *(
            "source",
            "account",
            "strategy",
            "rows_read",
            "accepted",
            "rejected",
            "rejects_file",
            "ticks_stored",
            "symbols",
        ),
        *("trades_opened", "trades_closed", "trades_open", "total_pnl", "elapsed_seconds", "ticks_per_second"),
    ]
    assert told["symbols"] == {
        "RELIANCE": {
            "rows": 4,
            "stored": 4,
            "low": "1956",
            "high": "1958.05",
            "last_day_volume": None,
            "first_at": "2021-04-12T03:45:07Z",
            "last_at": "2021-04-12T03:45:08Z",
            "volume": "per_tick",
            "volume_evidence": "4 volumes tell nothing",
            "stamp": None,
            "stamp_evidence": None,
        }
    }
    assert (told["source"], told["account"], told["strategy"], told["rejects_file"]) == (
        "replay",
        "replay",
        "none",
        None,
    )
    assert (told["rows_read"], told["accepted"], told["ticks_stored"]) == (4, 4, 4)
    assert (told["trades_opened"], told["total_pnl"]) == (0, "0")
    assert told["rejected"] == {"total": 0, "by_reason": {}}
    assert told["ticks_per_second"] == pytest.approx(4 / told["elapsed_seconds"], rel=0.1, abs=0.6)  # a whole number


def test_points_of_one_second_lie_nanoseconds_apart_in_the_order_of_their_lines(feed):
    run(feed())
    found = ticks()
    assert [(time.value % 10**9, close) for time, _, close, *_ in found] == [
        (0, 1956),
        (0, 1958.05),
        (1, 1958.05),
        (2, 1957),
    ]


def test_a_repeat_renamed_and_gzipped_writes_nothing_again(feed, data_dir):
    first = run(feed())
    before, count = ticks(), issued(data_dir)
    second = run(feed(name="x.csv.gz"), "--symbol", "x=RELIANCE")
    assert {**second, "elapsed_seconds": 0, "ticks_per_second": 0} == {
        **first,
        "elapsed_seconds": 0,
        "ticks_per_second": 0,
    }
    assert ticks() == before
    assert issued(data_dir) == count


def test_a_new_source_is_not_compared_with_the_store_before_it_is_recorded(feed, monkeypatch):
    """Another source's ticks over the same time are no reason to read the feed once more."""
    run(feed(), "--source", "first")
    run_feed, compared = replay.run, []
    beside = replay._beside_the_store
    monkeypatch.setattr(replay, "_beside_the_store", lambda *a, **k: compared.append("") or beside(*a, **k))
    monkeypatch.setattr(replay, "run", lambda *a, **k: compared.append("recorded") or run_feed(*a, **k))
    assert run(feed(), "--source", "second")["ticks_stored"] == 4
    assert compared == ["recorded", ""]
    assert run(feed(), "--source", "second")["ticks_stored"] == 4
    assert compared == ["recorded", "", "", "recorded", ""]


def test_a_longer_file_adds_what_is_new_to_every_instant(feed):
    rows = GOOD.splitlines(keepends=True)
    run(feed("".join(rows[:2])), "--volume", "cumulative")
    assert len(ticks()) == 2
    told = run(feed(), "--volume", "cumulative")
    assert told["ticks_stored"] == 4
    assert [close for _, _, close, *_ in ticks()] == [1956, 1958.05, 1958.05, 1957]


@pytest.mark.parametrize(
    "other",
    [
        GOOD.replace("1957", "1957.05"),
        GOOD.replace(",150", ",151"),
        "".join(GOOD.splitlines(keepends=True)[:3]) + "2021-04-12 09:15:07,1955,150\n",
        "2021-04-12 09:15:07,1956,150\n2021-04-12 09:15:08,1958.05,100\n",  # the stored has more of that second
    ],
)
def test_another_file_over_the_same_time_is_refused_before_anything_is_written(feed, other, data_dir):
    run(feed(), "--volume", "cumulative")
    before, count = ticks(), issued(data_dir)
    words = refused(feed(other, "RELIANCE_13_April.csv"), feed(name="TCS_1.csv"), "--volume", "cumulative")
    assert "another --source" in words
    assert ticks() == before
    assert ticks(symbol="TCS") == []
    assert issued(data_dir) == count
    told = run(feed(other, "RELIANCE_13_April.csv"), "--source", "second feed", "--volume", "cumulative")
    assert told["ticks_stored"] == told["accepted"]
    assert ticks() == before


def test_another_time_of_the_same_symbol_goes_beside_it(feed):
    run(feed())
    told = run(feed(GOOD.replace("04-12", "04-13"), "RELIANCE_13_April.csv"))
    assert told["symbols"]["RELIANCE"]["stored"] == 4
    assert told["symbols"]["RELIANCE"]["first_at"] == "2021-04-13T03:45:07Z"
    assert len(ticks()) == 8


def test_rejected_rows_are_written_down_with_file_line_reason_and_text(feed, tmp_path, data_dir):
    path = feed(GOOD + 'torn\n2021-04-12 09:15:09,nan,1\n,5,1\n2021-04-12 09:15:09,"=1+1, 2",1\n')
    told = run(path)
    assert told["rejected"] == {"total": 4, "by_reason": {"unreadable": 2, "no_time": 1, "price_not_finite": 1}}
    assert told["rows_read"] == told["accepted"] + 4 == 8
    written = Path(told["rejects_file"])
    assert written.parent == data_dir / "rejects"
    rows = list(csv.reader(io.StringIO(written.read_text())))
    assert rows == [
        ["file", "line", "reason", "text"],
        [str(path), "6", "unreadable", "torn"],
        [str(path), "7", "price_not_finite", "2021-04-12 09:15:09,nan,1"],
        [str(path), "8", "no_time", ",5,1"],
        [str(path), "9", "unreadable", '2021-04-12 09:15:09,"=1+1, 2",1'],
    ]
    assert written.stat().st_mode & 0o777 == 0o600


def test_strict_exits_1_on_rejected_rows_having_recorded_the_others(feed):
    with pytest.raises(SystemExit) as end:
        run(feed(GOOD + "torn\n"), "--strict")
    assert end.value.code == 1
    assert len(ticks()) == 4
    assert run(feed(GOOD), "--strict")["rejected"]["total"] == 0


def test_the_rejects_file_may_be_named_but_is_never_one_of_the_inputs(feed, tmp_path):
    assert run(feed(), "--rejects", tmp_path / "r.csv")["rejects_file"] == str(tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text() == "file,line,reason,text\n"
    path = feed(GOOD + "torn\n", "TCS_1.csv")
    assert "one of the files" in refused(path, "--rejects", path)
    assert path.read_text().endswith("torn\n")
    assert "cannot be written" in refused(path, "--rejects", tmp_path / "none" / "r.csv")
    assert ticks(symbol="TCS") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/no/such/file.csv"], "cannot be read"),
        (["{}", "/no/such/file.csv"], "cannot be read"),
        (["{}", "{}"], "both hold RELIANCE"),
        (["{}", "--account", "nobody"], "no account"),
        (["{}", "--strategy", "nothing"], "no strategy"),
        (["{}", "--symbol", "A", "--symbol", "B"], "names both"),
        (["{}", "--source", "ledger"], "ledger"),
        (["{}", "--source", "a\nb"], "source"),
    ],
)
def test_what_cannot_run_exits_2_with_one_line_and_writes_nothing(feed, data_dir, arguments, words):
    path = feed()
    assert words in refused(*(argument.format(path) for argument in arguments))
    assert issued(data_dir) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{}", "--speed", "0"], "above 0"),
        (["{}", "--speed", "nan"], "above 0"),
        (["{}", "--volume", "sometimes"], "invalid choice"),
        ([], "required"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(feed, data_dir, arguments, words):
    with pytest.raises(CommandError, match=words):
        run(*(argument.format(feed()) for argument in arguments))
    assert issued(data_dir) == 0


def test_the_table_shows_what_was_stored_and_rejected(feed, capsys):
    call_command("replay", str(feed(GOOD + "torn\n")))
    out = capsys.readouterr().out
    assert "1,958.05" in out
    assert "2021-04-12T03:45:08Z" in out
    assert "Rejected: 1 unreadable" in out


def test_bars_and_ticks_of_one_symbol_and_rows_without_a_volume_are_all_kept(feed):
    bars = feed(
        "2021-04-12 09:16:00,2,3,1,2.5,10\n2021-04-12 09:17:00,2,4,2,3,\n",
        "B_1.csv",
        "timestamp,open,high,low,close,volume",
    )
    prices = feed("2021-04-12 09:18:00,9,1\n2021-04-12 09:18:00,8,\n2021-04-12 09:18:00,7,2\n", "B_2.csv")
    told = run(bars, prices, "--volume", "per_tick")
    assert told["symbols"]["B"] == {
        "rows": 5,
        "stored": 5,
        "low": "1",
        "high": "9",
        "last_day_volume": None,
        "first_at": "2021-04-12T03:46:00Z",
        "last_at": "2021-04-12T03:48:00Z",
        "volume": "per_tick",
        "volume_evidence": "as asked (--volume per_tick)",
        "stamp": "end",
        "stamp_evidence": "nothing says otherwise",
    }
    assert [(close, volume) for _, _, close, _, volume in ticks(symbol="B")] == [
        (2.5, 10),
        (3, None),
        (9, 1),
        (8, None),
        (7, 2),
    ]


def steady(day: str, *, silent: int) -> str:
    """400 ticks a second apart from 09:30, silent for so many seconds after the 100th."""
    seconds = (number + silent * (number >= 100) for number in range(400))
    return "".join(f"{day} 09:{30 + at // 60:02d}:{at % 60:02d},1958,100\n" for at in seconds)


def test_a_replay_without_a_strategy_keeps_the_gaps_of_each_symbol_and_day(feed):
    two_days = steady("2021-04-12", silent=30) + steady("2021-04-13", silent=15)
    files = feed(two_days), feed(steady("2021-04-12", silent=0), name="TCS_12_April.csv")
    for _ in range(2):  # a repeat finds the same
        run(*files, "--volume", "per_tick")
        gaps = FeedGap.objects.filter(account__code="replay").order_by("starts_at")
        told = [(gap.symbol, f"{gap.day}", (gap.ends_at - gap.starts_at).total_seconds()) for gap in gaps]
        assert told == [("RELIANCE", "2021-04-12", 31), ("RELIANCE", "2021-04-13", 16)]


def test_gaps_that_a_busy_ledger_did_not_take_are_said_and_fail_no_replay(feed, monkeypatch, capsys):
    def busy(*_: object, **__: object) -> None:
        raise LedgerBusy("locked")

    monkeypatch.setattr(command, "measure_excursions", busy)
    call_command("replay", str(feed()), "--format", "json")
    told = capsys.readouterr()
    assert json.loads(told.out)["ticks_stored"] == 4
    assert "were not kept (locked" in told.err and "manage.py excursions" in told.err


def test_at_a_pace_ticks_come_as_they_did(feed):
    rows = "".join(f"2021-04-12 09:15:0{second},5,1\n" for second in (1, 2, 2, 5))
    began = time.monotonic()
    run(feed(rows), "--speed", "10")
    assert time.monotonic() - began >= 0.4  # four seconds, ten times as fast
    assert len(ticks()) == 4


class Watching(Strategy):
    """Remembers what was recorded when it was handed a tick."""

    strategy_id = "watching"

    def on_tick(self, tick):
        self.seen = [*getattr(self, "seen", []), (tick, self.dm.get_latest_tick(tick.symbol)["close"])]


def fed(paths, strategy, *, account="replay"):
    with DataManager.for_replay(source="replay", account=account) as dm:
        reading = Reading(FileSymbols(), ZoneInfo("Asia/Kolkata"), calendar_of_symbol)
        read = read_feed(paths, reading, now_ns=time.time_ns())
        todo = replay.missing(dm, read, source="replay")
        replay.run(dm, read, strategy, todo=todo, pace=replay.Pace())
    return read


def test_a_strategy_is_handed_each_tick_when_it_is_recorded(feed):
    strategy = Watching()
    fed([feed(GOOD.replace("09:15:07,1956", "09:15:09,1956"))], strategy)
    assert [(tick.price, latest) for tick, latest in strategy.seen] == [
        (1958.05, 1958.05),
        (1958.05, 1958.05),
        (1957, 1957),
        (1956, 1956),
    ]
    assert {tick.at.tzinfo for tick, _ in strategy.seen} == {UTC}


class Failing(Strategy):
    strategy_id = "failing"

    def on_tick(self, tick):
        raise ZeroDivisionError("oh")


def test_a_strategy_that_fails_is_named_with_the_tick(feed):
    with pytest.raises(replay.ReplayFailed, match=r"Strategy failing failed on RELIANCE at 2021-04-12 03:45:08.*oh"):
        fed([feed()], Failing())


class Trailing(Strategy):
    """Moves a stop at every tick."""

    strategy_id = "trailing"

    def on_tick(self, tick):
        self.dm.open_position("T", self.strategy_id, tick.symbol, 2000, 1, tick.at)
        self.dm.update_trailing_sl("T", self.strategy_id, tick.symbol, tick.price, tick.price, "X", at=tick.at)


def test_a_stop_change_that_the_ledger_does_not_take_ends_the_replay_there(feed, monkeypatch):
    def busy(*args, **said):
        raise LedgerBusy("The ledger could not be written.")

    rows = GOOD.replace("09:15:07", "09:15:09")
    with monkeypatch.context() as patch:
        patch.setattr("trading.operations.update_trailing_sl.writing", busy)
        # Else the change were lost: once its trade is closed, no repeat could bring it back.
        with pytest.raises(LedgerBusy):
            fed([feed(rows)], Trailing())
    assert StopChange.objects.count() == 0
    fed([feed(rows)], Trailing())
    assert [str(change.stop_price.normalize()) for change in StopChange.objects.order_by("at")] == [
        "1958.05",
        "1957",
        "1956",
    ]


def test_ctrl_c_ends_a_replay_with_one_line_and_the_next_completes_it(feed, monkeypatch):
    def interrupted(*args, **said):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DataManager, "process_ticks", interrupted)
        with pytest.raises(CommandError, match="Run it again") as error:
            run(feed())
    assert error.value.returncode == 130
    assert run(feed())["ticks_stored"] == 4


class Trader(Strategy):
    """Buys at its first tick and sells at its last."""

    strategy_id = "trader"

    def on_tick(self, tick):
        self.dm.open_position("T", self.strategy_id, tick.symbol, 1958.05, 2, tick.at) if not hasattr(
            self, "last"
        ) else None
        self.last = tick

    def on_end(self):
        self.dm.close_position("T", self.strategy_id, self.last.symbol, self.last.price, self.last.at)


def test_trades_are_told_from_the_ledger(feed):
    strategy = Trader()
    read = fed([feed(GOOD.replace("09:15:07,1956", "09:15:09,1956"))], strategy)
    with DataManager.for_replay(source="replay", account="replay") as dm:
        told = replay.outcome(dm, read, strategy, source="replay", zone=ZoneInfo("Asia/Kolkata"))
        assert (told["trades_opened"], told["trades_closed"], told["trades_open"]) == (1, 1, 0)
        assert told["total_pnl"] == Decimal("-4.10")
        others = replay.outcome(dm, read, load_strategy("ema_cross"), source="replay", zone=ZoneInfo("Asia/Kolkata"))
        assert (others["trades_opened"], others["total_pnl"]) == (0, 0)


def test_what_is_told_of_the_store_is_read_there_not_counted_on_the_way_in(feed):
    read = fed([feed()], None)
    unrecorded = feed_of_ticks(next(read.stretches()))
    with DataManager.for_replay(source="nobody", account="replay") as dm:
        told = replay.outcome(dm, unrecorded, None, source="nobody", zone=ZoneInfo("Asia/Kolkata"))
    nothing = dict.fromkeys(("low", "high", "last_day_volume", "first_at", "last_at"))
    read_as = dict.fromkeys(("volume", "volume_evidence", "stamp", "stamp_evidence"))
    assert told["symbols"] == {"RELIANCE": {"rows": 4, "stored": 0, **nothing, **read_as}}
    assert told["ticks_stored"] == 0


def test_an_unknown_account_and_a_file_that_is_none_are_told_apart(feed, tmp_path):
    with pytest.raises(UnknownAccount):
        fed([feed()], None, account="nobody")
    with pytest.raises(UnusableFile):
        fed([tmp_path / "none"], None)


def candles(symbol: str, every: str = "1d") -> list[tuple]:
    table = DataManager(source="reader", account="replay").get_candles(
        symbol, every, datetime(2020, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    )
    return [
        (row["time"].tz_convert("Asia/Kolkata").isoformat()[:16], row["volume"], row["ticks"])
        for row in table.to_pylist()
    ]


BARS = "timestamp,open,high,low,close,volume"


def test_volumes_that_both_readings_explain_end_the_command_before_anything_is_written(feed, data_dir):
    lots = "".join(f"2021-04-12 09:{15 + number // 60}:{number % 60:02d},5,75\n" for number in range(100))
    words = refused(feed(), feed(lots, "LOTS_1.csv"))
    assert "LOTS_1.csv: the volumes of LOTS on 2021-04-12" in words
    assert "--volume per_tick or --volume cumulative" in words
    assert issued(data_dir) == 0
    assert run(feed(lots, "LOTS_1.csv"), "--volume", "per_tick")["symbols"]["LOTS"]["volume"] == "per_tick"
    assert candles("LOTS") == [("2021-04-12T09:15", 7500.0, 100)]


def test_a_file_too_short_to_tell_is_read_as_each_ticks_own_and_says_so(feed, capsys):
    call_command("replay", str(feed()))
    told = capsys.readouterr()
    assert "RELIANCE: volume is read as each tick's own (4 volumes tell nothing); --volume cumulative" in told.err
    assert "per_tick" in told.out


def test_bars_that_rise_from_hour_to_hour_add_up(feed):
    rows = "".join(f"2021-04-12 {hour}:15:00,10,11,9,10,{volume}\n" for hour, volume in ((10, 1000), (11, 1200)))
    told = run(feed(rows, "X_1.csv", BARS))
    assert told["symbols"]["X"]["volume_evidence"] == "a bar's volume is its own"
    assert candles("X") == [("2021-04-12T09:15", 2200.0, 2)]


def test_daily_bars_stand_on_their_day_and_a_repeat_meets_them(feed):
    days = ("2021-04-09", "2021-04-12", "2021-04-13")
    rows = "".join(f"{day},10,11,9,10,{place}\n" for place, day in enumerate(days, 1))
    path = feed(rows, "X_1.csv", BARS)
    told = run(path)
    assert (told["symbols"]["X"]["stamp"], told["symbols"]["X"]["last_at"]) == ("day", "2021-04-13T10:00:00Z")
    assert candles("X") == [(f"{day}T09:15", float(place), 1) for place, day in enumerate(days, 1)]
    before = ticks(symbol="X")
    run(path)
    assert ticks(symbol="X") == before


def test_bars_stamped_at_their_start_are_recognised_or_said_to_be(feed):
    rows = "".join(f"2021-04-12 {at}:00,10,11,9,10,5\n" for at in ("09:15", "09:16", "15:29"))
    whole = run(feed(rows, "X_1.csv", BARS))
    assert whole["symbols"]["X"]["stamp"] == "start"
    assert [row[0][11:] for row in candles("X", "1m")] == ["09:15", "09:16", "15:29"]
    part = run(feed(rows[: rows.rindex("2021")], "Y_1.csv", BARS))
    assert part["symbols"]["Y"]["stamp"] == "end"
    run(feed(rows[: rows.rindex("2021")], "Z_1.csv", BARS), "--stamp", "start")
    assert [row[0][11:] for row in candles("Z", "1m")] == ["09:15", "09:16"]


def test_a_bar_that_comes_half_made_and_then_whole_is_one(feed):
    rows = "2021-04-12 09:16:00,10,11,9,10,5\n2021-04-12 09:17:00,10,11,9,10,3\n2021-04-12 09:17:00,10,12,8,9,7\n"
    told = run(feed(rows, "X_1.csv", BARS))
    assert told["ticks_stored"] == 3  # what came is kept as it came
    assert candles("X") == [("2021-04-12T09:15", 12.0, 2)]


def test_rows_at_zero_and_below_are_taken_for_a_future_and_rejected_for_others(feed):
    exchange = Exchange.objects.get(code="NSE")
    Instrument.objects.create(exchange=exchange, symbol="CLK0", kind="FUTURE", currency="INR")
    rows = "2020-04-20 11:00:00,10.01\n2020-04-20 11:00:01,-37.63\n2020-04-20 11:00:02,0\n"
    told = run(
        feed(rows, "CLK0_1.csv", "timestamp,ltp"), feed(rows, "OIL_1.csv", "timestamp,ltp"), "--strategy", "none"
    )
    assert told["rejected"] == {"total": 2, "by_reason": {"price_not_positive": 2}}
    assert (told["symbols"]["CLK0"]["low"], told["symbols"]["CLK0"]["stored"]) == ("-37.63", 3)
    assert told["symbols"]["OIL"]["stored"] == 1


def test_a_price_beyond_any_is_rejected(feed):
    rows = "".join(
        f"2021-04-12 09:15:0{place},{price}\n" for place, price in enumerate(("1e308", "9223372036.854775807", "5"))
    )
    assert run(feed(rows, "X_1.csv", "timestamp,ltp"))["rejected"]["by_reason"] == {"price_out_of_bounds": 2}
