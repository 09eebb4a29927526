"""Trades as files, row by row: each cell is what the ORM's row and the pure functions make of it, in every format."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command

from tests.trading.test_trade_export import AT, closed, opened, told
from trading.domain.display import json_text
from trading.domain.export import ColumnKind
from trading.domain.plain_json import to_json
from trading.domain.position import in_risks
from trading.domain.spreadsheet import cell
from trading.models import Excursion, Review, Trade, User
from trading.operations.add_fill import add_fill
from trading.operations.void import void
from trading.pages.export_text import rows_of
from trading.queries import kept_tables, trade_columns, trade_export
from trading.queries.accounts import get_account
from trading.queries.average_prices import averages_of, exit_value
from trading.queries.excursions import fields_of
from trading.queries.instruments import shown_symbol
from trading.queries.results import earned_by, result_word
from trading.queries.trade_list import review_state

KINDS, HEADER = trade_export.KINDS, trade_export.HEADER
DESK = ZoneInfo("Asia/Kolkata")
TRADES = 40
Row = dict[str, Any]


def expected(trade: Trade) -> Row:
    """Return the cells of a trade from its row, in the order of the file."""
    review, is_void = getattr(trade, "review", None), trade.state == "VOID"
    averages, earned = averages_of([trade])[trade.pk], earned_by(trade)
    left = Decimal(0) if is_void else trade.entry_quantity - trade.open_quantity
    sold = exit_value(trade.side, trade.entry_value, trade.open_cost, trade.realised_pnl) if left else Decimal(0)
    values = (trade.entry_value, sold) if trade.side == "LONG" else (sold, trade.entry_value)
    conditions: Row = {}
    for signal in trade.signals.order_by("at", "pk"):
        conditions = {**signal.conditions, **conditions}
    facts: Row = {
        "account": trade.account.code,
        "currency": trade.account.currency,
        "strategy": trade.strategy.code,
        "symbol": shown_symbol(trade.instrument.exchange.code, trade.instrument.symbol),
        "result": result_word(trade.state, earned),
        "entry_price": averages.entry,
        "exit_price": averages.exit if left else None,
        "exit_quantity": left,
        "gross_pnl": trade.realised_pnl,
        "net_pnl": None if trade.charges is None else earned,
        "r_multiple": None if trade.closed_at is None else in_risks(earned, trade.initial_risk),
        "flags": " ".join(trade.flags),
        "review": review_state(trade),
        "tags": None if review is None else ", ".join(review.tags),
        "reviewed_by": None if review is None or review.reviewed_by is None else review.reviewed_by.username,
        "buy_value": values[0],
        "sell_value": values[1],
        "conditions": conditions,
        "charges_estimated": None,
        **dict(fields_of(trade)),
    }
    for name in ("rating", "mistakes", "notes", "reviewed_at"):
        facts[name] = getattr(review, name, None)
    return {name: facts[name] if name in facts else getattr(trade, name) for name in HEADER}


def at_desk(row: Row) -> list[Any]:
    return [value.astimezone(DESK) if isinstance(value, datetime) else value for value in row.values()]


def in_csv(rows: list[Row]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows([HEADER, *([cell(value) for value in at_desk(row)] for row in rows)])
    return file.getvalue()


def as_plain_json(rows: list[Row]) -> Any:
    return json.loads(to_json(rows))


def as_parquet(row: Row) -> Row:
    return {name: json_text(value) if KINDS.get(name) == ColumnKind.OBJECT else value for name, value in row.items()}


@pytest.fixture
def rows(ledger: Any) -> Iterator[list[Row]]:
    """Trades of every state and size, of which later ones were often opened earlier; some reviewed, measured, seen."""
    chance, reviewer = random.Random(20240315), User.objects.create_user("asha")
    for number in range(TRADES):
        at = AT + timedelta(minutes=chance.randrange(300), microseconds=chance.choice((0, 0, 120, 999_999)))
        price, quantity = Decimal(chance.randrange(1, 10**6)) / 100, chance.choice(("3", "7.25", "0.00000001", "40000"))
        side = chance.choice(("LONG", "SHORT"))
        opened(
            f"{chance.choice('=-a,')}{number}", entry_price=price, quantity=quantity, entry_time=at, side=side,
            stop_price=chance.choice((None, price * 2 if side == "SHORT" else price / 2)),
            strategy=f"s{number % 3}", symbol=("RELIANCE", "SBIN")[number % 2],
            **({"signal_conditions": {"rsi": number / 7, "said": '"x", y'}} if number % 4 == 0 else {}),
        )  # fmt: skip
        trade = Trade.objects.get(pk=number + Trade.objects.order_by("pk")[0].pk)
        if number % 5:
            if quantity == "7.25":
                add_fill("main", trade.trade_id, "SELL" if side == "LONG" else "BUY", price, "2.125", at)
            exit_time, charges = at + timedelta(minutes=chance.randrange(3, 30)), chance.choice((None, 1, "-0.5"))
            leaving = {"exit_time": exit_time, "charges": charges, "exit_reason": chance.choice(("", 'a "b", c\n'))}
            closed(trade.trade_id, price + number - 20 if price > 30 else price, strategy=f"s{number % 3}",
                   symbol=("RELIANCE", "SBIN")[number % 2], **leaving)  # fmt: skip
        if number % 9 == 8:
            void(trade.pk, by="asha", reason="never was")
        if number % 6 == 1:
            Review(
                trade=trade, state=chance.choice(("OPEN", "DONE")), tags=["late", "news"][: number % 3],
                notes=chance.choice(("", "two\r\nlines")), rating=chance.choice((None, 5)),
                reviewed_by=chance.choice((None, reviewer)), reviewed_at=chance.choice((None, AT)),
            ).save()  # fmt: skip
        if number % 7 == 2:
            Excursion(
                trade=trade, mae=Decimal(-number), mae_price=price, mae_at=at, mfe=Decimal(number) / 3 // 1,
                mfe_price=price, mfe_at=at + timedelta(seconds=3), ticks=number,
                quiet_seconds=chance.choice((None, 31.5)), measured_at=AT,
            ).save()  # fmt: skip
    yield [expected(trade) for trade in Trade.objects.order_by("opened_at", "pk")]


@pytest.mark.ledger
@pytest.mark.parametrize(("rows_at_a_time", "kept_from"), [(7, 0), (20_000, 20_000)], ids=["kept", "read"])
def test_every_cell_of_every_format_is_that_of_the_trades_row(
    rows: list[Row], rows_at_a_time: int, kept_from: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_tables, "SOUGHT_MIN", kept_from)
    monkeypatch.setattr(trade_columns, "ROWS_AT_A_TIME", rows_at_a_time)
    assert {row["state"] for row in rows} == {"OPEN", "CLOSED", "VOID"} and len(rows) == TRADES
    written = list(csv.reader(io.StringIO(told("csv"), newline="")))
    for mine, theirs in zip(written, csv.reader(io.StringIO(in_csv(rows), newline="")), strict=True):
        assert mine == theirs
    for mine, theirs in zip(json.loads(told("json"))["trades"], as_plain_json(rows), strict=True):
        assert list(mine.items()) == list(theirs.items())
    call_command("trade_export", "--format", "parquet", "--output", str(tmp_path / "trades.parquet"))
    for mine, theirs in zip(pq.read_table(tmp_path / "trades.parquet").to_pylist(), rows, strict=True):
        assert mine == as_parquet(theirs)
    for order in ("opened_at", "-trade_id"):
        trades = Trade.objects.order_by(order, "pk")
        by_id = {row["trade_id"]: tuple(at_desk(row)) for row in rows}
        blocks = trade_export.export_blocks(trades, get_account("main"))
        in_order = [row for block in blocks for row in rows_of(block)]
        assert in_order == [by_id[trade_id] for trade_id in trades.values_list("trade_id", flat=True)]


@pytest.mark.ledger
def test_a_file_of_kept_trades_is_that_of_trades_read_anew_whatever_was_booked_since(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trade_columns, "ROWS_AT_A_TIME", 3)
    for number in range(8):  # the newest first; of two days
        opened(f"T{number}", strategy=f"s{number % 2}", entry_time=AT + timedelta(days=number // 4, minutes=-number))
    narrowed = ((), ("--from", "2024-03-16"), ("--to", "2024-03-15"), ("--strategy", "s1"), ("--where", "state=VOID"))

    def files(kept_from: int) -> list[str]:
        monkeypatch.setattr(kept_tables, "SOUGHT_MIN", kept_from)
        return [told("csv", *options) for options in narrowed]

    assert files(0) == files(20_000)
    void(Trade.objects.get(trade_id="T6").pk, by="asha", reason="never was")
    closed("T3", "104.5", strategy="s1", exit_time=AT + timedelta(minutes=9))
    opened("late", entry_time=AT + timedelta(minutes=-2))
    whole, *parts = files(0)
    assert [whole, *parts] == files(20_000)
    rows_of_parts = [list(csv.reader(io.StringIO(part, newline=""))) for part in (whole, *parts)]
    assert list(map(len, rows_of_parts)) == [10, 5, 6, 5, 2]
