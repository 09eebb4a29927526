"""The tables of Angel One's tax P&L: each by its title, with the columns that it has and what its rows are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trading.brokers.angelone_tax_rows import (
    TaxRow,
    breakup,
    buyback,
    delivery,
    derivative,
    dividend,
    fee,
    holding,
    intraday,
    open_sale,
    transfer,
)
from trading.brokers.tables import SheetLine
from trading.brokers.values import Remark

_VALUES = ("Avg Buy Price", "Buy Value", "Avg Sell Price", "Sell Value")
_SHARE = ("ISIN", "Scrip Name")


@dataclass(frozen=True, slots=True)
class TaxSection:
    """A table by the start of its title, or by the name of its sheet: columns that it has, and what its rows are.

    ``read`` gets the title as it stands, which may hold a day.
    """

    title: str
    columns: tuple[str, ...]
    read: Callable[[SheetLine, str], TaxRow | Remark]

    def row_of(self, title: str, line: SheetLine) -> TaxRow | Remark:
        """Return what a row below a title is. Raises: UnreadableCell, RefusedRow."""
        return self.read(line, title)


_CONTRACT = ("Segment", "Symbol Name", "Expiry date", "Qty", "Buy Date", "Sell date", *_VALUES)
SECTIONS = (
    TaxSection("intraday (speculation)", (*_SHARE, "Qty", "Transaction Date", *_VALUES), intraday),
    TaxSection("delivery p&l", (*_SHARE, "Qty", "Buy Date", "Sell Date", *_VALUES), delivery),
    TaxSection("buyback transactions", (*_SHARE, "Qty", "Buyback Date", "Buyback Price"), buyback),
    TaxSection("transfer transactions", (*_SHARE, "Qty", "Transfer Date", "Transfer Price"), transfer),
    TaxSection("open sell", (*_SHARE, "Quantity", "Sell Date", "Avg Sell Price", "Sell Value"), open_sale),
    TaxSection("open holdings as of", (*_SHARE, "Quantity", "Avg Buy Price", "Buy Value"), holding),
    TaxSection("qty breakup", (*_SHARE, "Total Qty"), breakup),
    TaxSection("futures", _CONTRACT, derivative),
    TaxSection("options", (*_CONTRACT, "Strike Price", "Option Type"), derivative),
    TaxSection("non trade charges", ("Charge", "Posting Date", "Debit Amount", "Credit Amount"), fee),
    TaxSection("dividend report", (*_SHARE, "Dividend Date", "Qty", "Dividend Amount"), dividend),
)
