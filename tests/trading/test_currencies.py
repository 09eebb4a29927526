"""A trade is booked in an account of its instrument's currency, and amounts are written as their currency is."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from tests.trading.book import AT, MINUTE, closed, filled, opened, row, snapshot
from trading import summon
from trading.data_manager import DataManager
from trading.domain import amounts, display
from trading.errors import CurrencyMismatch
from trading.intake import Intake
from trading.management.output import Report, Table, render
from trading.models import Exchange, Instrument, User
from trading.operations.create_account import create_account
from trading.operations.import_trades import import_trades
from trading.operations.open_position import open_position
from trading.proof.verify import verify_ledger
from trading.transactions import aside

USD = {"book": "live", "currency": "USD", "zone": "America/New_York", "capital": "5000", "capital_date": AT.date()}


def instrument(symbol: str = "AAPL", currency: str = "USD", **more: Any) -> Instrument:
    return Instrument.objects.create(
        exchange=Exchange.objects.get(code="NSE"), symbol=symbol, currency=currency, **more
    )


def booked_by_an_older_velox() -> None:
    """An open trade of 10 AAPL, in dollars, in an account of rupees."""
    opened(symbol="AAPL")
    Instrument.objects.filter(symbol="AAPL").update(currency="USD")


@pytest.mark.ledger
@pytest.mark.usefixtures("ledger")
class TestATradeInAnotherCurrency:
    def test_it_is_refused_and_the_hint_is_the_way_to_book_it(self) -> None:
        instrument()
        before = snapshot()
        with pytest.raises(CurrencyMismatch) as caught:
            opened(symbol="AAPL")
        assert (caught.value.code, caught.value.field) == ("currency_mismatch", "symbol")
        assert snapshot() == before
        line = shlex.split(caught.value.hint.split("`")[1])
        call_command(*line[1:], stdout=io.StringIO())
        assert opened(symbol="AAPL", account_code=line[3]).account == "main-usd"

    def test_it_is_refused_where_another_account_used_the_instrument_first(self) -> None:
        create_account("abroad", **USD)
        assert opened(symbol="AAPL", account_code="abroad").state == "OPEN"
        assert Instrument.objects.get(symbol="AAPL").currency == "USD"
        with pytest.raises(CurrencyMismatch):
            opened(symbol="AAPL")

    def test_of_many_rows_it_alone_is_refused(self) -> None:
        instrument()
        said = {"strategy_id": "orb", "entry_price": 200, "quantity": 1, "entry_time": AT}
        rows = [{**said, "trade_id": symbol, "symbol": symbol} for symbol in ("TCS", "AAPL", "INFY")]
        done = import_trades("main", rows)
        assert (done.accepted, [(index, code) for index, code, _ in done.rejected]) == (2, [(1, "currency_mismatch")])

    def test_what_an_older_velox_booked_takes_no_entry_and_no_turn_but_can_be_closed(self) -> None:
        booked_by_an_older_velox()
        before = snapshot()
        for call in (lambda: filled("BUY", 2450, 1), lambda: filled("SELL", 2450, 15, flip_to="T2")):
            with pytest.raises(CurrencyMismatch):
                call()
        assert snapshot() == before
        assert opened(symbol="AAPL").trade_id == "T1", "the same again answers with what is there"
        assert filled("SELL", 2460, 4).open_quantity == 6
        assert closed(symbol="AAPL").state == "CLOSED"
        assert verify_ledger().ok

    def test_what_waited_in_the_intake_is_refused_with_its_reason(self, tmp_path: Path) -> None:
        instrument()
        intake = Intake(tmp_path)
        with aside():
            fill = {"entry_price": 200, "quantity": 1, "entry_time": AT}
            pending = intake.take(open_position, "main", "T1", "orb", "AAPL", **fill)
        assert pending.state == "PENDING"
        intake.post()
        assert [(fact.state, fact.code) for fact in intake.facts()] == [("refused", "currency_mismatch")]


def test_a_replay_that_would_trade_it_ends_before_anything_is_stored(
    ledger: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summon, "summon", lambda: None)
    instrument()
    file = tmp_path / "AAPL_1.csv"
    file.write_text("timestamp,price\n2025-01-02 10:00:00,200\n2025-01-02 10:00:01,201\n")
    with pytest.raises(CommandError, match="traded in USD") as caught:
        call_command("replay", str(file), "--strategy", "ema_cross", stdout=io.StringIO())
    assert caught.value.returncode == 2
    with DataManager(account="replay", source="reader") as dm:
        assert dm.get_ticks("AAPL", AT, AT + 9 * 365 * 1440 * MINUTE).num_rows == 0
    call_command("replay", str(file), stdout=io.StringIO(), stderr=io.StringIO())
    with DataManager(account="replay", source="reader") as dm:
        assert dm.get_ticks("AAPL", AT, AT + 9 * 365 * 1440 * MINUTE).num_rows == 2, "ticks have no currency"


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [
        ("1234567", "JPY", "¥1,234,567"),
        ("-1234567.4", "JPY", "−¥1,234,567"),
        ("0.4", "JPY", "¥0.4"),  # what would vanish stays as it is
        ("1234567.8905", "KWD", "KWD\u00a01,234,567.890"),
        ("7", "BHD", "BHD\u00a07.000"),
        ("1234567.8", "INR", "₹12,34,567.80"),
        ("1234567.8", "USD", "$1,234,567.80"),
    ],
)
def test_an_amount_is_written_with_its_currencys_decimals(value: str, currency: str, shown: str) -> None:
    assert amounts.amount(amounts.rounded(Decimal(value), currency), currency) == shown


@pytest.mark.parametrize(("currency", "shown"), [("JPY", "108.652"), ("KWD", "108.652"), ("INR", "108.652")])
def test_a_price_is_written_exactly_in_every_currency(currency: str, shown: str) -> None:
    assert display.money(Decimal("108.652"), currency) == shown


@pytest.mark.parametrize("form", ["table", "html"])
def test_reports_write_yen_without_decimals_and_csv_writes_numbers(form: str) -> None:
    table = Table("P&L", ["P&L"], [[Decimal(1234567)]], currency="JPY")
    assert "1,234,567" in render(Report("P&L", {}, [table]), form)
    assert "1,234,567." not in render(Report("P&L", {}, [table]), form)
    assert "1234567" in render(Report("P&L", {}, [table]), "csv")


@pytest.mark.usefixtures("ledger")
def test_pages_write_the_amounts_of_a_yen_account_without_decimals(page: Callable[..., str]) -> None:
    create_account("tokyo", **{**USD, "currency": "JPY"})
    opened(account_code="tokyo", symbol="7203", entry_price=2450, stop_price=2440)
    closed(account_code="tokyo", symbol="7203", price=2465)
    shown = page(f"/trades/{row(account='tokyo').pk}/")
    assert "+¥150" in shown and "+¥150." not in shown


@pytest.fixture
def page() -> Callable[[str], str]:
    def read(path: str) -> str:
        client = Client(headers={"host": "localhost"})
        client.force_login(User.objects.create_superuser("boss"))
        return str(client.get(path).content.decode())

    return read
