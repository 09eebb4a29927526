"""The totals under Dhan's reports: one line of names and amounts in a CSV, a row each in a sheet."""

from __future__ import annotations

from collections.abc import Mapping

from trading.brokers.cells import PlacedCell, money
from trading.brokers.preamble import row_texts
from trading.brokers.statement_draft import HALF_PAISA, StatementDraft
from trading.brokers.tables import SheetLine

TOTALS = {
    "net p&l": "net_pnl",
    "brokerage": "brokerage",
    "gross p&l": "gross_pnl",
    "total charges": "total_charges",
}
BALANCES = {"opening balance": "opening_balance", "closing balance": "closing_balance"}


def read_footer(draft: StatementDraft, line: SheetLine, names: Mapping[str, str] = TOTALS) -> bool:
    """Take the totals or the remark that a row under the table is, and say whether it is one of them.

    ``names`` are the labels, in small letters, with what the totals are called. The remark's day of download is in US
    order and serves for nothing. Raises: UnreadableCell for an amount.
    """
    row = row_texts(line.cells)
    if row[0].casefold().startswith("note"):
        draft.ignore(line.place, "note", "A remark of Dhan's, with the day of the download.")
        return True
    if row[0].casefold() not in names:
        return False
    for index in range(0, len(row) - 1, 2):
        name = names.get(row[index].casefold())
        if name is not None:
            draft.stated[name] = money(PlacedCell(line.cells[index + 1], row[index], line.place))
    return True


def compare_net(draft: StatementDraft) -> None:
    """Compare the net P&L with what the two totals beside it make."""
    if {"gross_pnl", "total_charges"} <= draft.stated.keys():
        net = draft.stated["gross_pnl"] - draft.stated["total_charges"]
        draft.compare("net_pnl", net, 3 * HALF_PAISA)


def says_nothing(draft: StatementDraft) -> bool:
    """Say whether a report without rows says itself that there was nothing."""
    return not draft.rows_read and not any(draft.stated.values())
