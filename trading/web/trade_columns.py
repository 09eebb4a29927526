"""The columns that a list of trades can show: which of them is asked for, and the links that sort by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trading.queries.trade_order import NEWEST, ORDERS


@dataclass(frozen=True, slots=True)
class TradeColumn:
    """One column: the key that addresses and cells know it by, its title, and whether figures stand in it."""

    key: str
    title: str
    is_figure: bool = False
    is_usual: bool = False


SYMBOL = TradeColumn("symbol", "Symbol", is_usual=True)
COLUMNS = (
    SYMBOL,
    TradeColumn("pnl", "P&L before charges", is_figure=True, is_usual=True),
    TradeColumn("result", "Result", is_usual=True),
    TradeColumn("side", "Side", is_usual=True),
    TradeColumn("opened", "Opened", is_usual=True),
    TradeColumn("quantity", "Quantity", is_figure=True, is_usual=True),
    TradeColumn("entry", "Average entry", is_figure=True, is_usual=True),
    TradeColumn("charges", "Charges", is_figure=True, is_usual=True),
    TradeColumn("earned", "P&L after known charges", is_figure=True),
    TradeColumn("r", "R", is_figure=True, is_usual=True),
    TradeColumn("closed", "Closed"),
    TradeColumn("held", "Held", is_figure=True),
    TradeColumn("strategy", "Strategy"),
    TradeColumn("trade_id", "Trade"),
    TradeColumn("exit_reason", "Exit reason"),
    TradeColumn("stop", "Stop", is_figure=True),
    TradeColumn("target", "Target", is_figure=True),
    TradeColumn("risk", "Initial risk", is_figure=True),
    TradeColumn("mae", "MAE", is_figure=True),
    TradeColumn("mfe", "MFE", is_figure=True),
    TradeColumn("gap", "Feed"),
    TradeColumn("tags", "Tags"),
    TradeColumn("flags", "Flags"),
    TradeColumn("review", "Review", is_usual=True),
)
USUAL = tuple(column for column in COLUMNS if column.is_usual)


@dataclass(frozen=True, slots=True)
class Heading:
    """A column as it heads a list that can be sorted: the order that its link asks for, and how it is sorted now
    (`ascending`, `descending` or nothing, as `aria-sort` has it)."""

    column: TradeColumn
    order: str
    sorted: str


def asked_for(keys: Sequence[str]) -> tuple[TradeColumn, ...]:
    """Return the columns of these keys in the list's order, the symbol always, which leads to the trade; the usual
    ones where none is one."""
    asked = tuple(column for column in COLUMNS if column.key in keys)
    return (asked and tuple(dict.fromkeys((SYMBOL, *asked)))) or USUAL


def headings(columns: Sequence[TradeColumn], order: str) -> list[Heading]:
    """Return the headings of columns in a list of this order; the link of the one it is sorted by turns it round."""
    key, is_descending = order.removeprefix("-"), order.startswith("-")
    if key not in ORDERS:
        key, is_descending = NEWEST.removeprefix("-"), True
    headings = []
    for column in columns:
        if column.key == key:
            way = ("descending", column.key) if is_descending else ("ascending", f"-{column.key}")
            headings.append(Heading(column, way[1], way[0]))
        else:
            # The largest figure first, the first name first.
            headings.append(Heading(column, f"-{column.key}" if column.is_figure else column.key, ""))
    return headings
