"""The figures of a period or a day, put together from its exit fills. Pure: rows in, one flat dict of `shapes` out.

Money belongs to the day of each exit fill; a trade counts, wins or loses where it closes, by its P&L after known
charges. Ratios of days (sharpe, sortino, calmar, cagr) need `TRADING_DAYS_MIN` days, sqn needs `TRADES_MIN` trades;
below that they are None. The days are those of `Capital.days`, none of them before the account's first trade.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from math import fsum
from operator import itemgetter
from typing import NamedTuple

from trading.domain import intervals, runs, shapes, statistics
from trading.domain.intervals import Moments, Sums
from trading.domain.statistics import Day, Drawdown, Outcomes

TRADING_DAYS_MIN = 20
TRADES_MIN = 5
_SCALE, _UNIT = 10**8, Decimal("1e-8")


# Of these there are as many as a book has trades: tuples are made and read several times as fast as dataclasses.
class ClosedTrade(NamedTuple):
    """A trade as its closing fill leaves it: its whole gross P&L, known charges, initial risk (units), seconds held.

    The seconds are None where its times are known to the day only.
    """

    pnl: int
    charges: int | None
    initial_risk: int | None
    seconds: float | None

    @property
    def net(self) -> int:
        return self.pnl - (self.charges or 0)


class Exit(NamedTuple):
    """One exit fill: what it realised (gross) and the charges that go with it, in units.

    ``closed`` is the trade where this fill closed it; ``is_open`` tells that the trade is open still.
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

    def flows_before(self, dates: Sequence[date]) -> list[tuple[int, int]]:
        """Return what came in before one of some changes of equity: its place and the units. ``dates`` are those of the
        changes, ascending; what came in after the last of them is before none."""
        places = ((bisect_left(dates, day), amount) for day, amount in self.flows.items())
        return [(place, amount) for place, amount in places if place < len(dates)]


def to_money(units: int | None) -> Decimal | None:
    """Return units of 10^-8 as an exact Decimal without trailing zeros."""
    return None if units is None else _money(units)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the figures of some exits are computed from, money in units: gross P&L and known charges of the exits; of
    the trades that they closed, by their P&L after known charges, the outcomes, the sum of the squares, the largest and
    the smallest, how many have unknown charges, how many were held for how many seconds in all, and the R multiples of
    those with an initial risk; and what exits of trades that are still open brought."""

    gross: int
    charges: int
    outcomes: Outcomes
    squares: int
    largest: int
    smallest: int
    seconds: tuple[int, float]
    multiples: Moments
    unknown: int
    open_net: int

    @classmethod
    def of(cls, exits: Sequence[Exit]) -> Sample:
        trades = [exit.closed for exit in exits if exit.closed is not None]
        nets = [trade.net for trade in trades]
        seconds = [trade.seconds for trade in trades if trade.seconds is not None]
        return cls(
            gross=sum(exit.pnl for exit in exits),
            charges=sum(exit.charges or 0 for exit in exits),
            outcomes=statistics.outcomes(nets),
            squares=sum(net * net for net in nets),
            largest=max(nets, default=0),
            smallest=min(nets, default=0),
            seconds=(len(seconds), fsum(seconds)),
            # Divided as integers: beyond 2^53 floats would round twice.
            multiples=Moments.of([trade.net / trade.initial_risk for trade in trades if trade.initial_risk]),
            unknown=sum(trade.charges is None for trade in trades),
            open_net=sum(exit.net for exit in exits if exit.is_open),
        )

    @property
    def sums(self) -> Sums:
        """The count, the sum and the sum of the squares of the trades' P&L."""
        return Sums(self.outcomes.trades, self.outcomes.pnl, self.squares)


def period_figures(exits: Sequence[Exit], capital: Capital) -> shapes.PeriodFigures:
    """Return the figures of a period. The order of ``exits`` does not matter."""
    return _of_path(EquityPath.of(exits, capital), Sample.of(exits))


def report_figures(path: EquityPath, sample: Sample) -> shapes.ReportFigures:
    """Return the figures of a period's report, of the equity and the sample of its exits: those of `period_figures`,
    growth, streaks, the drawdown now and its recovery, best and worst day, and how sure the averages are."""
    return {
        **_of_path(path, sample),
        "cagr": None if path.returns is None else statistics.annualised_return(path.returns),
        **_order_figures(path),
        **sureness(sample),
    }


