"""The figures of a period or a day, put together from its exit fills (FACE §5). Pure: rows in, one flat dict out.

Money belongs to the day of each exit fill; a trade counts, wins or loses where it closes, by its P&L after known
charges. Ratios of days (sharpe, sortino, calmar, cagr) need `TRADING_DAYS_MIN` days, sqn needs `TRADES_MIN` trades;
below that they are None. The days are those of `Capital.days`, none of them before the account's first trade.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from math import fsum
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trading.domain import intervals, runs, statistics
from trading.domain.intervals import Interval
from trading.domain.statistics import Day, Drawdown, Outcomes

TRADING_DAYS_MIN = 20
TRADES_MIN = 5
_SCALE, _EXPONENT = 10**8, -8


# Of these there are as many as a book has trades: tuples are made and read several times as fast as dataclasses.
class ClosedTrade(NamedTuple):
    """A trade as its closing fill leaves it: its whole gross P&L, known charges, initial risk (units), seconds held."""

    pnl: int
    charges: int | None
    initial_risk: int | None
    seconds: float

    @property
    def net(self) -> int:
        return self.pnl - (self.charges or 0)


class Exit(NamedTuple):
    """One exit fill: what it realised (gross) and the charges that go with it, in units.

    ``closed`` is the trade where this fill closed it; ``is_open`` says that the trade is open still.
    """

    at: datetime
    day: date
    pnl: int
    charges: int | None
    closed: ClosedTrade | None = None
    is_open: bool = False

    @property
    def net(self) -> int:
        return self.pnl - (self.charges or 0)


@dataclass(frozen=True, slots=True)
class Capital:
    """The account's capital as a cut of it sees it, in units: what there was at the start of ``days[0]``, what came in
    before each day, and each day's P&L of the account outside the cut. ``days`` are the sample of every figure of
    days: they begin with the account's first trade."""

    at_start: int
    days: Sequence[date]
    flows: Mapping[date, int]
    other_pnl: Mapping[date, int]


def to_money(units: int | None) -> Decimal | None:
    """Return units of 10^-8 as an exact Decimal without trailing zeros."""
    return None if units is None else _money(units)


def period_figures(exits: Sequence[Exit], capital: Capital) -> dict[str, Any]:
    """Return every key of FACE §5, the dates of the drawdowns, and the sample sizes.

    Money is Decimal, ratios float or None, dates ISO text or None; the order of ``exits`` does not matter.
    """
    return _period_figures(Sample.of(exits), _Path.of(exits, capital), _sampled(exits, capital))


def _period_figures(sample: Sample, path: _Path, sampled: Sequence[float] | None) -> dict[str, Any]:
    falls = _falls(path)
    calmar = None if sampled is None else statistics.calmar(sampled, falls["max_drawdown_pct"])
    ratios = {
        "sharpe": None if sampled is None else statistics.sharpe(sampled),
        "sortino": None if sampled is None else statistics.sortino(sampled),
        "calmar": calmar,
    }
    made = _trade_figures(sample)
    last = {name: made.pop(name) for name in ("sqn", "avg_holding_seconds")}
    samples = {"trading_days": len(path.capital.days)}
    dates = {name: falls.pop(name) for name in list(falls) if name.endswith(("_from", "_to"))}
    apart = {name: made.pop(name) for name in ("open_trades_pnl", "trades_with_initial_risk")}
    return {**made, **falls, **ratios, **last, **apart, **samples, **dates}


def day_figures(exits: Sequence[Exit], capital: Capital) -> dict[str, Any]:
    """Return the keys of FACE §5 that fit one day, in their order: all but sharpe, sortino and calmar."""
    made = trade_figures(exits)
    last = {name: made.pop(name) for name in ("sqn", "avg_holding_seconds")}
    apart = {name: made.pop(name) for name in ("open_trades_pnl", "trades_with_initial_risk")}
    falls = _falls(_Path.of(exits, capital))
    falls = {name: value for name, value in falls.items() if not name.endswith(("_from", "_to"))}
    return {**made, **falls, **last, **apart}


