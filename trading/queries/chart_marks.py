"""What happened to a trade, in order of time: signals, fills, steps of the stop, MAE and MFE, gaps of its feed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from trading.domain import amounts, display
from trading.domain.flags import DAY_ONLY
from trading.models import FeedGap, Fill, Trade
from trading.queries import facts
from trading.queries.chart_candles import Candle, place_of
from trading.queries.excursions import fields_of

NEAR_SHARE = 1 / 12  # of a chart's width: so much room the words of a mark take
LABELS_MAX = 3  # of marks that stand together
SIGNAL, STOP, MAE, MFE, GAP = "signal", "stop", "mae", "mfe", "gap"  # beside the roles of fills, in small letters


@dataclass(frozen=True, slots=True)
class ChartMark:
    """One thing that happened: its kind, when, at which price if at any, in words, and the time of the candle that it
    belongs to, None where there is none. A chart draws those with a ``label``, below the price and pointing up those
    that are ``is_below``."""

    kind: str
    at: datetime
    price: Decimal | None
    words: str
    is_below: bool = False
    time: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class StopStep:
    """The stop from an instant on."""

    at: datetime
    price: Decimal


def stop_steps(trade: Trade) -> list[StopStep]:
    """Return the stop of a trade from its opening on, as it was moved."""
    initial = trade.initial_stop_price
    steps = [] if initial is None else [StopStep(trade.opened_at, initial)]
    changes = trade.stop_changes.order_by("at", "pk").values_list("at", "stop_price")
    return steps + [StopStep(at, price) for at, price in changes]


def marks_of(
    trade: Trade, steps: Sequence[StopStep], gaps: Sequence[FeedGap], candles: Sequence[Candle]
) -> list[ChartMark]:
    """Return what happened to a trade, loaded with `trade_list.related`, each at its candle.

    Of a trade whose times are known to the day only nothing has a place among the candles.
    """
    facts_of_trade = (*_signals(trade), *_fills(trade), *_stops(trade, steps), *_extremes(trade), *_gaps(gaps))
    marks = sorted(facts_of_trade, key=_instant)
    if DAY_ONLY in trade.flags:
        return marks
    starts = [candle.at for candle in candles]
    places = [place_of(starts, mark.at) for mark in marks]
    return [
        mark if place is None else replace(mark, time=candles[place].time)
        for mark, place in zip(marks, places, strict=True)
    ]


def joined_labels(marks: Sequence[ChartMark], candles: Sequence[Candle]) -> list[str]:
    """Return the words that a chart writes at each mark, all of which have a candle.

    Those that stand too near to one on their side, where they would be written over it, are added to its words.
    """
    places = {candle.time: place for place, candle in enumerate(candles)}
    groups: dict[bool, list[list[int]]] = {True: [], False: []}
    for number, mark in enumerate(marks):
        of_side = groups[mark.is_below]
        place = places[mark.time or 0]
        if of_side and place - places[marks[of_side[-1][0]].time or 0] <= len(candles) * NEAR_SHARE:
            of_side[-1].append(number)
        else:
            of_side.append([number])
    labels = ["" for _ in marks]
    for group in (*groups[True], *groups[False]):
        words = [marks[number].label for number in group]
        others = [f"{len(words) - LABELS_MAX} more"] if len(words) > LABELS_MAX else []
        labels[group[0]] = " · ".join(words[:LABELS_MAX] + others)
    return labels


def stop_line(
    trade: Trade, steps: Sequence[StopStep], candles: Sequence[Candle], every: timedelta
) -> list[tuple[int, Decimal]]:
    """Return the stop in force at the end of each candle that the trade was open in."""
    starts, line = [step.at for step in steps], []
    for candle in candles:
        end = candle.at + every
        if end <= trade.opened_at or (trade.closed_at is not None and candle.at > trade.closed_at):
            continue
        place = place_of(starts, end)
        if place is not None:
            line.append((candle.time, steps[place].price))
    return line


def _instant(mark: ChartMark) -> datetime:
    return mark.at


def _signals(trade: Trade) -> Iterator[ChartMark]:
    for signal in trade.signals.order_by("at", "pk"):
        words = ": ".join(filter(None, (f"Signal {signal.decision.lower()}", signal.reason)))
        yield ChartMark(SIGNAL, signal.at, None, words, True, label="Signal")


def _fills(trade: Trade) -> Iterator[ChartMark]:
    currency = trade.account.currency
    for fill in facts.fills_of(trade):
        quantity = amounts.number(fill.quantity, currency)
        if fill.role == Fill.Role.SPLIT:
            way = "came" if fill.side == Fill.Side.BUY else "went"
            yield ChartMark("split", fill.at, None, f"{fill.order_id}: {quantity} {way}", label=f"{quantity} {way}")
            continue
        label = f"{fill.side.capitalize()} {quantity}"
        words = f"{label} at {amounts.amount(fill.price, currency)}"
        yield ChartMark(
            fill.role.lower(),
            fill.at,
            fill.price,
            f"{words} ({fill.settlement})" if fill.settlement else words,
            fill.side == Fill.Side.BUY,
            label=label,
        )


def _stops(trade: Trade, steps: Sequence[StopStep]) -> Iterator[ChartMark]:
    for step in steps:
        yield ChartMark(STOP, step.at, step.price, f"Stop {amounts.amount(step.price, trade.account.currency)}")


def _extremes(trade: Trade) -> Iterator[ChartMark]:
    excursion, currency = fields_of(trade), trade.account.currency
    mae_at, mfe_at = excursion["mae_at"], excursion["mfe_at"]
    is_long = trade.side == Trade.Side.LONG  # whom it went against fell, to a short it rose
    if mae_at is not None:
        words = f"MAE {_pnl(excursion['mae'], currency)}"
        yield ChartMark(MAE, mae_at, excursion["mae_price"], words, is_long, label="MAE")
    if mfe_at is not None:
        words = f"MFE {_pnl(excursion['mfe'], currency)}"
        yield ChartMark(MFE, mfe_at, excursion["mfe_price"], words, not is_long, label="MFE")


def _gaps(gaps: Sequence[FeedGap]) -> Iterator[ChartMark]:
    for gap in gaps:
        quiet = display.duration((gap.ends_at - gap.starts_at).total_seconds())
        yield ChartMark(GAP, gap.starts_at, None, f"No ticks for {quiet}", label="No ticks")


def _pnl(amount: Decimal | None, currency: str) -> str:
    return amounts.amount(amounts.rounded(amount, currency), currency, signed=True)
