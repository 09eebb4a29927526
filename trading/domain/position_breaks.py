"""Positions at a day's end, realised sums and orders, as the ledger and a broker's statements have them. Pure.

Quantities may not differ. An average price or a sum may differ by what its printing rounded away: half a paisa a line.
A broker pools the day and the strategies, so that sums are compared by symbol; where a position was carried, it may
take the oldest purchase first instead of the average: either agrees.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from trading.domain.breaks import HALF_PAISA, Break, BreakKind, Figures, Proposal, Remedy, plain, printed_to
from trading.domain.fill_breaks import ComparedFill
from trading.domain.position import BUY
from trading.domain.trade_building import is_sum

ZERO = Decimal(0)
RealisedSums = Mapping[tuple[str, date], Decimal]  # by symbol and day, gross of charges


@dataclass(frozen=True, slots=True)
class ComparedPosition:
    """What one side holds of a symbol at the end of a day: below 0 where it is short; None where it is not told."""

    symbol: str
    day: date
    quantity: Decimal
    average_price: Decimal | None
    file: str = ""

    @property
    def figures(self) -> Figures:
        """Return the position as a break tells it."""
        return {"quantity": plain(self.quantity), "average_price": plain(self.average_price)}


@dataclass(frozen=True, slots=True)
class StatedResult:
    """What a line of a file says was realised of a symbol from ``day`` to ``last_day``, gross of charges."""

    symbol: str
    day: date
    last_day: date
    pnl: Decimal
    file: str = ""


def position_breaks(
    ledger: Iterable[ComparedPosition], broker: Iterable[ComparedPosition], hot: Iterable[ComparedPosition] = ()
) -> list[Break]:
    """Return where the broker holds something else than the ledger. What no file tells is not compared.

    ``ledger`` and ``hot`` have a position of all strategies together, and none where nothing is held.
    """
    ours, copied = ({(row.symbol, row.day): row for row in side} for side in (ledger, hot))
    lots: defaultdict[tuple[str, date], defaultdict[str, list[ComparedPosition]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in broker:
        lots[row.symbol, row.day][row.file].append(row)
    breaks = []
    for (symbol, day), files in lots.items():
        held = ours.get((symbol, day), ComparedPosition(symbol, day, ZERO, None))
        for theirs in (_pooled(rows) for rows in files.values()):
            if not _is_same_position(held, theirs):
                text = (
                    f"Look at the fills of {symbol} up to {day}: an import of the broker's tradebook brings what lacks."
                )
                hot_row = copied.get((symbol, day))
                breaks.append(
                    Break(
                        BreakKind.POSITION,
                        {"day": day.isoformat(), "symbol": symbol},
                        day,
                        held.figures,
                        theirs.figures,
                        Proposal(Remedy.LOOK, text, {"symbol": symbol, "day": day.isoformat()}),
                        hot=None if hot_row is None else hot_row.figures,
                        scope=frozenset({symbol}),
                    )
                )
                break
    return breaks


def _pooled(rows: Sequence[ComparedPosition]) -> ComparedPosition:
    """Return a file's lots of one symbol as one position."""
    quantity = sum((row.quantity for row in rows), ZERO)
    first = rows[0]
    averages = [(row.quantity, row.average_price) for row in rows if row.average_price is not None]
    average = first.average_price
    if len(rows) > 1:
        value = sum((units * price for units, price in averages), ZERO)
        average = value / quantity if quantity and len(averages) == len(rows) else None
    return ComparedPosition(first.symbol, first.day, quantity, average, first.file)


def _is_same_position(ours: ComparedPosition, theirs: ComparedPosition) -> bool:
    if ours.quantity != theirs.quantity:
        return False
    if not ours.quantity or ours.average_price is None or theirs.average_price is None:
        return True
    return abs(ours.average_price - theirs.average_price) <= printed_to(theirs.average_price)


def realised_breaks(methods: Sequence[RealisedSums], broker: Iterable[StatedResult]) -> list[Break]:
    """Return where a broker's realised sum of a symbol over some days is not the ledger's by any of ``methods``.

    The first method is the ledger's own, and the one that a break shows.
    """
    lines: defaultdict[tuple[str, date, date], defaultdict[str, list[Decimal]]] = defaultdict(lambda: defaultdict(list))
    for row in broker:
        lines[row.symbol, row.day, row.last_day][row.file].append(row.pnl)
    by_symbol: defaultdict[str, list[tuple[int, date, Decimal]]] = defaultdict(list)
    for number, method in enumerate(methods):
        for (symbol, day), pnl in method.items():
            by_symbol[symbol].append((number, day, pnl))
    breaks = []
    for (symbol, first, last), files in lines.items():
        sums = [ZERO] * len(methods)
        for number, day, pnl in by_symbol[symbol]:
            sums[number] += pnl if first <= day <= last else ZERO
        for amounts in files.values():
            stated = sum(amounts, ZERO)
            if any(abs(amount - stated) <= HALF_PAISA * len(amounts) for amount in sums):
                continue
            days = {"day": first.isoformat(), "last_day": last.isoformat()}
            text = f"Look at the fills of {symbol} from {first} to {last}: the broker's tradebook shows which lacks."
            breaks.append(
                Break(
                    BreakKind.REALISED,
                    {**days, "symbol": symbol},
                    last,
                    {"realised_pnl": plain(sums[0])},
                    {"realised_pnl": plain(stated)},
                    Proposal(Remedy.LOOK, text, {"symbol": symbol, **days}),
                    scope=frozenset({symbol}),
                )
            )
            break
    return breaks


