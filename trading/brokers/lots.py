"""Closed lots and holdings of shares, as statements of profit and loss list them row by row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from trading.brokers.cells import above_zero, day, money
from trading.brokers.contracts import share_named
from trading.brokers.statement_draft import HALF_PAISA
from trading.brokers.tables import SheetLine
from trading.brokers.unit_prices import unit_price
from trading.brokers.values import PositionLine


@dataclass(frozen=True, slots=True)
class LotColumns:
    """What a broker calls the columns whose names differ; days are written in ``day_styles``."""

    company: str
    bought_on: str
    sold_on: str
    bought: str
    sold: str
    realised: str
    day_styles: tuple[str, ...]


def closed_lot(line: SheetLine, columns: LotColumns) -> PositionLine:
    """Return a closed lot on the day of its sale; its purchase only where that was the same day.

    Raises: UnreadableCell, also where the row contradicts itself.
    """
    bought_on, sold_on = (day(line[name], *columns.day_styles) for name in (columns.bought_on, columns.sold_on))
    bought, sold = money(line[columns.bought]), money(line[columns.sold])
    realised = money(line[columns.realised])
    if abs(sold - bought - realised) > 3 * HALF_PAISA:
        raise line[columns.realised].refused(f"where the row makes {sold - bought}")
    units = above_zero(line["Quantity"])
    return PositionLine(
        place=line.place,
        instrument=share_named(line["ISIN"], line[columns.company]),
        day=sold_on,
        last_day=sold_on,
        bought_quantity=units if bought_on == sold_on else None,
        bought_value=bought if bought_on == sold_on else None,
        sold_quantity=units,
        sold_value=sold,
        realised_pnl=realised,
    )


def holding(line: SheetLine, company: str, bought: str, on: date) -> PositionLine:
    """Return what is held of one company, at the average of its exact amount. Raises: UnreadableCell."""
    units = above_zero(line["Quantity"])
    average = unit_price(money(line[bought]), units)
    instrument = share_named(line["ISIN"], line[company])
    return PositionLine(line.place, instrument, on, on, quantity=units, average_price=average)
