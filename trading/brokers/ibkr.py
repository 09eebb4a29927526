"""What Interactive Brokers' files have in common: instants without a zone, sides, codes, options, commissions.

Quantities are contracts, signed, a sale below 0; a contract's multiplier stands beside them. Commissions are signed as
cash is: below 0 a cost, above 0 a rebate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from trading.brokers.cells import PlacedCell, number, number_or_none, required_text, text
from trading.brokers.reading import RefusedRow
from trading.brokers.values import ActionLine, FillKind, FillLine, Head, InstrumentName, Place, Segment
from trading.domain.contract_symbols import MONTHS

NEW_YORK = "America/New_York"
# What a fill's contract is charged as, by asset category: of Flex, and as a statement spells it. None: no segment.
SEGMENTS = {
    "STK": Segment.EQUITY, "Stocks": Segment.EQUITY,
    "OPT": Segment.OPTIONS, "Equity and Index Options": Segment.OPTIONS,
    "FOP": Segment.OPTIONS, "Options On Futures": Segment.OPTIONS,
    "FUT": Segment.FUTURES, "Futures": Segment.FUTURES,
    "WAR": None, "Warrants": None, "CFD": None, "CFDs": None,
    "FUND": None, "Mutual Funds": None, "CRYPTO": None, "Cryptocurrencies": None,
}  # fmt: skip
CONVERSIONS = ("CASH", "Forex")
_SETTLEMENTS = frozenset({"A", "Ex", "GEA"})
_EXPIRED = "Ep"
_WITHDRAWN = frozenset({"Ca", "Co"})
_INSTANT = re.compile(
    r"(?P<day>\d{8}|\d{4}-\d\d-\d\d)(?:[;,T ] ?(?P<clock>\d{6}|\d\d:\d\d:\d\d)(?: (?P<zone>EST|EDT|ET))?)?"
)
_OCC = re.compile(r"(?P<root>[A-Z0-9./]{1,6}) *(?P<rest>\d{6}[CP]\d{8})")
_SPELLED = re.compile(
    rf"(?P<root>[A-Z0-9./]{{1,6}}) (?P<day>\d\d)(?P<month>{'|'.join(MONTHS)})(?P<year>\d\d)"
    r" (?P<strike>\d{1,5}(?:\.\d{1,3})?) (?P<right>[CP])"
)
_SPLIT = re.compile(r"\bSPLIT (?P<new>\d+(?:\.\d+)?) FOR (?P<old>\d+(?:\.\d+)?)\b")
_STRIKE_SCALE = 1000
_PRICE_DECIMALS = 4  # a statement prints an average price with at least so many, less trailing zeros
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class NaiveInstant:
    """A day and, where a file tells it, a clock time; ``zone`` is "" unless the cell itself names it."""

    day: date
    clock: time | None
    zone: str = ""

    @property
    def at(self) -> datetime | None:
        """The naive time: it waits for its zone."""
        return None if self.clock is None else datetime.combine(self.day, self.clock)


@dataclass(frozen=True, slots=True)
class ExecutionCells:
    """The cells of one execution, whichever file they stand in; ``codes`` are its notes, as C, O, P, A, Ex, Ep, Ca."""

    place: Place
    category: str
    currency: PlacedCell
    side: PlacedCell
    quantity: PlacedCell
    price: PlacedCell
    proceeds: PlacedCell
    codes: frozenset[str]


def instant(cell: PlacedCell) -> NaiveInstant:
    """Return a cell's day and clock: `20260126;115715`, `2026-01-26, 11:57:15`, or the day alone.

    Raises: UnreadableCell, also for dates with slashes: whether day or month comes first is nowhere told.
    """
    match = _INSTANT.fullmatch(text(cell))
    try:
        if match is not None:
            clock = None if match["clock"] is None else time.fromisoformat(match["clock"])
            return NaiveInstant(date.fromisoformat(match["day"]), clock, NEW_YORK if match["zone"] else "")
    except ValueError:
        pass
    raise cell.refused("no date as in 20260126;115715 (set the query's date format to yyyyMMdd)")


def codes_of(cell: PlacedCell) -> frozenset[str]:
    """Return the codes of a trade's notes: `C;IM;P` or `A`."""
    return frozenset(code for code in re.split(r"[;, ]+", text(cell)) if code)