def oldest_purchase_first(
    fills: Iterable[ComparedFill], multipliers: Mapping[str, Decimal]
) -> dict[tuple[str, date], Decimal]:
    """Return the realised sums that fills make where what was opened first is closed first, all strategies together.

    ``fills`` are in the order in which they happened; the sums are rounded half-even at the 8th decimal.
    """
    open_lots: defaultdict[str, deque[tuple[str, Decimal, Decimal]]] = defaultdict(deque)
    sums: defaultdict[tuple[str, date], Fraction] = defaultdict(Fraction)
    for fill in fills:
        lots, rest = open_lots[fill.symbol], fill.quantity
        while rest and lots and lots[0][0] != fill.side:
            side, quantity, price = lots.popleft()
            closed = min(rest, quantity)
            change = fill.price - price if side == BUY else price - fill.price
            sums[fill.symbol, fill.day] += Fraction(change) * Fraction(closed) * Fraction(multipliers[fill.symbol])
            rest -= closed
            if quantity > closed:
                lots.appendleft((side, quantity - closed, price))
        if rest:
            lots.append((fill.side, rest, fill.price))
    return {key: Decimal(round(amount * 10**8)).scaleb(-8) for key, amount in sums.items()}


def order_breaks(ledger: Iterable[ComparedFill], orders: Iterable[ComparedFill]) -> list[Break]:
    """Return where the fills of a day, side and symbol are not what a file's lines of orders or of day sums add up to.

    Of an order's lines that of the largest quantity counts. Only the ledger's fills of orders that the file names are
    compared where it names orders.
    """
    fills: defaultdict[tuple[str, date, str], list[ComparedFill]] = defaultdict(list)
    for fill in ledger:
        fills[fill.symbol, fill.day, fill.side].append(fill)
    files: defaultdict[tuple[str, str, date, str], list[ComparedFill]] = defaultdict(list)
    for line in orders:
        files[line.file, line.symbol, line.day, line.side].append(line)
    breaks: dict[tuple[str, date, str], Break] = {}
    for (_, symbol, day, side), lines in files.items():
        largest = {line.order_id: line for line in sorted(lines, key=lambda line: line.quantity)}
        standing = [line for line in lines if line.order_id is None or largest[line.order_id] is line]
        own = fills[symbol, day, side]
        if not any(is_sum(line.order_id) for line in standing):
            own = [fill for fill in own if fill.order_id is None or fill.order_id in largest]
        difference = _order_break(own, standing)
        if difference is not None:
            breaks.setdefault((symbol, day, side), difference)
    return list(breaks.values())


def _order_break(own: Sequence[ComparedFill], lines: Sequence[ComparedFill]) -> Break | None:
    """Return the break between the ledger's fills and the lines of one side of a day, None where they agree."""
    first = lines[0]
    quantities = [sum((row.quantity for row in side), ZERO) for side in (own, lines)]
    values = [
        sum((row.quantity * row.price if row.value is None else row.value for row in side), ZERO)
        for side in (own, lines)
    ]
    limit = sum((HALF_PAISA if row.value is not None else row.quantity * printed_to(row.price) for row in lines), ZERO)
    if quantities[0] == quantities[1] and abs(values[0] - values[1]) <= limit:
        return None
    text = f"Look at {first.side} of {first.symbol} on {first.day}: an import of the day's fills brings what lacks."
    sides: list[Figures] = [
        {"side": first.side, "quantity": plain(units), "value": plain(worth)}
        for units, worth in zip(quantities, values, strict=True)
    ]
    key = {"day": first.day.isoformat(), "symbol": first.symbol, "side": first.side}
    return Break(
        BreakKind.ORDER_DIFFERS,
        key,
        first.day,
        sides[0],
        sides[1],
        Proposal(Remedy.LOOK, text, {"symbol": first.symbol, "day": first.day.isoformat()}),
        scope=frozenset({first.symbol}),
    )