def report_figures(exits: Sequence[Exit], capital: Capital, *, sample: Sample | None = None) -> dict[str, Any]:
    """Return `period_figures` and what a report tells beyond them: streaks, the drawdown now and its recovery, best and
    worst day, growth, and how sure the averages are (95 %).

    `cagr` is the compound return a year of 252 days, in percent, None below `TRADING_DAYS_MIN` days. ``sample`` is
    that of the exits where a `Sheet` has it.
    """
    sample = Sample.of(exits) if sample is None else sample
    path, sampled = _Path.of(exits, capital), _sampled(exits, capital)
    return {
        **_period_figures(sample, path, sampled),
        "cagr": None if sampled is None else statistics.annualised_return(sampled),
        **_order_figures(path),
        **_sureness(sample),
    }


def part_figures(sample: Sample) -> dict[str, Any]:
    """Return what one part of a cut tells: `trade_figures` and `sureness` of its exits."""
    return {**_trade_figures(sample), **_sureness(sample)}


def sureness(exits: Sequence[Exit]) -> dict[str, Any]:
    """Return the 95 % intervals of win rate (percent), expectancy (money, rounded to 8 decimals) and expectancy in R,
    each as two keys `_low` and `_high`; None where the sample cannot tell."""
    return _sureness(Sample.of(exits))


def _sampled(exits: Sequence[Exit], capital: Capital) -> list[float] | None:
    """Return the daily returns where there are enough of them to tell anything."""
    returns = statistics.daily_returns(days_of(exits, capital), capital.at_start)
    return returns if returns is not None and len(returns) >= TRADING_DAYS_MIN else None