def contract_symbol(symbol: str) -> str:
    """Return an option's symbol in one spelling, the OCC's without its blanks: `VXX110917C00005000` for
    `VXX   110917C00005000` and for `VXX 17SEP11 5 C`; any other symbol as it is, its blanks single."""
    if match := _OCC.fullmatch(symbol):
        return match["root"] + match["rest"]
    if match := _SPELLED.fullmatch(symbol):
        strike = int(Decimal(match["strike"]) * _STRIKE_SCALE)
        return f"{match['root']}{match['year']}{MONTHS[match['month']]:02}{match['day']}{match['right']}{strike:08}"
    return " ".join(symbol.split())


def fill_of(
    cells: ExecutionCells, name: InstrumentName, when: NaiveInstant, charges: Mapping[Head, Decimal]
) -> FillLine:
    """Return an execution as a fill without ids.

    Raises:
        UnreadableCell: for a cell that holds something else than its column says.
        RefusedRow: a side that contradicts the sign, a cancelled or corrected trade, an asset that is no unit times
            price, a price of 0 outside of a settlement, proceeds that are not quantity times price.
    """
    if cells.codes & _WITHDRAWN:
        raise RefusedRow("cancelled", "The broker cancelled or corrected this trade: settle it by hand.")
    if cells.category not in SEGMENTS:
        raise RefusedRow("asset_category", f"Assets of the kind {cells.category!r} cannot be booked.")
    units, price = _signed_units(cells), number(cells.price)
    kind = _kind_of(cells, price)
    _check_proceeds(cells, units, price, name.multiplier)
    return FillLine(
        cells.place,
        name,
        SEGMENTS[cells.category],
        "BUY" if units > 0 else "SELL",
        abs(units),
        price,
        when.day,
        when.at,
        required_text(cells.currency),
        kind=kind,
        charges=charges,
    )


def commission_of(cell: PlacedCell, taxes: PlacedCell | None = None) -> dict[Head, Decimal]:
    """Return what a trade's row states as charges, a cost above 0 and a rebate below; nothing where it states none."""
    charges = {}
    commission = number_or_none(cell)
    if commission is not None:
        charges[Head.BROKERAGE] = -commission
    if taxes is not None and (paid := number_or_none(taxes)):
        charges[Head.OTHER] = -paid
    return charges


def is_left_empty(cell: PlacedCell) -> bool:
    """Say whether a file has this cell and nothing in it, as a corrected statement leaves a commission."""
    return cell.content is not None and not text(cell)


def action_of(place: Place, name: InstrumentName, day: date, description: str, quantity: Decimal | None) -> ActionLine:
    """Return a corporate action; a split's ratio is in its description: `SPLIT 4 FOR 1`, four new for an old one."""
    split = _SPLIT.search(description)
    return ActionLine(
        place,
        name,
        day,
        "split" if split else "bonus" if "STOCK DIVIDEND" in description else "other",
        description,
        new=Decimal(split["new"]) if split else None,
        old=Decimal(split["old"]) if split else None,
        quantity=quantity,
    )


def _signed_units(cells: ExecutionCells) -> Decimal:
    """Return the quantity, a sale below 0; the word beside it must say the same."""
    units = number(cells.quantity)
    word = text(cells.side).upper()
    if not units:
        raise cells.quantity.refused("and no fill")
    if word.endswith("(CA.)"):
        raise RefusedRow("cancelled", "The broker cancelled this trade: settle it by hand.")
    if word and word != ("BUY" if units > 0 else "SELL"):
        raise RefusedRow("side_conflict", f"The row says {word} and has the quantity {units}.")
    return units


def _kind_of(cells: ExecutionCells, price: Decimal) -> FillKind:
    if _EXPIRED in cells.codes and not price:
        return FillKind.EXPIRY
    if cells.codes & _SETTLEMENTS or _EXPIRED in cells.codes:
        return FillKind.EXERCISE
    if not price:
        raise RefusedRow("zero_price", "A trade at price 0 that is neither expired, exercised nor assigned.")
    return FillKind.TRADE


def _check_proceeds(cells: ExecutionCells, units: Decimal, price: Decimal, multiplier: Decimal | None) -> None:
    """Refuse a row whose money is not quantity × price × multiplier, but for the rounding of the printed price."""
    proceeds = number_or_none(cells.proceeds)
    if proceeds is None or multiplier is None:
        return
    exponent = price.as_tuple().exponent
    decimals = max(_PRICE_DECIMALS, -exponent if isinstance(exponent, int) else 0)
    limit = _CENT + abs(units * multiplier) * Decimal(5).scaleb(-decimals - 1)
    if abs(proceeds + units * price * multiplier) > limit:
        raise RefusedRow(
            "proceeds_conflict",
            f"The proceeds of {proceeds} are not {-units} times {price} times {multiplier}.",
        )
