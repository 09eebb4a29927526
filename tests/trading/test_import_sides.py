"""Positions that a file's fills leave open on one side, and others have open on the other: both are named, none is
guessed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.trading.statements import OPEN, future, line, statement
from trading.bookkeeping.import_outcome import ImportOutcome
from trading.bookkeeping.import_trial import ImportTrial
from trading.brokers.values import FillKind, FillLine
from trading.models import Trade
from trading.operations import import_fills as importing
from trading.operations.add_fill import add_fill
from trading.operations.close_position import close_position
from trading.operations.import_fills import import_fills
from trading.operations.open_position import open_position
from trading.operations.void import void

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved")]
FUTURE = "NFO:NIFTY26JUNFUT"
ISIN = "INE002A01018"


def imported(*fills: FillLine) -> ImportOutcome:
    """Import fills; a trial before must have told the same."""
    trial = ImportTrial("main").add(statement(fills))
    outcome = import_fills("main", statement(fills))
    assert trial == outcome
    return outcome


def by_the_bot(symbol: str, side: str = "LONG", **more: Any) -> None:
    fields = {"trade_id": "T1", "strategy_id": "ema", "symbol": symbol, "entry_price": 100, "quantity": 75}
    open_position("main", **{**fields, "entry_time": OPEN, "side": side, **more})


def open_trades() -> list[str]:
    return sorted(Trade.objects.filter(state="OPEN").values_list("trade_id", flat=True))


class TestStrategyAndFile:
    """A strategy told its entry; its exit stands in the broker's file alone."""

    @pytest.mark.parametrize(("side", "exit_side"), [("LONG", "SELL"), ("SHORT", "BUY")])
    def test_the_exit_of_a_future_and_the_trade_it_may_close_are_both_named(self, side: str, exit_side: str) -> None:
        by_the_bot(FUTURE, side, fill_id="1")
        entry = future("1", {"SELL": "BUY", "BUY": "SELL"}[exit_side], 75, 100, minute=0)
        both = entry, future("2", exit_side, 75, 110)
        (finding,) = imported(*both).findings
        assert "trade zerodha-NFO-2 of 2026-06-01" in finding and "trade T1 of 2026-06-01" in finding
        assert "strategy ema" in finding
        # What it says to do is enough: the file brings nothing again.
        void(Trade.objects.get(trade_id="zerodha-NFO-2").pk, by="asha", reason="the exit of T1")
        close_position("main", "T1", "ema", FUTURE, exit_price=110, exit_time=both[1].at)
        outcome = imported(*both)
        assert (outcome.findings, outcome.refused, open_trades()) == ([], [], [])

    def test_the_sale_of_a_share_and_the_trade_it_may_close_are_both_named(self) -> None:
        by_the_bot("RELIANCE")
        sale = line("2", "SELL", 75, 110)
        (finding,) = imported(sale).findings
        assert "sale 2 of 2026-06-01 (75)" in finding and "trade T1 of 2026-06-01 (LONG 75" in finding
        close_position("main", "T1", "ema", "RELIANCE", exit_price=110, exit_time=sale.at, fill_id="2")
        outcome = imported(sale)
        assert (outcome.findings, outcome.opening_sales, open_trades()) == ([], 0, [])

    def test_trades_of_one_side_are_in_order(self) -> None:
        by_the_bot(FUTURE)
        assert imported(future("2", "BUY", 50, 110)).findings == []
        assert len(open_trades()) == 2

    @pytest.mark.parametrize(
        ("order", "words"), [("77", "order 77 of .* stands twice"), (None, "1 of .* may stand twice")]
    )
    @pytest.mark.parametrize("at_the_same_time", [False, True])
    def test_a_fill_that_a_strategy_tells_without_an_id_behind_the_file_is_named(
        self, order: str | None, words: str, at_the_same_time: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No call of a strategy is refused for it: what it says is a fact of its own until a person has looked."""
        bought, keep_fills = line("1", "BUY", 75, 100, minute=0, order_id="77"), importing._keep_fills

        def behind_the_look(*arguments: Any) -> None:
            by_the_bot("RELIANCE", order_id=order)
            keep_fills(*arguments)

        with monkeypatch.context() as patch:
            if at_the_same_time:
                patch.setattr(importing, "_keep_fills", behind_the_look)
            assert import_fills("main", statement([bought])).findings == []
        if not at_the_same_time:
            by_the_bot("RELIANCE", order_id=order)
        (finding,) = imported(bought).findings
        assert re.search(words, finding)
        void(Trade.objects.get(trade_id="zerodha-NSE-1").pk, by="asha", reason="T1 is it")
        assert (imported(bought).findings, open_trades()) == ([], ["T1"])


class TestListings:
    """A share that was bought on one exchange and sold on the other."""

    BUY = line("1", "BUY", 10, 100, instrument={"isin": ISIN})
    SELL = line("5", "SELL", 10, 120, day=2, instrument={"isin": ISIN, "exchange": "BSE", "symbol": "500325"})

    @pytest.mark.parametrize("order", ["one file", "bought first", "sold first"])
    def test_both_are_named_whatever_file_comes_first(self, order: str) -> None:
        files = {
            "one file": [[self.BUY, self.SELL]],
            "bought first": [[self.BUY], [self.SELL]],
            "sold first": [[self.SELL], [self.BUY]],
        }[order]
        outcomes = [imported(*fills) for fills in files]
        (finding,) = outcomes[-1].findings
        assert all(outcome.findings == [] for outcome in outcomes[:-1])
        assert "RELIANCE (strategy imported) and BSE:500325 (strategy imported) are one share, " + ISIN in finding
        assert "trade zerodha-NSE-1 of 2026-06-01 (10 open)" in finding and "the sale of 10 on 2026-06-03" in finding
        assert "opening_sales --give" in finding

    def test_a_purchase_after_the_sale_is_another_matter(self) -> None:
        later = line("1", "BUY", 10, 100, day=4, instrument={"isin": ISIN})
        assert imported(later, self.SELL).findings == []
        other = line("9", "BUY", 10, 100, instrument={"isin": "INE009A01021", "symbol": "INFY"})
        assert imported(other).findings == []


class TestOrders:
    """An order's line, or the sum that a bill tells, beside what a strategy booked of it."""

    @pytest.mark.parametrize(
        ("file_order", "order", "ids", "reasons"),
        [
            ("77", "77", ("1", "2"), []),
            ("77", "77", (None, None), []),
            ("77", None, ("1", "2"), ["booked_without_id"]),
            ("bill-501-BUY", "77", ("1", "2"), ["booked_without_id"]),
            ("bill-501-BUY", "77", (None, None), ["booked_without_id"]),
            ("bill-501-BUY", None, ("1", "2"), ["booked_without_id"]),
            (None, "77", ("1", "2"), ["booked_without_id"]),
            (None, "77", (None, None), ["booked_without_id"]),
        ],
    )
    def test_it_is_not_booked_beside_them(
        self, file_order: str | None, order: str | None, ids: tuple[str | None, str | None], reasons: list[str]
    ) -> None:
        ordered = line(None, "BUY", 125, 100.4, minute=2, kind=FillKind.ORDER, order_id=file_order)
        by_the_bot("RELIANCE", fill_id=ids[0], order_id=order)
        add_fill("main", "T1", "BUY", 101, 50, OPEN, fill_id=ids[1], order_id=order)
        outcome = imported(ordered)
        assert ([row.reason for row in outcome.refused], outcome.findings) == (reasons, [])
        assert (outcome.already_known, open_trades()) == (1 - len(reasons), ["T1"])

    @pytest.mark.parametrize("file_order", ["77", "bill-501-BUY", None])
    def test_of_another_side_or_order_it_is_booked(self, file_order: str | None) -> None:
        of_order = file_order == "77"
        by_the_bot("RELIANCE", "LONG" if of_order else "SHORT", fill_id="1", order_id="78")
        ordered = line(None, "BUY", 75, minute=2, kind=FillKind.ORDER, order_id=file_order)
        assert imported(ordered).refused == []
        assert len(open_trades()) == 2

    def test_an_order_of_another_quantity_than_was_booked_of_it_is_named(self) -> None:
        by_the_bot("RELIANCE", fill_id="1", order_id="77")
        (finding,) = imported(line(None, "BUY", 100, kind=FillKind.ORDER, order_id="77")).findings
        assert "order 77 of 2026-06-01 is booked with another quantity" in finding

    @pytest.mark.parametrize(
        ("told", "words"),
        [
            ({"kind": FillKind.ORDER, "order_id": "77"}, "order 77 of 2026-06-01 stands twice"),
            ({"kind": FillKind.ORDER, "order_id": "bill-501-BUY"}, "fill order-bill-501-BUY-75 of .* may stand twice"),
            ({}, "fill row-.* may stand twice"),
        ],
    )
    def test_what_a_strategy_tells_with_ids_behind_the_file_is_named(self, told: dict[str, Any], words: str) -> None:
        row = line(None, "BUY", 75, minute=0, **told)
        assert imported(row).findings == []
        by_the_bot("RELIANCE", fill_id="1", order_id="77")
        (finding,) = imported(row).findings
        assert re.search(words, finding)

    def test_a_fill_with_an_id_and_no_order_is_not_booked_beside_an_order_that_is_like_it(self) -> None:
        by_the_bot("RELIANCE", order_id="77")
        assert [row.reason for row in imported(line("1", "BUY", 75)).refused] == ["booked_without_id"]
        assert imported(line("2", "BUY", 75, order_id="78")).fills == 1