class Sheet:
    """The columns of many exits, read off once: a cut of them takes lists of numbers, not a walk over objects."""

    def __init__(self, exits: Sequence[Exit]) -> None:
        trades = [exit.closed for exit in exits]
        risks = [trade.initial_risk if trade is not None else None for trade in trades]
        self._pnls = _integers([exit.pnl for exit in exits])
        self._charges = _integers([exit.charges or 0 for exit in exits])
        self._open = np.array([exit.is_open for exit in exits], dtype=bool)
        self._closes = np.array([trade is not None for trade in trades], dtype=bool)
        self._unknown = np.array([trade is not None and trade.charges is None for trade in trades], dtype=bool)
        nets = [0 if trade is None else trade.net for trade in trades]
        self._nets = _integers(nets)
        self._seconds = np.array([0.0 if trade is None else trade.seconds for trade in trades], dtype=np.float64)
        self._risked = np.array([bool(risk) for risk in risks], dtype=bool)
        # Divided here, as integers: beyond 2^53 floats would round twice.
        multiples = [net / risk if risk else 0.0 for net, risk in zip(nets, risks, strict=True)]
        self._multiples = np.array(multiples, dtype=np.float64)

    def sample(self, places: Sequence[int]) -> Sample:
        """Return the exits at these places."""
        chosen = np.array(places, dtype=np.int64)
        closing, still = chosen[self._closes[chosen]], chosen[self._open[chosen]]
        return Sample(
            gross=sum(self._pnls[chosen].tolist()),
            charges=sum(self._charges[chosen].tolist()),
            nets=self._nets[closing].tolist(),
            seconds=self._seconds[closing].tolist(),
            multiples=self._multiples[chosen[self._risked[chosen]]].tolist(),
            unknown=int(np.count_nonzero(self._unknown[chosen])),
            open_net=sum(self._pnls[still].tolist()) - sum(self._charges[still].tolist()),
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """What the figures of some exits are computed from, money in units: gross P&L and known charges of the exits; of
    the trades that they closed, the P&L after known charges, the seconds held, how many have charges that nobody told,
    and the R multiples of those with an initial risk; and what exits of trades that are open still brought."""

    gross: int
    charges: int
    nets: list[int]
    seconds: list[float]
    multiples: list[float]
    unknown: int
    open_net: int

    @classmethod
    def of(cls, exits: Sequence[Exit]) -> Sample:
        return Sheet(exits).sample(range(len(exits)))


def _integers(values: list[int]) -> npt.NDArray[Any]:
    """Return whole numbers exactly, whatever their size."""
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        return np.array(values, dtype=object)


def _sureness(sample: Sample) -> dict[str, Any]:
    nets = sample.nets
    mean = intervals.of_mean(nets)
    return {
        **_ends("win_rate", intervals.of_share(sum(net > 0 for net in nets), len(nets))),
        "expectancy_low": None if mean is None else _money(round(mean.low)),
        "expectancy_high": None if mean is None else _money(round(mean.high)),
        **_ends("expectancy_r", intervals.of_mean(sample.multiples)),
    }


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return {f"{name}_low": low, f"{name}_high": high}


def _order_figures(path: _Path) -> dict[str, Any]:
    streaks = runs.streaks([(exit.at, exit.closed.net) for exit in path.exits if exit.closed is not None])
    deepest = statistics.deepest(path.episodes)
    now, now_percent = runs.current_drawdown(
        path.episodes, *runs.peak_of(path.changes, path.capital.at_start, path.flows)
    )
    recovered = path.dates[deepest.ended].isoformat() if deepest is not None and deepest.ended is not None else None
    pnl = _by_day(path.exits)
    ends = runs.best_and_worst(pnl)
    return {
        "longest_winning_streak": streaks.longest_wins,
        "longest_losing_streak": streaks.longest_losses,
        "current_streak": streaks.current,
        "current_drawdown": _money(now),
        "current_drawdown_pct": now_percent,
        "max_drawdown_recovered": recovered,
        "recovery_factor": runs.recovery_factor(sum(pnl.values()), deepest.depth if deepest else 0),
        "best_day": None if ends is None else _money(ends[0][1]),
        "best_day_date": None if ends is None else ends[0][0].isoformat(),
        "worst_day": None if ends is None else _money(ends[1][1]),
        "worst_day_date": None if ends is None else ends[1][0].isoformat(),
    }


def trade_figures(exits: Sequence[Exit]) -> dict[str, Any]:
    """Return the figures of trades and of money; those of days and of capital are not among them."""
    return _trade_figures(Sample.of(exits))


def _trade_figures(sample: Sample) -> dict[str, Any]:
    nets, seconds, multiples = sample.nets, sample.seconds, sample.multiples
    return {
        **outcome_figures(
            statistics.outcomes(nets),
            gross=sample.gross,
            charges=sample.charges,
            unknown=sample.unknown,
            largest=(max(nets, default=0), min(nets, default=0)),
        ),
        "expectancy_r": statistics.mean_multiple(multiples),
        "sqn": statistics.sqn(nets) if len(nets) >= TRADES_MIN else None,
        "avg_holding_seconds": fsum(seconds) / len(seconds) if seconds else None,
        "open_trades_pnl": _money(sample.open_net),
        "trades_with_initial_risk": len(multiples),
    }


def outcome_figures(
    made: Outcomes, *, gross: int, charges: int, unknown: int, largest: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Return the figures that sums alone can tell, so that any cut can be had from day totals; money in units.

    ``largest`` is the largest and the smallest P&L of a trade; without it the two keys are left out.
    """
    largest_keys = {} if largest is None else _largest(made, *largest)
    return {
        "total_trades": made.trades,
        "winning_trades": made.wins,
        "losing_trades": made.losses,
        "breakeven_trades": made.breakevens,
        "win_rate": statistics.win_rate(made),
        "total_pnl": _money(gross - charges),
        "gross_pnl": _money(gross),
        "charges": _money(charges),
        "trades_without_charges": unknown,
        "profit_factor": statistics.profit_factor(made),
        "avg_win": to_money(statistics.average(made.gross_profit, made.wins)),
        "avg_loss": to_money(statistics.average(made.gross_loss, made.losses)),
        **largest_keys,
        "payoff_ratio": statistics.payoff_ratio(made),
        "expectancy": to_money(statistics.expectancy(made)),
        "expectancy_ratio": statistics.expectancy_ratio(made),
    }


def exposure_seconds(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """Return the seconds in which at least one of the spans runs: two trades at a time count once."""
    seconds, reached = 0.0, None
    for start, stop in sorted(spans):
        begin = start if reached is None else max(start, reached)
        if stop > begin:
            seconds += (stop - begin).total_seconds()
            reached = stop
    return seconds


def _largest(made: Outcomes, high: int, low: int) -> dict[str, Decimal | None]:
    return {
        "largest_win": _money(high) if made.wins else None,
        "largest_loss": _money(low) if made.losses else None,
    }


def days_of(exits: Sequence[Exit], capital: Capital) -> list[Day]:
    """Return the days of the period as `statistics.daily_returns` takes them."""
    pnl = _by_day(exits)
    return [Day(pnl.get(day, 0), capital.flows.get(day, 0), capital.other_pnl.get(day, 0)) for day in capital.days]


def _by_day(exits: Iterable[Exit]) -> dict[date, int]:
    pnl: dict[date, int] = {}
    for _, day, gross, charges, _, _ in exits:
        pnl[day] = pnl.get(day, 0) + gross - (charges or 0)
    return pnl


@dataclass(frozen=True, slots=True)
class _Path:
    """The realised equity of some exits, and its drawdowns."""

    exits: Sequence[Exit]
    capital: Capital
    changes: list[int]
    flows: list[int]
    dates: list[date]
    episodes: list[Drawdown]

    @classmethod
    def of(cls, exits: Sequence[Exit], capital: Capital) -> _Path:
        changes, flows, dates = _changes(exits, capital)
        return cls(exits, capital, changes, flows, dates, statistics.drawdowns(changes, capital.at_start, flows))


def _changes(exits: Sequence[Exit], capital: Capital) -> tuple[list[int], list[int], list[date]]:
    """What each instant realised, what capital came in before it, and its day: fills of one instant are one change."""
    changes: list[int] = []
    flows: list[int] = []
    dates: list[date] = []
    waiting = sorted(capital.flows.items())
    booked = sorted([(day, at, pnl - (charges or 0)) for at, day, pnl, charges, _, _ in exits])
    for (day, _), fills in groupby(booked, key=itemgetter(0, 1)):
        came_in = 0
        while waiting and waiting[0][0] <= day:
            came_in += waiting.pop(0)[1]
        changes.append(sum([net for _, _, net in fills]))
        flows.append(came_in)
        dates.append(day)
    return changes, flows, dates


def _falls(path: _Path) -> dict[str, Any]:
    """The drawdowns of the realised equity."""
    episodes, capital, dates = path.episodes, path.capital, path.dates
    deepest, steepest = statistics.deepest(episodes), statistics.steepest(episodes)
    first = capital.days[0] if capital.days else None
    return {
        "max_drawdown": _money(deepest.depth if deepest else 0),
        "max_drawdown_pct": _largest_percent(steepest, episodes, capital),
        **_span("max_drawdown", deepest, dates, first),
        **_span("max_drawdown_pct", steepest, dates, first),
    }


def _largest_percent(steepest: Drawdown | None, episodes: Sequence[Drawdown], capital: Capital) -> float | None:
    if steepest is not None:
        return steepest.percent
    has_capital = capital.at_start + sum(capital.flows.values()) > 0
    return 0.0 if has_capital and not episodes else None


def _span(name: str, episode: Drawdown | None, dates: Sequence[date], first: date | None) -> dict[str, str | None]:
    if episode is None:
        return {f"{name}_from": None, f"{name}_to": None}
    began = dates[episode.began] if episode.began >= 0 else first or dates[0]
    return {f"{name}_from": began.isoformat(), f"{name}_to": dates[episode.lowest].isoformat()}


def _money(units: int) -> Decimal:
    whole, rest = divmod(units, _SCALE)
    return Decimal(units).scaleb(_EXPONENT).normalize() if rest else Decimal(whole)
