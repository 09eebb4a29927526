"""Made-up traders of different characters: their trades lie on the bars of a day, with stops, targets and reasons."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from trading.demo.days import Bars, MadeUpDay
from trading.domain.conditions import Conditions
from trading.simulator import GRID
from trading.strategies.base import instant
from trading.strategies.intraday import CENT, SIDES, exact

RISK_CASH, NOTIONAL_MAX = 500.0, 50_000.0  # as the strategies of the demo's day
CHARGE_PERCENT = Decimal("0.02")
LOOK_BACK = 14  # bars of which a signal knows how far prices go
INDEX = "NIFTY 50"
LONG_TRAIL = 4  # steps of one risk by which a stop may follow
SKIP_REASONS = ("spread too wide", "a trade is open already", "too late in the session", "limit of the day reached")
TAGS = ("by the plan", "late entry", "early exit", "chased", "trend", "range day")
MISTAKES = ("moved the stop by hand", "entered after the candle had run", "")
NOTES = ("Waited for the second touch.", "Nothing to add: by the plan.", "Size was right, the exit came too soon.", "")


@dataclass(frozen=True, slots=True)
class Trader:
    """A strategy's character: when it enters (``window``, shares of the session) and how often a day, its stop and
    target, the longest time it holds (a share of the session), and how often it sees (below 0: misses) the better side.
    """

    strategy_id: str
    trades_a_day: float
    window: tuple[float, float]
    stop_share: float
    target_risks: float | None
    hold_share: float
    sight: float
    trails: bool = False


TRADERS = (
    Trader("ema_cross", 4.8, (0.05, 0.85), 0.0035, None, 0.35, 0.02, trails=True),
    Trader("opening_range", 1.8, (0.05, 0.30), 0.0045, 2.0, 0.60, 0.10, trails=True),
    Trader("vwap_reversion", 2.4, (0.12, 0.88), 0.0060, 0.6, 0.12, 0.08),  # many small wins, few large losses
    Trader("gap_fade", 0.8, (0.01, 0.04), 0.0050, 1.5, 0.30, -0.20),  # loses
)


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop's move: ``at`` in ns UTC, the price it followed, and where it went."""

    at: int
    price: float
    extreme: float


@dataclass(frozen=True, slots=True)
class MadeUpReview:
    """What a reviewer thought of a trade."""

    rating: int
    tags: tuple[str, ...]
    mistakes: str
    notes: str


@dataclass(frozen=True, slots=True)
class MadeUpSignal:
    """A signal that was skipped; ``at`` is ns UTC."""

    strategy_id: str
    symbol: str
    at: int
    conditions: Conditions
    reason: str


@dataclass(frozen=True, slots=True)
class MadeUpTrade:
    """A trade from its signal to its exit; times in ns UTC; ``review`` None: nobody has looked at it yet."""

    strategy_id: str
    symbol: str
    side: int
    quantity: int
    opened_at: int
    entry: float
    stop: float
    target: float | None
    closed_at: int
    exit: float
    exit_reason: str
    stops: tuple[Stop, ...]
    conditions: Conditions
    review: MadeUpReview | None

    @property
    def trade_id(self) -> str:
        """The id, made of strategy, symbol and time as the strategies make theirs."""
        return f"{self.strategy_id}-{self.symbol}-{instant(self.opened_at):%Y%m%dT%H%M%SZ}"

    def charges(self, price: float) -> Decimal:
        """Return the charges of a fill of all at a price."""
        return (exact(price) * self.quantity * CHARGE_PERCENT / 100).quantize(CENT)


@dataclass(slots=True)
class WalkedEntry:
    """What became of an entry: the bar and price of its exit, the reason, and how its stop moved; ``gain`` in risks."""

    bar: int
    price: float
    reason: str
    stops: list[Stop]
    gain: float


def trades_of(day: MadeUpDay, *, seed: int, back: int, reviewed: float) -> tuple[list[MadeUpTrade], list[MadeUpSignal]]:
    """Return what the traders did on a day, ascending; ``reviewed`` is the share of trades that somebody reviewed."""
    random = np.random.default_rng([seed, back])
    symbols = [name for name in day.minutes if name != INDEX]
    trades, signals = [], []
    for trader in TRADERS:
        entries = min(int(random.poisson(trader.trades_a_day)), len(symbols))
        for symbol in random.permutation(symbols)[:entries].tolist():
            entry = _entry_bar(day.minutes[symbol], trader, random)
            if entry is None:
                continue
            side = int(random.choice([1, -1]))
            if random.random() < 0.3:
                at = int(day.minutes[symbol].time[entry]) + int(random.integers(1, 50)) * 10**9
                seen = _conditions(day, symbol, entry, side)
                reason = SKIP_REASONS[int(random.integers(len(SKIP_REASONS)))]
                signals.append(MadeUpSignal(trader.strategy_id, symbol, at, seen, reason))
                continue
            trades.append(_trade(day, trader, symbol, entry, side, random, reviewed))
    return sorted(trades, key=lambda trade: trade.opened_at), sorted(signals, key=lambda signal: signal.at)


