"""Every SQL of every panel, variable and mark, asked of a real PostgreSQL by Grafana's role: rows, and true ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.rows import dict_row

from ops.grafana.__main__ import DASHBOARDS
from ops.grafana.parts import POSTGRES
from tests.conftest import Ledger, Maker
from tests.grafana_desk import BOOKS, GrafanaBook, answer, grafana, let_grafana_read

pytestmark = [pytest.mark.ledger, pytest.mark.postgres]
ZONE = ZoneInfo("Asia/Kolkata")
OF_LEDGER = [
    (board.uid, title, query.text)
    for board in DASHBOARDS
    for title, query in board.queries()
    if query.source is POSTGRES
]


class Reader:
    """Grafana, which asks a book: its variables quoted, its macros written out."""

    def __init__(self, connection: psycopg.Connection, book: GrafanaBook) -> None:
        connection.row_factory = dict_row  # type: ignore[assignment]
        self.connection, self.book = connection, book
        self.period = ("--from", str(book.first), "--to", str(book.last))

    def ask(self, text: str, *, account: str = "main", strategy: str = "", symbol: str = "") -> list[dict[str, Any]]:
        chosen = {
            "account": account,
            "strategy": strategy or self.book.strategy,
            "symbol": symbol or self.book.symbol,
        }
        for name, value in chosen.items():
            text = text.replace(f"${{{name}:sqlstring}}", "'" + value.replace("'", "''") + "'")
        within = rf"\1 BETWEEN '{self.book.first}T00:00:00Z' AND '{self.book.last}T23:59:59Z'"
        text = re.sub(r"\$__timeFilter\((\w+)\)", within, text)
        assert "$" not in text, text
        rows: list[dict[str, Any]] = self.connection.execute(text).fetchall()  # type: ignore[assignment]
        return rows


@pytest.fixture(params=BOOKS)
def reader(request: pytest.FixtureRequest, ledger: Ledger, made_as: Maker, settings: Any) -> Iterator[Reader]:
    book = BOOKS[request.param]
    let_grafana_read(made_as, settings, book.make)
    with grafana(ledger) as connection:
        yield Reader(connection, book)


def text_of(board: str, title: str) -> str:
    return next(text for uid, name, text in OF_LEDGER if (uid, name) == (board, title))


def test_each_has_a_row_of_its_own_account_alone(reader: Reader) -> None:
    for board, title, text in OF_LEDGER:
        rows = reader.ask(text)
        assert rows, f"{board}: {title}"
        assert reader.ask(text, account="nobody") == [], f"{board}: {title}"
        if "time" in rows[0]:
            assert [row["time"] for row in rows] == sorted(row["time"] for row in rows), f"{board}: {title}"
            assert {"metric"} < rows[0].keys() or len({row["time"] for row in rows}) == len(rows) or "text" in rows[0]


def same(row: dict[str, Any], figures: dict[str, Any]) -> None:
    for column, key in {
        "Trades": "total_trades",
        "P&L": "total_pnl",
        "Gross": "gross_pnl",
        "Charges": "charges",
    }.items():
        assert row[column] == Decimal(figures[key]), column
    assert row["Drawdown"] == Decimal(figures["max_drawdown"])
    for column, key in {"Won": "win_rate", "R": "expectancy_r", "Expectancy": "expectancy"}.items():
        shown, exact = row[column], figures[key]
        assert (shown is None) == (exact is None), column
        assert exact is None or float(shown) == pytest.approx(float(exact), rel=1e-12, abs=1.1e-8), column


def test_figures_side_by_side_are_those_of_the_reports(reader: Reader) -> None:
    for account in reader.book.accounts:
        figures_are_those_of_the_reports(reader, account)


def figures_are_those_of_the_reports(reader: Reader, account: str) -> None:
    period, strategy, symbol = ("--account", account, *reader.period), reader.book.strategy, reader.book.symbol
    rows = reader.ask(text_of("velox-strategies", "Side by side"), account=account)
    report = answer("strategy_report", *period)["strategies"]
    assert [row["Strategy"] for row in rows] == sorted(figures["strategy_id"] for figures in report)
    for row in rows:
        same(row, next(figures for figures in report if figures["strategy_id"] == row["Strategy"]))
        (alone,) = reader.ask(text_of("velox-strategy", "Figures"), account=account, strategy=row["Strategy"])
        assert alone == row
    of_strategy = answer("symbol_report", *period, "--strategy", strategy)["symbols"]
    by_symbol = reader.ask(text_of("velox-strategy", "By symbol"), account=account, strategy=strategy)
    assert len(by_symbol) == len(of_strategy) > 0
    for row in by_symbol:
        same(row, next(figures for figures in of_strategy if figures["symbol"] == row["Symbol"]))
    of_symbol = answer("strategy_report", *period, "--symbol", symbol)["strategies"]
    by_strategy = reader.ask(text_of("velox-symbol", "By strategy"), account=account)
    assert len(by_strategy) == len(of_symbol) > 0
    for row in by_strategy:
        same(row, next(figures for figures in of_symbol if figures["strategy_id"] == row["Strategy"]))


def test_curves_end_where_the_figures_are(reader: Reader) -> None:
    report = answer("strategy_report", *reader.period)
    curve = {row["metric"]: row["pnl"] for row in reader.ask(text_of("velox-strategies", "P&L so far"))}
    assert curve == {row["strategy_id"]: Decimal(row["total_pnl"]) for row in report["strategies"]}
    days = {row["day"]: row for row in report["days"]}
    for board, title, figure in (("velox-desk", "Equity", "equity"), ("velox-desk", "Drawdown", "drawdown")):
        shown = reader.ask(text_of(board, title))
        compared = [row for row in shown if f"{row['time'].astimezone(ZONE):%Y-%m-%d}" in days]
        assert len(compared) > 3
        for row in compared:
            assert row[figure] == Decimal(days[f"{row['time'].astimezone(ZONE):%Y-%m-%d}"][figure])


def test_rows_of_trades_are_those_of_the_export(reader: Reader) -> None:
    trades = answer("trade_export")["trades"]
    ours = [row for row in trades if row["strategy"] == reader.book.strategy and row["state"] == "CLOSED"]
    shown = reader.ask(text_of("velox-strategy", "Closed trades"))
    assert sorted((row["Trade"], row["P&L"]) for row in shown) == sorted(
        (row["trade_id"], Decimal(row["gross_pnl"]) - Decimal(row["charges"] or 0)) for row in ours
    )
    held = [row for row in trades if row["state"] == "OPEN"]
    shown = reader.ask(text_of("velox-desk", "Open trades in the ledger"))
    assert {(row["Symbol"], row["Quantity"]) for row in shown} == {
        (row["symbol"], Decimal(row["open_quantity"])) for row in held
    }
    (books,) = reader.ask(text_of("velox-ledger", "The account's books"))
    states = [row["state"] for row in trades]
    assert (books["Closed"], books["Open"]) == (states.count("CLOSED"), states.count("OPEN"))
