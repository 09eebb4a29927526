"""The same fills in any files: overlapping, in any order, with kills between, they make the same ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from tests.trading.statements import DAY, future, line, statement
from trading.bookkeeping import journal
from trading.brokers.values import ChargeLine, FillLine, Head, Place, Statement
from trading.models import DayTotal, Fill, Realisation, Trade
from trading.operations.create_account import create_account
from trading.operations.import_charges import import_charges
from trading.operations.import_fills import import_fills

pytestmark = pytest.mark.usefixtures("proved")
# A few of them on a server, too: what is random is which fills and which files, not the database.
SEEDS = [pytest.param(seed, marks=pytest.mark.ledger if seed < 3 else ()) for seed in range(12)]
STANDING = {"trade__state__in": ("OPEN", "CLOSED")}


class KilledError(Exception):
    """What stands for a kill: nothing of the transaction it comes in is kept."""


def account(code: str) -> str:
    create_account(code, book="paper", currency="INR", zone="Asia/Kolkata", capital=0, capital_date=DAY)
    return code


def books(code: str) -> list[list[tuple[Any, ...]]]:
    """Every trade, fill, realisation and day total, but for keys and times of recording."""
    of = {"account__code": code}
    trades = Trade.objects.filter(**of, state__in=("OPEN", "CLOSED")).values_list(
        *("trade_id", "strategy__code", "instrument__symbol", "trading_day", "side", "state", "opened_at", "closed_at"),
        *("open_quantity", "open_cost", "entry_quantity", "entry_value", "realised_pnl", "charges", "exit_reason"),
    )
    fills = Fill.objects.filter(trade__account__code=code, **STANDING).values_list(
        *("trade__trade_id", "sequence", "fill_id", "order_id", "side", "role", "price", "quantity", "charges", "at")
    )
    realised = Realisation.objects.filter(**of).values_list(
        *("trade__trade_id", "fill__sequence", "day", "at", "quantity", "cost", "proceeds", "charges", "pnl", "closes")
    )
    totals = DayTotal.objects.filter(**of).values_list(
        *("strategy__code", "instrument__symbol", "day", "gross_pnl", "charges", "gross_profit", "gross_loss"),
        *("trades_closed", "wins", "losses", "breakevens", "trades_without_charges"),
    )
    return [sorted(map(tuple, rows), key=str) for rows in (trades, fills, realised, totals)]


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the journal's row number ``step`` from here fail, and with it all that its transaction wrote."""
    left = [step]
    plain = journal._link

    def link(*args: Any, **keywords: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KilledError
        return plain(*args, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_link", link)
        yield


def random_fills(choice: Random) -> list[FillLine]:
    fills = []
    for number in range(1, choice.randint(8, 24)):
        make = choice.choice([future, line])
        charges: dict[str, Any] = {"charges": choice.choice([{}, {Head.BROKERAGE: Decimal("1.23")}])}
        fills.append(
            make(
                str(number),
                choice.choice(["BUY", "SELL"]),
                choice.choice([10, 25, 50]),
                choice.choice(["100.05", "99.95", "101"]),
                day=choice.randint(0, 3),
                minute=choice.randint(0, 5),
                **charges,
            )
        )
    return fills


def pieces(fills: Sequence[FillLine], choice: Random) -> list[list[FillLine]]:
    """Files that overlap and hold all fills together, in any order and each in any order of rows."""
    files = [[fill for fill in fills if choice.random() < 0.5] for _ in range(3)]
    files.append([fill for fill in fills if not any(fill in file for file in files)])
    files = [file for file in files if file]
    for file in files:
        choice.shuffle(file)
    choice.shuffle(files)
    return files


def note(fills: Sequence[FillLine], choice: Random) -> Statement:
    """Return what a contract note states of some of the fills' days: charges alone."""
    days = sorted({fill.day for fill in fills if choice.random() < 0.5})
    charges = tuple(
        ChargeLine(Place("note.pdf", "", 1), head, Decimal(amount), day, day, on_note=True)
        for day in days
        for head, amount in ((Head.STT, "2"), (Head.GST, "0.37"))
    )
    return statement((), sha256="0" * 64, charges=charges)


def bring(code: str, told: Statement) -> None:
    outcome = import_fills(code, told)
    assert (outcome.refused, outcome.findings) == ([], [])
    import_charges(code, told)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_split_in_any_order_with_kills_makes_the_same_ledger(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    choice = Random(seed)
    fills = random_fills(choice)
    whole, split = account("whole"), account("split")
    files = [*map(statement, pieces(fills, choice)), note(fills, choice)]
    choice.shuffle(files)
    bring(whole, statement(fills))
    bring(whole, next(file for file in files if not file.fills))
    for file in files:
        if choice.random() < 0.5:
            with killed_at(choice.randint(0, 12), monkeypatch), suppress(KilledError):
                bring(split, file)
        bring(split, file)
    assert books(split) == books(whole)


@pytest.mark.parametrize("seed", SEEDS[1:5])
def test_files_without_ids_that_overlap_by_whole_days_make_the_same_ledger(seed: int) -> None:
    choice = Random(seed)
    fills = [
        future(None, choice.choice(["BUY", "SELL"]), 10, 100, day=day, minute=minute // 2, place=place(day, minute))
        for day in range(4)
        for minute in range(4)
    ]
    whole, split = account("whole"), account("split")
    import_fills(whole, statement(fills))
    spans = [(0, 1), (1, 2), (2, 3), (0, 3)]
    choice.shuffle(spans)
    for first, last in spans:
        outcome = import_fills(split, statement([fill for fill in fills if first <= (fill.day - DAY).days <= last]))
        assert (outcome.refused, outcome.findings) == ([], [])
    assert books(split) == books(whole)


def place(day: int, minute: int) -> Any:
    return future(None, "BUY", 1).place.__class__("made.csv", "", day * 4 + minute + 1)


@pytest.mark.ledger
def test_a_cut_within_equal_fills_is_named_and_nothing_is_booked_twice() -> None:
    fills = [future(None, "BUY", 10, minute=1) for _ in range(3)]
    code = account("cut")
    import_fills(code, statement(fills[:2]))
    outcome = import_fills(code, statement(fills))
    assert (outcome.fills, outcome.already_known) == (1, 2)
    assert [finding.partition(":")[2][:37] for finding in outcome.findings] == ["NIFTY26JUNFUT: another file tells oth"]
    assert Trade.objects.get(account__code=code).open_quantity == 30


@pytest.mark.ledger
def test_rows_without_ids_beside_fills_with_ids_are_refused_either_way_round() -> None:
    with_id, without = future("1", "BUY", 10), future(None, "BUY", 10, minute=1)
    first, second = account("first"), account("second")
    import_fills(first, statement([with_id]))
    assert [row.reason for row in import_fills(first, statement([without])).refused] == ["ids_known"]
    import_fills(second, statement([without]))
    assert [row.reason for row in import_fills(second, statement([with_id])).refused] == ["rows_known"]
    assert {row.open_quantity for row in Trade.objects.all()} == {10}
