"""Rows read as lines are the rows that the ORM brings, whatever stands in their texts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trading.models import Realisation, Signal, SignalCondition
from trading.operations.add_fill import add_fill
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.record_signal import record_signal
from trading.queries.exit_tables import COLUMNS, REPEATS, WHOLE_OF_TRADE
from trading.queries.lines import REAL, WHOLE, numbers, table_by_key, table_of, texts_by, words
from trading.queries.tables_in_order import tables_in_order

pytestmark = pytest.mark.ledger
OPENED = datetime(2021, 4, 12, 4, tzinfo=UTC)
REASONS = ('said "stop"', "a, b", "two\nlines\x1f", "'%s' %w \\", "", "ü€", "NULL", '"')


def test_every_value_comes_as_it_is(ledger: Any) -> None:
    for number, reason in enumerate(REASONS):
        at = OPENED + timedelta(days=number // 3, microseconds=number)
        bought: dict[str, Any] = {"entry_price": "500.00000001", "quantity": 3, "entry_time": at}
        open_position("main", f"T{number}", "one", "SBIN", **bought)
        ended = at + timedelta(minutes=number, microseconds=7)
        sold: dict[str, Any] = {"exit_price": 499, "exit_time": ended, "exit_reason": reason}
        close_position("main", f"T{number}", "one", "SBIN", **sold)
    table = table_of(Realisation.objects.all(), COLUMNS, by=["day"], stage="reading")
    rows = sorted(table.to_pylist(), key=lambda row: row["trade_id"])
    assert [row["trade__exit_reason"] for row in rows] == list(REASONS)
    for row, realisation in zip(rows, Realisation.objects.order_by("trade_id"), strict=True):
        trade = realisation.trade
        assert row["at"] == realisation.at.replace(tzinfo=None) and row["day"] == realisation.day
        assert row["trade__opened_at"] == trade.opened_at.replace(tzinfo=None)
        assert row["pnl"] == realisation.pnl * 10**8 == -3 * (10**8 + 1)
        assert row["trade__charges"] is row["charges"] is None
        assert row["closes"] is True and json.loads(row["trade__flags"]) == trade.flags
    assert numbers(table["day"]).min() == OPENED.date().toordinal()


def test_no_rows_are_columns_of_none(ledger: Any) -> None:
    table = table_of(Realisation.objects.all(), COLUMNS, by=["day"], stage="reading")
    assert len(table) == 0 and len(numbers(table["pnl"])) == 0
    codes, names = words(table["trade__side"])
    assert len(codes) == 0 and names == []


def test_columns_that_lines_are_put_together_by_come_with_each_row(ledger: Any) -> None:
    for number in range(6):
        at = OPENED + timedelta(days=number % 2, minutes=number)
        strategy, wanted = f"s{number % 3}", {"exit_price": 499, "exit_time": at + timedelta(minutes=1)}
        open_position("main", f"T{number}", strategy, "SBIN", entry_price=500, quantity=3, entry_time=at)
        close_position("main", f"T{number}", strategy, "SBIN", **wanted)
    rows = Realisation.objects.all()
    one, several = (table_of(rows, COLUMNS, by=by, stage="reading") for by in ((), ("day", "strategy_id")))
    in_order = next(tables_in_order(rows.order_by("trade_id"), {"pk": WHOLE, **COLUMNS}, 100)).drop_columns("pk")
    expected = sorted(one.to_pylist(), key=lambda row: row["trade_id"])
    assert sorted(several.to_pylist(), key=lambda row: row["trade_id"]) == expected == in_order.to_pylist()
    assert one.schema.field("day").type == several.schema.field("day").type


def test_floats_and_texts_of_signals_come_as_they_were_recorded(ledger: Any) -> None:
    floats = (0.1, 1 / 3, -2.5e-17, 1e22, 123456.78901234567, 5e-324, 7.0)
    for number, value in enumerate(floats):
        at = OPENED + timedelta(minutes=number)
        record_signal("main", "one", "SBIN", at, {"x": value, "said": 'a "b", ü'}, decision="SKIPPED")
    table = table_by_key(SignalCondition.objects.all(), {"value": REAL}, stage="reading")
    assert sorted(table["value"].to_pylist()) == sorted(floats)
    keys, texts = texts_by(Signal.objects.all(), key="pk", path="conditions")
    recorded = dict(Signal.objects.values_list("pk", "conditions"))
    assert {key: json.loads(text) for key, text in zip(keys.tolist(), texts.to_pylist(), strict=True)} == recorded
    keys, texts = texts_by(Signal.objects.filter(pk=-1), key="pk", path="conditions")
    assert len(keys) == len(texts) == 0


def test_what_repeats_the_exit_is_left_out_and_few_different_values_are_written_as_one_word(ledger: Any) -> None:
    for number, reason in enumerate(REASONS):
        at = OPENED + timedelta(minutes=number)
        strategy = f"s{number % 2}"
        open_position("main", f"T{number}", strategy, "SBIN", entry_price=500, quantity=4, entry_time=at)
        ended: dict[str, Any] = {"exit_price": 499, "exit_time": at + timedelta(minutes=1), "exit_reason": reason}
        if number % 3 == 0:  # two exits, so neither is the whole trade
            add_fill("main", f"T{number}", "SELL", 499, 1, at + timedelta(seconds=9))
        close_position("main", f"T{number}", strategy, "SBIN", charges=None if number % 2 else 7, **ended)
    rows = Realisation.objects.all()
    whole = table_of(rows, COLUMNS, by=(), stage="reading")
    by_day = table_of(rows, COLUMNS, by=("day", "strategy_id"), stage="reading", repeats=REPEATS)
    by_key = table_by_key(rows, COLUMNS, stage="reading", repeats=REPEATS)
    expected = in_order(whole.to_pylist())
    assert any(row["pnl"] != row["trade__realised_pnl"] for row in expected)
    assert {row["trade__charges"] is None for row in expected} == {True, False}
    for table in (by_day, by_key):
        assert set(table.column_names) == set(COLUMNS)
        assert in_order([filled(row) for row in table.to_pylist()]) == expected
        alone = [row for row in table.to_pylist() if row["trade__realised_pnl"] is None]
        assert 0 < len(alone) < len(expected)
        assert all(row["trade__charges"] is row["trade__closed_at"] is None for row in alone)


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["trade_id"], row["at"]))


def filled(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with what it left out as a repeat."""
    if row["trade__realised_pnl"] is not None:
        return row
    return row | dict(zip(WHOLE_OF_TRADE, (row["pnl"], row["charges"], row["at"]), strict=True))
