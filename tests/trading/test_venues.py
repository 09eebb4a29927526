"""Exchanges by the prefix of a name: those that are known, those that nobody knows, and what was booked before."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.trading.book import AT, MINUTE, closed, filled, opened, row
from timeseries.values import any_symbol
from trading import summon, symbol_names
from trading.data_manager import DataManager
from trading.errors import IdConflict, InvalidValue, LedgerBusy
from trading.models import Exchange, ExchangeSession, Instrument
from trading.operations.load_sessions import load_sessions
from trading.proof.verify import verify_ledger
from trading.queries.accounts import get_account
from trading.queries.daily_summary import build_daily_summary
from trading.queries.sessions import calendar_of, calendar_of_symbol

pytestmark = pytest.mark.usefixtures("ledger")
INDIA, NEW_YORK = ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")
CRUDE = "MCX:CRUDEOIL26DECFUT"


@pytest.fixture
def dm(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(summon, "summon", lambda: None)
    with DataManager() as manager:
        yield manager


def booked_by_an_older_velox(symbol: str = CRUDE) -> None:
    """An open trade of 10, on the default exchange under a name with a prefix that nobody knew."""
    opened(symbol="X", entry_price=5295)
    nse = Exchange.objects.get(code="NSE")
    Instrument.objects.filter(symbol="X").update(exchange=nse, symbol=symbol, reviewed=True)


def hours_of(*exchanges: tuple[str, str]) -> str:
    """A file of exchanges that never close: (code, zone)."""
    given = {"groups": {}, "holidays": "none", "special": "none"}
    named = {code: {"name": code, "zone": zone, **given} for code, zone in exchanges}
    return json.dumps({"exchanges": named, "regular": {}, "holidays": {"none": {}}, "special": {"none": {}}})


class TestAKnownPrefix:
    @pytest.mark.ledger
    @pytest.mark.parametrize("code", ["BSE", "NFO", "BFO", "CDS", "MCX", "CME"])
    def test_the_name_is_booked_on_its_exchange(self, code: str) -> None:
        assert opened(symbol=f"{code}:X").symbol == f"{code}:X"
        instrument = Instrument.objects.select_related("exchange").get(symbol="X")
        assert (instrument.exchange.code, instrument.reviewed) == (code, False)
        assert calendar_of_symbol(f"{code}:X") == calendar_of(code)
        assert closed(symbol=f"{code}:X").state == "CLOSED"

    def test_the_evening_counts_and_candles_start_at_nine(self, dm: DataManager) -> None:
        def at(hour: int, minute: int = 0) -> datetime:
            return datetime(2026, 11, 26, hour, minute, tzinfo=INDIA)

        opened(symbol=CRUDE, entry_time=at(22), entry_price=5295)
        row_ = build_daily_summary(get_account("main"), date(2026, 11, 26), now=at(23, 59) + timedelta(days=1))[
            "strategies"
        ][0]
        assert row_["exposure_seconds"] == 115 * 60, "until 23:55"
        for hour, minute in ((9, 0), (9, 20), (22, 0), (23, 54)):
            assert dm.process_tick(CRUDE, {"ltp": 5300.0}, at=at(hour, minute))
        labels = [time.astimezone(INDIA) for time in dm.get_candles(CRUDE, "1h", at(0), at(23, 59))["time"].to_pylist()]
        assert labels == [at(9), at(22), at(23)]


class TestAnUnknownPrefix:
    @pytest.mark.ledger
    def test_it_is_refused_and_the_known_ones_are_named(self, dm: DataManager) -> None:
        before = Instrument.objects.count()
        calls: list[Callable[[], Any]] = [
            lambda: opened(symbol="NYMEX:CL"),
            lambda: dm.record_signal("s", "NYMEX:CL", AT, {}, decision="SKIPPED"),
            lambda: dm.get_trades(symbol="NYMEX:CL"),
            lambda: dm.get_symbol_stats("NYMEX:CL"),
            lambda: opened(symbol=":CL"),
            lambda: opened(symbol="MCX:"),
        ]
        for call in calls:
            with pytest.raises(InvalidValue, match="Known are BFO, BSE, CDS, CME, MCX, NFO, NSE") as caught:
                call()
            assert caught.value.field == "symbol"
        assert Instrument.objects.count() == before

    @pytest.mark.ledger
    def test_a_file_makes_it_known(self) -> None:
        load_sessions(hours_of(("NYMEX", "America/New_York")))
        assert opened(symbol="NYMEX:CL").symbol == "NYMEX:CL"
        assert opened("T2", symbol="RELIANCE").symbol == "RELIANCE", "the others are as they were"

    def test_no_point_is_recorded_under_it(self, dm: DataManager) -> None:
        calls: list[Callable[[], Any]] = [
            lambda: dm.process_tick("NYMEX:CL", {"ltp": 60.0}, at=AT),
            lambda: dm.cache_indicators("NYMEX:CL", {"rsi": 60.0}, at=AT),
            lambda: dm.update_position_snapshot("s", "NYMEX:CL", 60, 1, at=AT),
        ]
        for call in (*calls, calls[0]):
            with pytest.raises(InvalidValue, match="Known are BFO"):
                call()
        rows = [{"symbol": symbol, "ltp": 60.0, "timestamp": AT} for symbol in ("NYMEX:CL", "MCX:CL", "CL")]
        batches = (rows, {name: [row[name] for row in rows] for name in rows[0]})
        for batch in batches:
            done = dm.process_ticks(batch)
            assert (done.accepted, [(index, code) for index, code, _ in done.rejected]) == (2, [(0, "invalid_value")])
        assert dm.get_ticks("NYMEX:CL", AT, AT + MINUTE).num_rows == 0
        assert dm.get_ticks("MCX:CL", AT, AT + MINUTE).num_rows == 2

    def test_a_ledger_that_cannot_answer_keeps_no_tick_out(
        self, dm: DataManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def busy(*_: Any) -> None:
            raise LedgerBusy("held")

        monkeypatch.setattr(symbol_names, "at_the_ledger", busy)
        assert dm.process_tick("NYMEX:CL", {"ltp": 60.0}, at=AT)

    def test_a_replay_of_it_ends_before_anything_is_stored(self, tmp_path: Path) -> None:
        file = tmp_path / "X_1.csv"
        file.write_text("timestamp,price\n2025-01-02 10:00:00,200\n")
        with pytest.raises(CommandError, match="no exchange is called 'NYMEX'") as caught:
            call_command("replay", str(file), "--symbol", "NYMEX:CL", stdout=io.StringIO())
        assert caught.value.returncode == 2

    def test_points_that_an_older_velox_recorded_under_it_are_read(self, dm: DataManager) -> None:
        dm.telemetry.recorder.parse_symbol = any_symbol
        dm.telemetry.recorder.tick("NYMEX:CL", {"ltp": 60.0}, AT)
        assert dm.get_ticks("NYMEX:CL", AT, AT + MINUTE).num_rows == 1
        assert dm.get_candles("NYMEX:CL", "1m", AT, AT + MINUTE).num_rows == 1


@pytest.mark.ledger
class TestWhatAnOlderVeloxBookedUnderAPrefix:
    @pytest.mark.parametrize("symbol", [CRUDE, "NYMEX:CL"])
    def test_it_is_read_and_closed_as_before(self, dm: DataManager, symbol: str) -> None:
        booked_by_an_older_velox(symbol)
        assert [trade.symbol for trade in dm.get_trades(symbol=symbol)] == [symbol]
        assert dm.get_position("ema cross", symbol).open_quantity == 10
        assert dm.update_trailing_sl("T1", "ema cross", symbol, 5290, 5300, "atr", at=AT + MINUTE)
        assert filled("SELL", 5310, 4).open_quantity == 6
        assert closed(symbol=symbol, price=5310).realised_pnl == 150
        assert dm.get_symbol_stats(symbol, days=None)["total_trades"] == 1
        assert verify_ledger().ok

    def test_the_same_again_answers_with_what_is_there(self) -> None:
        booked_by_an_older_velox()
        assert opened(symbol=CRUDE, entry_price=5295).trade_id == "T1"
        assert row().instrument.exchange.code == "NSE"
        with pytest.raises(IdConflict):
            opened(symbol="MCX:CRUDEOIL26NOVFUT", entry_price=5295)

    def test_a_new_trade_is_booked_where_it_belongs_and_both_are_found(self, dm: DataManager) -> None:
        booked_by_an_older_velox()
        opened("T2", symbol=CRUDE)
        assert row("T2").instrument.exchange.code == "MCX"
        assert {trade.trade_id for trade in dm.get_trades(symbol=CRUDE)} == {"T1", "T2"}
        assert dm.get_position("ema cross", CRUDE).open_quantity == 20

    def test_a_migration_adds_the_exchanges_and_puts_it_on_the_list_of_what_is_to_be_looked_at(self) -> None:
        _migrate("0008_prices_and_rebates")
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM trading_exchangesession WHERE first_date < '2021-01-01' AND kind <> 'REGULAR'")
            cursor.execute("UPDATE trading_exchangesession SET note = 'amended' WHERE first_date = '2024-01-22'")
            codes = "('NFO', 'BFO', 'CDS', 'MCX', 'CME')"
            of_new = f"SELECT id FROM trading_exchange WHERE code IN {codes}"
            cursor.execute(f"DELETE FROM trading_exchangesession WHERE exchange_id IN ({of_new})")
            cursor.execute(f"DELETE FROM trading_exchange WHERE code IN {codes} AND code <> 'CME'")
            cursor.execute("UPDATE trading_exchange SET zone = 'Asia/Kolkata' WHERE code = 'CME'")
            cursor.execute(
                "UPDATE trading_instrument SET symbol = 'MCX:X' WHERE symbol = 'NIFTY 100'"
            )  # reviewed, as the seeds are
        _migrate("0009_venues")
        assert calendar_of("MCX").continuous(date(2026, 11, 26)) is not None
        assert calendar_of("NSE").continuous(date(2015, 2, 28)) is not None
        assert ExchangeSession.objects.filter(note="amended").exists(), "what the desk has amended stays"
        assert calendar_of("CME").rows == (), "a name in a zone of its own keeps its days"
        reviewed = dict(Instrument.objects.values_list("symbol", "reviewed"))  # the columns of then
        assert (reviewed["MCX:X"], reviewed["NIFTY 50"]) == (False, True)
        _migrate(None)
        assert verify_ledger().ok


def _migrate(name: str | None) -> None:
    """Migrate the ledger to a migration, None: to the newest."""
    executor = MigrationExecutor(connection)
    newest = [key for key in executor.loader.graph.leaf_nodes() if key[0] == "trading"]
    executor.migrate(newest if name is None else [("trading", name)])


class TestTheDefaultExchange:
    @pytest.mark.ledger
    def test_it_may_be_any_name_and_comes_into_being(self, settings: Any) -> None:
        settings.VELOX_EXCHANGE = "MOON"
        assert opened(symbol="CHEESE").symbol == "CHEESE"
        exchange = Exchange.objects.get(code="MOON")
        assert (exchange.zone, calendar_of("MOON").rows) == (settings.TIME_ZONE, ())
        assert closed(symbol="MOON:CHEESE").state == "CLOSED"

    @pytest.mark.ledger
    def test_one_of_the_file_comes_with_its_hours(self, settings: Any) -> None:
        settings.VELOX_EXCHANGE = "CME"
        assert calendar_of_symbol("ESZ6").continuous(date(2026, 11, 16)) is not None

    def test_the_volume_of_a_day_that_begins_at_six_in_the_evening(self, settings: Any, dm: DataManager) -> None:
        def at(day: int, hour: int, minute: int) -> datetime:
            return datetime(2026, 11, day, hour, minute, tzinfo=NEW_YORK)

        settings.VELOX_EXCHANGE = "CME"
        feed = {
            at(18, 16, 59): 901_000, at(18, 18, 0): 120, at(18, 23, 59): 52_000, at(19, 0, 0): 52_010,
            at(19, 16, 0): 700_000, at(19, 18, 1): 30,
        }  # fmt: skip
        for time, volume in feed.items():
            dm.process_tick("ESZ6", {"ltp": 6800.25, "day_volume": volume}, at=time)
        expected = [901_000, 120, 51_880, 10, 647_990, 30]
        asked = ("ESZ6", "1m", at(18, 0, 0), at(20, 0, 0))
        assert dm.get_candles(*asked)["volume"].to_pylist() == expected
        dm.flush()
        assert dm.get_candles(*asked)["volume"].to_pylist() == expected, "from the store as from what waits for it"
        days = dm.get_candles("ESZ6", "1d", *asked[2:])["volume"].to_pylist()
        assert days == [901_000 + 52_000, 648_000 + 30], "a day's candle is of its date"


@pytest.mark.ledger
def test_exposure_of_a_trade_over_midnight_leaves_the_hour_out_in_which_nobody_trades() -> None:
    def at(day: int, hour: int) -> datetime:
        return datetime(2026, 11, day, hour, tzinfo=NEW_YORK).astimezone(UTC)

    opened(symbol="CME:ESZ6", entry_time=at(16, 16))
    closed(symbol="CME:ESZ6", exit_time=at(18, 9))
    for day, hours in ((16, 1 + 6), (17, 17 + 6), (18, 9)):
        summary = build_daily_summary(get_account("main"), date(2026, 11, day), now=at(30, 0))
        assert summary["strategies"][0]["exposure_seconds"] == hours * 3600


@pytest.mark.ledger
def test_hours_in_another_zone_are_refused_once_days_were_booked() -> None:
    load_sessions(hours_of(("LSE", "Europe/London")))
    load_sessions(hours_of(("LSE", "Europe/Dublin")))
    opened(symbol="LSE:VOD")
    with pytest.raises(InvalidValue, match="LSE has trades"):
        load_sessions(hours_of(("LSE", "Europe/London")))
    assert Exchange.objects.get(code="LSE").zone == "Europe/Dublin"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--group", "nights"), "It has equity, equity_cas, equity_derivatives"),
        (("--exchange", "MCX", "--group", "equity"), "It has commodity, commodity_agri"),
        (("--exchange", "MOON"), "Known are BFO"),
    ],
)
def test_a_group_or_an_exchange_that_nobody_knows_ends_the_command(arguments: tuple[str, ...], named: str) -> None:
    with pytest.raises(CommandError, match=named) as caught:
        call_command("sessions", *arguments, stdout=io.StringIO())
    assert caught.value.returncode == 2


def test_the_command_shows_the_exchanges_own_group_and_an_opening_on_the_evening_before(tmp_path: Path) -> None:
    out = io.StringIO()
    call_command("sessions", "--exchange", "CME", "--date", "2026-11-16", stdout=out)
    assert "CME (globex) on 2026-11-16: open" in out.getvalue()
    assert "18:00 on 2026-11-15" in out.getvalue()
    out = io.StringIO()
    call_command("sessions", "--exchange", "MCX", "--date", "2026-11-26", "--format", "json", stdout=out)
    assert json.loads(out.getvalue())["group"] == "commodity"