def day_figures(sample: Sample, episodes: Sequence[Drawdown], capital: Capital) -> shapes.DayFigures:
    """Return the figures that fit one day, of the sample of its exits and the drawdowns of their equity: those of a
    period but for ratios of days and dates."""
    return {**_closed_figures(sample), **_drawdowns(episodes, capital), **_quality(sample), **_unfinished(sample)}


def part_figures(sample: Sample) -> shapes.PartFigures:
    """Return the figures of one part of a cut."""
    return {**trade_figures(sample), **sureness(sample)}


def trade_figures(sample: Sample) -> shapes.TradeFigures:
    """Return the figures of trades and of money; those of days and of capital are not among them."""
    return {**_closed_figures(sample), **_quality(sample), **_unfinished(sample)}


def outcome_figures(outcomes: Outcomes, *, gross: int, charges: int, unknown: int) -> shapes.OutcomeFigures:
    """Return the figures that sums alone can tell, so that any cut can be had from day totals; money in units."""
    return {**_results(outcomes, gross, charges, unknown), **_expectations(outcomes)}


def sureness(sample: Sample) -> shapes.Sureness:
    """Return the 95 % intervals of win rate, expectancy (rounded to 8 decimals) and expectancy in R; None where the
    sample cannot tell."""
    share = intervals.of_share(sample.outcomes.wins, sample.outcomes.trades)
    mean, multiple = intervals.of_sums(sample.sums), intervals.of_moments(sample.multiples)
    return {
        "win_rate_low": None if share is None else share.low,
        "win_rate_high": None if share is None else share.high,
        "expectancy_low": None if mean is None else _money(round(mean.low)),
        "expectancy_high": None if mean is None else _money(round(mean.high)),
        "expectancy_r_low": None if multiple is None else multiple.low,
        "expectancy_r_high": None if multiple is None else multiple.high,
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


def days_of(pnl_by_day: Mapping[date, int], capital: Capital) -> list[Day]:
    """Return the days of the period as `statistics.daily_returns` takes them."""
    return [
        Day(pnl_by_day.get(day, 0), capital.flows.get(day, 0), capital.other_pnl.get(day, 0)) for day in capital.days
    ]


@dataclass(frozen=True, slots=True)
class EquityPath:
    """The realised equity of some exits: the days of its changes (fills of one instant are one), the drawdowns, equity
    at the end and the peak it is measured from; each day's P&L, the streaks of the trades that closed, and the daily
    returns where there are enough of them to tell anything."""

    capital: Capital
    dates: Sequence[date]
    episodes: Sequence[Drawdown]
    end: tuple[int, int]
    pnl_by_day: Mapping[date, int]
    streaks: runs.Streaks
    returns: list[float] | None

    @classmethod
    def of(cls, exits: Sequence[Exit], capital: Capital) -> EquityPath:
        changes: list[int] = []
        dates: list[date] = []
        pnl_by_day: dict[date, int] = {}
        booked = sorted([(day, at, pnl - (charges or 0)) for at, day, pnl, charges, _, _ in exits])
        for (day, _), fills in groupby(booked, key=itemgetter(0, 1)):
            changes.append(sum([net for _, _, net in fills]))
            dates.append(day)
            pnl_by_day[day] = pnl_by_day.get(day, 0) + changes[-1]
        flows = [0] * len(dates)
        for place, amount in capital.flows_before(dates):
            flows[place] += amount
        closed = [(exit.at, exit.closed.net) for exit in exits if exit.closed is not None]
        return cls(
            capital,
            dates,
            statistics.drawdowns(changes, capital.at_start, flows),
            runs.peak_of(changes, capital.at_start, flows),
            pnl_by_day,
            runs.streaks(closed),
            sampled_returns(pnl_by_day, capital),
        )


def sampled_returns(pnl_by_day: Mapping[date, int], capital: Capital) -> list[float] | None:
    """Return the daily returns of a period, None where they are too few to tell anything."""
    returns = statistics.daily_returns(days_of(pnl_by_day, capital), capital.at_start)
    return returns if returns is not None and len(returns) >= TRADING_DAYS_MIN else None


def _of_path(path: EquityPath, sample: Sample) -> shapes.PeriodFigures:
    drawdowns = _drawdowns(path.episodes, path.capital)
    percent, returns = drawdowns["max_drawdown_pct"], path.returns
    return {
        **_closed_figures(sample),
        **drawdowns,
        "sharpe": None if returns is None else statistics.sharpe(returns),
        "sortino": None if returns is None else statistics.sortino(returns),
        "calmar": None if returns is None else statistics.calmar(returns, percent),
        **_quality(sample),
        **_unfinished(sample),
        "trading_days": len(path.capital.days),
        **_drawdown_dates(path),
    }


def _drawdowns(episodes: Sequence[Drawdown], capital: Capital) -> shapes.Drawdowns:
    """Return the deepest falls in money and in percent."""
    deepest, steepest = statistics.deepest(episodes), statistics.steepest(episodes)
    percent = None if steepest is None else steepest.percent
    if not episodes and capital.at_start + sum(capital.flows.values()) > 0:
        percent = 0.0  # of nothing, nothing can be lost
    return {"max_drawdown": _money(deepest.depth if deepest else 0), "max_drawdown_pct": percent}


def _drawdown_dates(path: EquityPath) -> shapes.DrawdownDates:
    """Return when the deepest falls were."""
    capital, dates = path.capital, path.dates
    deepest, steepest = statistics.deepest(path.episodes), statistics.steepest(path.episodes)

    def peak_day(fall: Drawdown | None) -> str | None:
        if fall is None:
            return None
        first = capital.days[0] if capital.days else dates[0]
        return (dates[fall.began] if fall.began >= 0 else first).isoformat()

    return {
        "max_drawdown_from": peak_day(deepest),
        "max_drawdown_to": None if deepest is None else dates[deepest.lowest].isoformat(),
        "max_drawdown_pct_from": peak_day(steepest),
        "max_drawdown_pct_to": None if steepest is None else dates[steepest.lowest].isoformat(),
    }


def _order_figures(path: EquityPath) -> shapes.OrderFigures:
    streaks = path.streaks
    deepest = statistics.deepest(path.episodes)
    now, now_percent = runs.current_drawdown(path.episodes, *path.end)
    recovered = path.dates[deepest.ended].isoformat() if deepest is not None and deepest.ended is not None else None
    pnl = path.pnl_by_day
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


def _closed_figures(sample: Sample) -> shapes.ClosedFigures:
    outcomes = sample.outcomes
    return {
        **_results(outcomes, sample.gross, sample.charges, sample.unknown),
        "largest_win": _money(sample.largest) if outcomes.wins else None,
        "largest_loss": _money(sample.smallest) if outcomes.losses else None,
        **_expectations(outcomes),
        "expectancy_r": sample.multiples.mean if sample.multiples.size else None,
    }


def _results(outcomes: Outcomes, gross: int, charges: int, unknown: int) -> shapes.Results:
    return {
        "total_trades": outcomes.trades,
        "winning_trades": outcomes.wins,
        "losing_trades": outcomes.losses,
        "breakeven_trades": outcomes.breakevens,
        "win_rate": statistics.win_rate(outcomes),
        "total_pnl": _money(gross - charges),
        "gross_pnl": _money(gross),
        "charges": _money(charges),
        "trades_without_charges": unknown,
        "profit_factor": statistics.profit_factor(outcomes),
        "avg_win": to_money(statistics.average(outcomes.gross_profit, outcomes.wins)),
        "avg_loss": to_money(statistics.average(outcomes.gross_loss, outcomes.losses)),
    }


def _expectations(outcomes: Outcomes) -> shapes.Expectations:
    return {
        "payoff_ratio": statistics.payoff_ratio(outcomes),
        "expectancy": to_money(statistics.expectancy(outcomes)),
        "expectancy_ratio": statistics.expectancy_ratio(outcomes),
    }


def _quality(sample: Sample) -> shapes.Quality:
    count, seconds = sample.seconds
    return {
        "sqn": statistics.sqn_of(*sample.sums) if sample.outcomes.trades >= TRADES_MIN else None,
        "avg_holding_seconds": seconds / count if count else None,
    }


def _unfinished(sample: Sample) -> shapes.Unfinished:
    return {"open_trades_pnl": _money(sample.open_net), "trades_with_initial_risk": sample.multiples.size}


def _money(units: int) -> Decimal:
    return (units * _UNIT).normalize() if units % _SCALE else Decimal(units // _SCALE)
