"""Rows that are looked at all together: nothing that a look at each of them finds is hidden by it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
from django.db import connection

from trading.domain.chain import Body
from trading.proof.rows import Difference, Findings, StoredRow, TableColumns, Tables

TRADE: Body = {
    "id": 1,
    "account_id": 1,
    "strategy_id": 2,
    "instrument_id": 3,
    "trade_id": "T1",
    "trading_day": "2024-03-15",
    "side": "LONG",
    "opened_at": "2024-03-15T04:00:00.000000Z",
    "closed_at": None,
    "recorded_at": "2024-03-15T04:00:00.250000Z",
    "stop_price": 100,
    "charges": None,
    "flags": ["GAP"],
    "state": "OPEN",
}


def trades(count: int) -> list[Body]:
    return [{**deepcopy(TRADE), "id": number, "trade_id": f"T{number}"} for number in range(1, count + 1)]


def stored(expected: list[Body]) -> list[list[object]]:
    """Return the rows as this database has them, with NULL where nothing is expected."""
    columns = TableColumns("trading_trade", connection.vendor)
    rows = []
    for one in expected:
        cells = {**columns.encoded(one), "flags": '["GAP"]'}
        rows.append([cells.get(name) for name in columns.columns])
    return rows


def differences(expected: list[Body], rows: list[list[object]]) -> list[Difference]:
    findings = Findings()
    of_rows: list[StoredRow] = list(map(tuple, rows))
    assert Tables(connection, findings).compare("trading_trade", expected, of_rows) == len(expected)
    return findings.finish()


@pytest.fixture
def each(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Body], list[list[object]]], list[Difference]]:
    """What the look at each row finds."""

    def found(expected: list[Body], rows: list[list[object]]) -> list[Difference]:
        with monkeypatch.context() as patch:
            patch.setattr(TableColumns, "are_all_equal", lambda *_: False)
            return differences(expected, rows)

    return found


def test_rows_that_are_as_expected_need_no_look_at_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = trades(3)
    monkeypatch.setattr(TableColumns, "compare", None)
    assert differences(expected, stored(expected)) == []


@pytest.mark.parametrize("name", list(TRADE))
@pytest.mark.parametrize("cell", [None, 7, "", "x", "[]", '["GAP","GAP"]', "2024-03-15 04:00:00.1"], ids=repr)
def test_a_cell_that_differs_in_one_row_is_found(
    name: str, cell: object, each: Callable[[list[Body], list[list[object]]], list[Difference]]
) -> None:
    expected = trades(3)
    rows = stored(expected)
    rows[1][TableColumns("trading_trade", connection.vendor).index[name]] = cell
    found = differences(expected, rows)
    assert found == each(expected, rows)
    assert bool(found) == (TRADE[name] != cell)


@pytest.mark.parametrize("time", [5, "noon", [], {}, ""], ids=repr)
def test_a_time_that_the_journal_garbles_is_found(
    time: object, each: Callable[[list[Body], list[list[object]]], list[Difference]]
) -> None:
    expected = trades(3)
    rows = stored(expected)
    expected[2]["opened_at"] = time
    found = differences(expected, rows)
    assert found == each(expected, rows)
    assert [difference.field for difference in found] == ["opened_at"]


@pytest.mark.parametrize(
    "change",
    [
        lambda expected, rows: rows.pop(),
        lambda expected, rows: expected.pop(),
        lambda expected, rows: rows.append(rows[0]),
        lambda expected, rows: rows.reverse(),
        lambda expected, rows: expected[0].pop("id"),
        lambda expected, rows: (expected[0].pop("id"), rows[0].__setitem__(0, 9)),
        lambda expected, rows: expected.append(expected[0]),
        lambda expected, rows: expected[1].__setitem__("unknown", 1),
    ],
    ids=["missing", "too many", "twice", "another order", "no key", "another key", "expected twice", "no column"],
)
def test_rows_that_are_no_pairs_are_looked_at_one_by_one(
    change: Callable[[list[Body], list[list[object]]], object],
    each: Callable[[list[Body], list[list[object]]], list[Difference]],
) -> None:
    expected = trades(3)
    rows = stored(expected)
    change(expected, rows)
    assert differences(expected, rows) == each(expected, rows)
