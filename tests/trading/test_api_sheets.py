"""What is no list, as a sheet: the cells say what JSON says, and nothing that is not known is 0."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from tests.trading.book import AT, MINUTE, closed, filled, opened
from tests.trading.test_api import ROOT, Caller, _fresh_rates, caller  # noqa: F401 - a fixture
from trading.operations.update_trailing_sl import update_trailing_sl

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved", "alone")]


def sheet(program: Caller, path: str) -> list[dict[str, str]]:
    """Return the rows of a sheet, each by its columns."""
    answer = program.client.get(ROOT + path, headers={"Accept": "text/csv"})
    assert (answer.status_code, answer["Content-Type"], answer["Vary"]) == (200, "text/csv; charset=utf-8", "Accept")
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def two_days() -> Caller:
    """Book a day with two strategies, one of which a spreadsheet could run, and a day with one."""
    for trade_id, strategy_id, day in (("T1", "=cmd|calc", 0), ("T2", "ema cross", 0), ("T3", "ema cross", 3)):
        at = AT + MINUTE * 1440 * day
        opened(trade_id, strategy_id=strategy_id, entry_time=at)
        closed(trade_id, strategy_id=strategy_id, exit_time=at + MINUTE, charges="3.10")
    return caller("read")


def cell_of(figure: object) -> str:
    return "" if figure is None else str(figure)


def test_the_sheet_of_a_day_has_a_row_for_each_strategy_and_a_total_without_a_name() -> None:
    program = two_days()
    day, rows = program.get("day?day=2024-03-15")[1], sheet(program, "day?day=2024-03-15")
    assert [row["strategy_id"] for row in rows] == ["'=cmd|calc", "ema cross", ""]
    assert {row["date"] for row in rows} == {"2024-03-15"}
    for row, figures in zip(rows[1:], [day["strategies"][1], day["total"]], strict=True):
        assert list(row) == ["date", *figures]
        assert {name: cell_of(figure) for name, figure in figures.items()} == {name: row[name] for name in figures}, row
    strategies = [Decimal(row["total_pnl"]) for row in rows if row["strategy_id"]]
    assert sum(strategies) == Decimal(rows[-1]["total_pnl"]) == Decimal(day["total"]["total_pnl"])


def test_the_sheet_of_days_ends_with_the_total_of_all_which_has_no_date() -> None:
    program = two_days()
    rows = sheet(program, "days?first=2024-03-01&last=2024-03-31")
    assert [(row["date"], row["strategy_id"]) for row in rows] == [
        ("2024-03-15", "'=cmd|calc"),
        ("2024-03-15", "ema cross"),
        ("2024-03-15", ""),
        ("2024-03-18", "ema cross"),
        ("2024-03-18", ""),
        ("", ""),
    ]
    total = program.get("days?first=2024-03-01&last=2024-03-31")[1]["total"]
    assert rows[-1]["total_pnl"] == total["total_pnl"] and rows[-1]["win_rate"] == str(total["win_rate"])
    nothing = sheet(program, "days?first=2020-01-01&last=2020-01-02")
    assert [(row["date"], row["total_trades"]) for row in nothing] == [("", "0")]


def test_the_sheet_of_charges_has_every_head_and_leaves_open_what_is_not_known() -> None:
    program = two_days()
    charges, rows = program.get("charges")[1], sheet(program, "charges")
    assert len(rows) == len(charges["days"]) == 2
    for row, day in zip(rows, charges["days"], strict=True):
        assert (row["date"], row["segment"], row["market"]) == (day["date"], cell_of(day["segment"]), day["exchange"])
        for head in ("brokerage", "stt", "ctt", "exchange", "ipft", "sebi", "stamp", "gst", "dp", "other"):
            assert row[head] == cell_of(day["heads"].get(head, "0")), head
        assert row["total"] == cell_of(day["total"])
        assert row["unsettled"].split() == [head for head, mark in day["sure"].items() if mark == "?"]
    assert "" in {row[head] for row in rows for head in row}, "the desk has charges that are not known"
    assert sheet(caller("read", name="other"), "charges?first=2020-01-01&last=2020-01-02") == []


def test_the_sheet_of_a_trade_has_an_event_a_row_by_time() -> None:
    opened("T1", fill_id="F1", signal_conditions={"rsi": 61, "note": "a,b"})
    update_trailing_sl("main", "T1", "ema cross", "RELIANCE", "2445", "2460", "=cmd|calc", at=AT + MINUTE)
    filled("SELL", "2460", 4, at=AT + MINUTE * 2, fill_id="F2", charges="1.25")
    closed("T1", exit_time=AT + MINUTE * 3)
    program = caller("read")
    rows = sheet(program, "trade/whole?trade_id=T1")
    assert [row["event"] for row in rows] == ["signal", "fill", "stop", "fill", "fill"]
    assert {(row["trade_id"], row["strategy_id"], row["symbol"]) for row in rows} == {("T1", "ema cross", "RELIANCE")}
    whole = program.get("trade/whole?trade_id=T1")[1]
    fills = [row for row in rows if row["event"] == "fill"]
    for row, facts in zip(fills, whole["fills"], strict=True):
        assert {name: row[name] for name in facts} == {name: cell_of(fact) for name, fact in facts.items()}
        assert row["stop_price"] == row["decision"] == ""
    assert rows[0]["conditions"] == '{"rsi": 61, "note": "a,b"}' and rows[0]["decision"] == "TAKEN"
    assert rows[2]["method"] == "'=cmd|calc" and rows[2]["at"] == whole["stops"][0]["at"]
    figures = sheet(program, "trade?trade_id=T1")
    assert figures == sheet(program, "trades") and figures[0]["trade_id"] == "T1"


@pytest.mark.parametrize("path", ["day", "days?first=2024-03-15&last=2024-03-15", "charges", "trade?trade_id=T1"])
def test_another_form_is_refused_and_a_fault_is_a_problem_whatever_is_accepted(path: str) -> None:
    program = caller("read")
    if path.startswith("trade"):
        missing = program.client.get(ROOT + path, headers={"Accept": "text/csv"})
        assert (missing.status_code, missing["Content-Type"]) == (404, "application/problem+json")
        opened("T1")
    refused = program.client.get(ROOT + path, headers={"Accept": "application/pdf"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")
