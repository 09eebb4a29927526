"""Where a live book and a backtest of it part: trade by trade, in integers of 10^-8 that add up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from trading.domain.money import divide_half_even
from trading.domain.position import LONG, value_of


class Waterfall(NamedTuple):
    """What leads from a backtest's P&L to the live one, in units; above 0 is what the live book did better."""

    missed: int = 0
    extra: int = 0
    timing_in: int = 0
    slip_in: int = 0
    timing_out: int = 0
    slip_out: int = 0
    quantity: int = 0
    charges: int = 0

    def plus(self, other: Waterfall) -> Waterfall:
        """Return the sum, step by step."""
        return Waterfall(*(own + step for own, step in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class BookFill:
    """One fill: instant in ns UTC, price and quantity in units, and what a tick would have filled it at then (None:
    nobody knows)."""

    at: int
    price: int
    quantity: int
    market: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookTrade:
    """One trade of either book with its fills in order; amounts in units. ``gross`` is what it realised, ``charges``
    None where none are known."""

    trade_id: str
    symbol: str
    side: str
    multiplier: int
    entries: Sequence[BookFill]
    exits: Sequence[BookFill]
    gross: int
    charges: int | None
    is_closed: bool = True

    @property
    def opened_at(self) -> int:
        """The instant of its first fill, in ns UTC."""
        return self.entries[0].at

    @property
    def net(self) -> int:
        """What it realised after known charges."""
        return self.gross - (self.charges or 0)

    def value(self, fills: Iterable[BookFill]) -> int:
        """Return the value of fills at their prices."""
        return sum(value_of(fill.price, fill.quantity, self.multiplier) for fill in fills)


@dataclass(frozen=True, slots=True)
class TradePair:
    """A live trade and the backtest's beside it."""

    live: BookTrade
    played: BookTrade

    @property
    def waterfall(self) -> Waterfall:
        """The steps from the one to the other: each changes one thing of the backtest's trade into the live one's.

        First the backtest's quantity is bought at the ticks of the live entry, then at its prices, then sold at the
        ticks of the live exit, then at its prices; the live quantity comes last.
        """
        live, played, sign = self.live, self.played, 1 if self.live.side == LONG else -1
        paid = [played.value(played.entries), *_at_live_times(live, live.entries, played, played.entries)]
        received = [played.value(played.exits), *_at_live_times(live, live.exits, played, played.exits)]
        return Waterfall(
            timing_in=sign * (paid[0] - paid[1]),
            slip_in=sign * (paid[1] - paid[2]),
            timing_out=sign * (received[1] - received[0]),
            slip_out=sign * (received[2] - received[1]),
            quantity=live.gross - sign * (received[2] - paid[2]),
            charges=(played.charges or 0) - (live.charges or 0),
        )


@dataclass(slots=True)
class BookComparison:
    """Two books: pairs, what the live one missed, what it has beyond; ``still_open`` are left out with their pairs."""

    pairs: list[TradePair] = field(default_factory=list)
    missed: list[BookTrade] = field(default_factory=list)
    extra: list[BookTrade] = field(default_factory=list)
    still_open: list[BookTrade] = field(default_factory=list)

    @property
    def live(self) -> list[BookTrade]:
        """The live trades that are compared."""
        return [pair.live for pair in self.pairs] + self.extra

    @property
    def played_pnl(self) -> int:
        """The backtest's P&L after known charges, of what is compared."""
        return sum(trade.net for trade in (*self.missed, *(pair.played for pair in self.pairs)))

    @property
    def live_pnl(self) -> int:
        """The live P&L after known charges, of what is compared."""
        return sum(trade.net for trade in self.live)

    @property
    def waterfall(self) -> Waterfall:
        """All steps from the backtest's P&L to the live one."""
        whole = Waterfall(missed=-sum(trade.net for trade in self.missed), extra=sum(trade.net for trade in self.extra))
        for pair in self.pairs:
            whole = whole.plus(pair.waterfall)
        return whole


def compare(
    live: Iterable[BookTrade], played: Iterable[BookTrade], tolerance_ns: int, *, charged_as_live: bool = False
) -> BookComparison:
    """Return two books side by side. Trades of one symbol and side are pairs in the order of their openings, where
    those are no further apart than the tolerance; whatever has no partner stays alone.

    ``charged_as_live`` gives each of the backtest's trades the charges of its partner.
    """
    comparison = BookComparison()
    kinds: dict[tuple[str, str], tuple[list[BookTrade], list[BookTrade]]] = {}
    for place, book in enumerate((live, played)):
        for trade in book:
            kinds.setdefault((trade.symbol, trade.side), ([], []))[place].append(trade)
    for _, (of_live, of_played) in sorted(kinds.items()):
        for own, other in _in_order(sorted(of_live, key=_order), sorted(of_played, key=_order), tolerance_ns):
            partners = [trade for trade in (own, other) if trade is not None]
            if not all(trade.is_closed for trade in partners):
                comparison.still_open += partners
            elif own is not None and other is not None:
                charged = replace(other, charges=own.charges) if charged_as_live else other
                comparison.pairs.append(TradePair(own, charged))
            elif own is not None:
                comparison.extra.append(own)
            else:
                comparison.missed += partners
    return comparison


def _order(trade: BookTrade) -> tuple[int, str]:
    return trade.opened_at, trade.trade_id


def _in_order(
    live: Sequence[BookTrade], played: Sequence[BookTrade], tolerance_ns: int
) -> Iterable[tuple[BookTrade | None, BookTrade | None]]:
    """Yield live and played trades, both in order, as pairs and alone."""
    own = other = 0
    while own < len(live) and other < len(played):
        apart = live[own].opened_at - played[other].opened_at
        if abs(apart) <= tolerance_ns:
            yield live[own], played[other]
            own, other = own + 1, other + 1
        elif apart < 0:
            yield live[own], None
            own += 1
        else:
            yield None, played[other]
            other += 1
    yield from ((trade, None) for trade in live[own:])
    yield from ((None, trade) for trade in played[other:])


def _at_live_times(
    live: BookTrade, fills: Sequence[BookFill], played: BookTrade, own: Sequence[BookFill]
) -> tuple[int, int]:
    """Return what the backtest's quantity is worth at the ticks of the live fills, and at their prices.

    Where nobody knows the ticks, or both were filled at one instant, the ticks are taken to say what the backtest
    was filled at.
    """
    quantity, of_live = sum(fill.quantity for fill in own), sum(fill.quantity for fill in fills)
    at_prices = divide_half_even(live.value(fills) * quantity, of_live)
    markets = [fill.market for fill in fills if fill.market is not None]
    are_together = {fill.at // 1000 for fill in fills} == {fill.at // 1000 for fill in own}  # ledgers keep microseconds
    if are_together or len(markets) < len(fills):
        return played.value(own), at_prices
    ticks = [replace(fill, price=market) for fill, market in zip(fills, markets, strict=True)]
    return divide_half_even(live.value(ticks) * quantity, of_live), at_prices
