"""What the desk knows of its instruments: from a symbol, from a file, on the command line."""

from __future__ import annotations

import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.trading.book import closed, opened, row, snapshot
from trading.domain.instrument_file import parse_instruments
from trading.errors import InvalidValue
from trading.models import Exchange, Instrument
from trading.proof.verify import verify_ledger

pytestmark = pytest.mark.usefixtures("ledger")
KITE = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange\n"
    "1,11,NIFTY26N2624500CE,NIFTY,10.5,2026-11-26,24500.0,0.05,75,CE,NFO-OPT,NFO\n"
    "2,12,BANKNIFTY26DECFUT,,52000,2026-12-29,0.0,0.2,35,FUT,NFO-FUT,NFO\n"
    "3,13,CRUDEOIL26DECFUT,CRUDEOIL,5300,2026-12-18,0,1,1,FUT,MCX-FUT,MCX\n"
    "4,14,INFY,INFOSYS,0.0,,0.0,0.05,1,EQ,NSE,NSE\n"
    "5,15,NIFTY 50,NIFTY 50,0.0,,0.0,0.05,1,EQ,INDICES,NSE\n"
)


def answer(*arguments: object, code: int = 0) -> dict[str, Any]:
    out = io.StringIO()
    try:
        call_command("instruments", *map(str, arguments), "--format", "json", stdout=out, stderr=io.StringIO())
        assert code == 0
    except SystemExit as ended:
        assert ended.code == code
    return dict(json.loads(out.getvalue()))


def load(folder: Path, text: str, *more: object, code: int = 0) -> dict[str, Any]:
    file = folder / "instruments.csv"
    file.write_text(text)
    return answer("--load", file, *more, code=code)


def instrument(symbol: str) -> Instrument:
    return Instrument.objects.select_related("exchange").get(symbol=symbol)


@pytest.mark.ledger
def test_at_first_use_the_symbol_tells_what_it_proves_and_no_more() -> None:
    opened("T1", symbol="NFO:NIFTY26N2624500CE")
    opened("T2", symbol="MCX:CRUDEOIL26DECFUT")
    opened("T3", symbol="CME:ESZ6")
    option, future, foreign = map(instrument, ("NIFTY26N2624500CE", "CRUDEOIL26DECFUT", "ESZ6"))
    told = (option.kind, option.underlying, option.expiry, option.strike)
    assert told == ("OPTION", "NIFTY", date(2026, 11, 26), 24500)
    assert (future.kind, future.underlying, future.expiry, future.strike) == ("FUTURE", "CRUDEOIL", None, None)
    assert [(one.lot, one.multiplier, one.reviewed) for one in (option, future)] == [(1, 1, False)] * 2
    assert (foreign.kind, foreign.underlying) == ("EQUITY", "")