def _entry_bar(minutes: Bars, trader: Trader, random: np.random.Generator) -> int | None:
    """Return the bar after which a trader enters; None where the day is too short."""
    first, last = (int(share * len(minutes)) for share in trader.window)
    return int(random.integers(first, max(last, first + 1))) if last + 2 < len(minutes) else None


def _trade(
    day: MadeUpDay, trader: Trader, symbol: str, entry: int, side: int, random: np.random.Generator, reviewed: float
) -> MadeUpTrade:
    minutes = day.minutes[symbol]
    outcome, other = (walked(minutes, trader, entry, way) for way in (side, -side))
    if random.random() < abs(trader.sight) and (other.gain - outcome.gain) * trader.sight > 0:
        side, outcome = -side, other
    price = float(minutes.close[entry])
    risk = _step(price * trader.stop_share)
    opened_at = int(minutes.time[entry]) + int(random.integers(1, 50)) * 10**9
    return MadeUpTrade(
        trader.strategy_id,
        symbol,
        side,
        max(int(min(RISK_CASH / risk, NOTIONAL_MAX / price)), 1),
        opened_at,
        price,
        _step(price - side * risk),
        None if trader.target_risks is None else _step(price + side * risk * trader.target_risks),
        int(minutes.time[outcome.bar]),
        outcome.price,
        outcome.reason,
        tuple(outcome.stops),
        _conditions(day, symbol, entry, side),
        _review_of(outcome, random) if random.random() < reviewed else None,
    )


def walked(minutes: Bars, trader: Trader, entry: int, side: int) -> WalkedEntry:
    """Return what becomes of an entry at the close of a bar: of a bar that reaches both, the stop counts."""
    price = float(minutes.close[entry])
    risk = _step(price * trader.stop_share)
    stop, target = price - side * risk, None
    if trader.target_risks is not None:
        target = _step(price + side * risk * trader.target_risks)
    stop, best, steps = _step(stop), price, 0
    last = len(minutes) - max(len(minutes) // 25, 1) - 1  # flat before the session ends
    held_to = min(entry + max(int(trader.hold_share * len(minutes)), 2), last)
    moved: list[Stop] = []
    far, near = (minutes.high, minutes.low) if side == 1 else (minutes.low, minutes.high)
    for bar in range(entry + 1, max(held_to, entry + 1)):
        opened = float(minutes.open[bar])  # beyond what was waited for, where the price jumped over it
        if side * (float(near[bar]) - stop) <= 0:
            reached = min(stop, opened) if side == 1 else max(stop, opened)
            return WalkedEntry(
                bar, reached, "trailing_stop" if moved else "stop", moved, side * (reached - price) / risk
            )
        if target is not None and side * (float(far[bar]) - target) >= 0:
            reached = max(target, opened) if side == 1 else min(target, opened)
            return WalkedEntry(bar, reached, "target", moved, side * (reached - price) / risk)
        best = max(best, float(far[bar])) if side == 1 else min(best, float(far[bar]))
        gained = min(int(side * (best - price) / risk), LONG_TRAIL)
        if trader.trails and gained > steps:
            steps, stop = gained, _step(price + side * risk * (gained - 1))
            moved.append(Stop(int(minutes.time[bar]), stop, best))
    bar = max(held_to, entry + 1)
    reached = float(minutes.close[bar])
    reason = "square_off" if bar >= last else "time"
    return WalkedEntry(bar, reached, reason, moved, side * (reached - price) / risk)


def _conditions(day: MadeUpDay, symbol: str, bar: int, side: int) -> dict[str, str | float | bool]:
    """Return what a signal saw: its side and price, how far bars went lately, and whether the index went its way."""
    minutes = day.minutes[symbol]
    lately = slice(max(bar - LOOK_BACK, 0), bar + 1)
    price = float(minutes.close[bar])
    seen: dict[str, str | float | bool] = {"side": SIDES[side], "price": price}
    seen["range_percent"] = round(float(np.mean(minutes.high[lately] - minutes.low[lately])) / price * 100, 4)
    seen["from_open_percent"] = round((price / float(minutes.open[0]) - 1) * 100, 4)
    if INDEX in day.minutes:
        index = day.minutes[INDEX]
        seen["with_index"] = bool(side * (index.close[min(bar, len(index) - 1)] - index.open[0]) > 0)
    return seen


def _review_of(outcome: WalkedEntry, random: np.random.Generator) -> MadeUpReview:
    rating = int(np.clip(round(3 + outcome.gain + random.normal(0, 0.8)), 1, 5))
    tags = tuple(sorted({TAGS[place] for place in random.integers(len(TAGS), size=int(random.integers(1, 3)))}))
    mistakes = MISTAKES[int(random.integers(len(MISTAKES)))] if rating < 3 else ""
    return MadeUpReview(rating, tags, mistakes, NOTES[int(random.integers(len(NOTES)))])


def _step(price: float) -> float:
    """Return a price, or a distance of at least one step, on the grid."""
    return round(max(round(price / GRID), 1) * GRID, 2)