class TestAFileOfInstruments:
    @pytest.mark.ledger
    def test_a_brokers_file_tells_kind_underlying_expiry_strike_lot_and_tick(self, tmp_path: Path) -> None:
        assert load(tmp_path, KITE)["new"] == 4
        option, future, index = map(instrument, ("NIFTY26N2624500CE", "BANKNIFTY26DECFUT", "NIFTY 50"))
        told = (option.exchange.code, option.kind, option.underlying, option.lot, option.price_tick)
        assert told == ("NFO", "OPTION", "NIFTY", 75, Decimal("0.05"))
        assert (option.expiry, option.strike) == (date(2026, 11, 26), 24500)
        assert (future.kind, future.underlying, future.expiry, future.strike) == (
            "FUTURE", "BANKNIFTY", date(2026, 12, 29), None,
        )  # fmt: skip
        assert (index.kind, instrument("INFY").kind) == ("INDEX", "EQUITY")
        assert not option.reviewed
        assert verify_ledger().ok

    @pytest.mark.ledger
    def test_loaded_again_it_changes_nothing(self, tmp_path: Path) -> None:
        load(tmp_path, KITE)
        before = snapshot()
        assert load(tmp_path, KITE)["known"] == 5
        assert snapshot() == before

    def test_a_plain_file_has_the_terms_by_name(self, tmp_path: Path) -> None:
        text = "symbol,exchange,kind,currency,multiplier,lot,price_tick,session_group\n"
        load(tmp_path, text + "ESZ6,CME,FUTURE,USD,50,1,0.25,globex\nTCS,,EQUITY,,,,,\n")
        future = instrument("ESZ6")
        assert (future.currency, future.multiplier, future.price_tick) == ("USD", 50, Decimal("0.25"))
        assert (instrument("TCS").exchange.code, instrument("TCS").currency) == ("NSE", "INR")

    def test_a_wrong_row_is_named_and_keeps_no_other_out(self, tmp_path: Path) -> None:
        rows = "X,MOON,EQUITY,1\nGOOD,NSE,EQUITY,1\nY,NSE,BOND,1\nZ,NSE,EQUITY,none\n,NSE,EQUITY,1\nGOOD,NSE,EQUITY,2\n"
        told = load(tmp_path, "symbol,exchange,kind,lot\n" + rows, code=1)
        assert (told["new"], [row["line"] for row in told["refused"]]) == (1, [2, 4, 5, 6, 7])
        assert "MOON" in told["refused"][0]["hint"]
        assert instrument("GOOD").lot == 1

    @pytest.mark.ledger
    def test_only_those_that_are_known_where_that_is_asked_for(self, tmp_path: Path) -> None:
        opened(symbol="INFY")
        closed(symbol="INFY")
        told = load(tmp_path, KITE, "--known", "--by", "ann", "--reason", "the broker's file")
        assert (told["new"], told["left_out"], told["changed"]) == (0, 3, 1)
        assert instrument("INFY").price_tick == Decimal("0.05")

    @pytest.mark.ledger
    def test_what_was_traded_is_changed_with_author_and_reason_alone(self, tmp_path: Path) -> None:
        opened(symbol="MCX:CRUDEOIL26DECFUT", entry_price=5295, quantity=1)
        closed(symbol="MCX:CRUDEOIL26DECFUT", price=5310)
        text = "symbol,exchange,multiplier\nCRUDEOIL26DECFUT,MCX,100\n"
        told = load(tmp_path, text, code=1)
        assert "--by and --reason" in told["refused"][0]["hint"]
        assert row().realised_pnl == 15
        assert load(tmp_path, text, "--by", "ann", "--reason", "contract")["trades_folded"] == 1
        assert row().realised_pnl == 1500
        assert verify_ledger().ok

    @pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "tradingsymbol\nX\n"])
    def test_another_file_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidValue, match="no file of instruments"):
            parse_instruments(text)

    def test_a_real_file_of_the_broker(self, market_data: Path) -> None:
        told = answer("--load", market_data / "kite-mocks" / "instruments_all.csv")
        assert (told["rows"], told["new"], told["refused"]) == (99, 99, [])
        option = instrument("BANKNIFTY18JAN23500CE")
        assert (option.kind, option.underlying, option.lot) == ("OPTION", "BANKNIFTY", 40)
        assert (option.expiry, option.strike) == (date(2018, 1, 25), 23500)


class TestTheCommand:
    def test_it_lists_what_there_is_and_what_is_to_be_looked_at(self) -> None:
        opened(symbol="MCX:CRUDEOIL26DECFUT")
        Instrument.objects.create(exchange=Exchange.objects.get(code="NSE"), symbol="UNUSED", currency="INR")
        everything = {one["symbol"]: one for one in answer()["instruments"]}
        assert {"NIFTY 50", "UNUSED", "MCX:CRUDEOIL26DECFUT"} <= everything.keys()
        assert everything["MCX:CRUDEOIL26DECFUT"]["trades"] == 1
        assert [one["symbol"] for one in answer("--unreviewed")["instruments"]] == ["MCX:CRUDEOIL26DECFUT"]
        assert [one["exchange"] for one in answer("MCX:CRUDEOIL26DECFUT")["instruments"]] == ["MCX"]

    @pytest.mark.ledger
    def test_it_puts_a_contract_right(self) -> None:
        opened(symbol="CRUDEOIL26DECFUT", entry_price=5295, quantity=1)
        closed(symbol="CRUDEOIL26DECFUT", price=5310)
        said = ("--correct", "CRUDEOIL26DECFUT", "--multiplier", 100, "--by", "ann", "--reason", "contract note")
        (told,) = answer(*said)["instruments"]
        assert (told["multiplier"], told["reviewed"]) == ("100", True)
        assert row().realised_pnl == 1500
        assert answer("--unreviewed")["instruments"] == []

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (("--correct", "RELIANCE", "--multiplier", "100"), "by names nobody"),
            (("--correct", "RELIANCE", "--multiplier", "100", "--by", "ann"), "reason is empty"),
            (("--correct", "RELIANCE", "--by", "ann", "--reason", "x"), "Nothing is corrected"),
            (("--correct", "RELIANCE", "--lot", "none", "--by", "ann", "--reason", "x"), "lot is"),
            (("--correct", "TCS", "--lot", "1"), "TCS was never used"),
            (("TCS",), "TCS was never used"),
            (("MOON:X",), "no exchange is called"),
            (("--multiplier", "100"), "--correct SYMBOL"),
            (("--load", "/nowhere.csv"), "cannot be read"),
            (("--load", "x.csv", "--correct", "RELIANCE"), "two things"),
        ],
    )
    def test_what_cannot_be_done_is_said_in_one_line(self, arguments: tuple[str, ...], named: str) -> None:
        opened()
        before = snapshot()
        with pytest.raises(CommandError, match=named) as caught:
            call_command("instruments", *arguments, stdout=io.StringIO())
        assert caught.value.returncode == 2
        assert snapshot() == before
