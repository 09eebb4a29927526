"""Figures about trades and days: pure functions, each with its formula, its convention and where that comes from.

Money goes in and comes out in whole units of 10^-8, as the ledger keeps it, so that sums are exact and the order of
equal things changes nothing. Counts and sums over nothing are 0; an average or a ratio that is not defined is None.
Minimum samples are the caller's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import expm1, fsum, log1p, sqrt

TRADING_DAYS_A_YEAR = 252


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Counts and sums of closed trades; they add up over any cut. ``gross_loss`` is the sum of the losses, at most
    0."""

    wins: int = 0
    losses: int = 0
    breakevens: int = 0
    gross_profit: int = 0
    gross_loss: int = 0

    @property
    def trades(self) -> int:
        return self.wins + self.losses + self.breakevens

    @property
    def pnl(self) -> int:
        return self.gross_profit + self.gross_loss

    def __add__(self, other: Outcomes) -> Outcomes:
        return Outcomes(
            wins=self.wins + other.wins,
            losses=self.losses + other.losses,
            breakevens=self.breakevens + other.breakevens,
            gross_profit=self.gross_profit + other.gross_profit,
            gross_loss=self.gross_loss + other.gross_loss,
        )


def outcomes(pnls: Iterable[int]) -> Outcomes:
    """Sort closed trades by the sign of their P&L: above zero a win, below a loss, zero breaks even."""
    profits, losses, breakevens = [], [], 0
    for pnl in pnls:
        if pnl > 0:
            profits.append(pnl)
        elif pnl < 0:
            losses.append(pnl)
        else:
            breakevens += 1
    return Outcomes(
        wins=len(profits),
        losses=len(losses),
        breakevens=breakevens,
        gross_profit=sum(profits),
        gross_loss=sum(losses),
    )


def win_rate(outcomes: Outcomes) -> float | None:
    """Return wins ÷ trades × 100; trades that break even count as trades. None without trades."""
    return 100 * outcomes.wins / outcomes.trades if outcomes.trades else None


def profit_factor(outcomes: Outcomes) -> float | None:
    """Return the sum of the wins ÷ the sum of the losses without its sign (Schwager). None without a loss."""
    return _ratio(outcomes.gross_profit, -outcomes.gross_loss)


def average(total: int, count: int) -> int | None:
    """Return total ÷ count in units, rounded half-even at the 8th decimal. None for no items."""
    if not count:
        return None
    whole, rest = divmod(total, count)
    return whole + (2 * rest > count or (2 * rest == count and whole % 2 == 1))


def payoff_ratio(outcomes: Outcomes) -> float | None:
    """Return the average win ÷ the average loss without its sign. None without a win or without a loss."""
    if not outcomes.wins or not outcomes.losses:
        return None
    return _ratio(outcomes.gross_profit * outcomes.losses, -outcomes.gross_loss * outcomes.wins)


def expectancy(outcomes: Outcomes) -> int | None:
    """Return the mean P&L of a trade in units (Tharp: win share × average win − loss share × average loss)."""
    return average(outcomes.pnl, outcomes.trades)


def expectancy_ratio(outcomes: Outcomes) -> float | None:
    """Return expectancy ÷ |average loss| (Tharp, «Trade Your Way to Financial Freedom»: what one risked unit earns,
    with the average loss as the unit). None without a loss."""
    return _ratio(outcomes.pnl * outcomes.losses, -outcomes.gross_loss * outcomes.trades)


def expectancy_r(risked: Sequence[tuple[int, int]]) -> float | None:
    """Return the mean R multiple (Tharp) of (P&L, initial risk) pairs: each trade's P&L ÷ what it risked at its
    opening.

    Trades without an initial risk have no R and do not belong in here. None without pairs.
    """
    multiples = [pnl / risk for pnl, risk in risked]
    return fsum(multiples) / len(multiples) if multiples else None


def sqn(pnls: Sequence[int]) -> float | None:
    """Return Tharp's System Quality Number: √n × mean ÷ standard deviation (ddof 1) of the trades' P&L.

    √n is not capped at 10. None below two trades and where all are alike. The sums are exact, so order changes nothing.
    """
    return sqn_of(len(pnls), sum(pnls), sum(pnl * pnl for pnl in pnls))


def sqn_of(count: int, total: int, squares: int) -> float | None:
    """Return `sqn` of so many trades' P&L by its sum and the sum of its squares."""
    spread = count * squares - total * total  # n² × the population variance
    if count < 2 or spread == 0:
        return None
    return total * sqrt(Fraction(count - 1, spread))


@dataclass(frozen=True, slots=True)
class Day:
    """One trading day: its realised P&L (after known charges), what else of the account changed its capital before
    it, in units: ``flow`` is capital brought in since the day before, ``other_pnl`` the day's P&L outside the cut
    looked at."""

    pnl: int
    flow: int = 0
    other_pnl: int = 0


def daily_returns(days: Iterable[Day], capital: int) -> list[float] | None:
    """Return each day's P&L ÷ the capital at that day's start, every trading day counted, traded or not.

    ``capital`` is the account's before the first day: dated capital and P&L so far. None where a day starts without
    capital.
    """
    returns = []
    for day in days:
        capital += day.flow
        if capital <= 0:
            return None
        returns.append(day.pnl / capital)
        capital += day.pnl + day.other_pnl
    return returns


def sharpe(returns: Sequence[float]) -> float | None:
    """Return mean ÷ standard deviation (ddof 1) × √252 of daily returns, risk-free rate 0 (Sharpe 1994).

    None below two days and where all are alike.
    """
    if len(returns) < 2 or min(returns) == max(returns):
        return None
    mean = fsum(returns) / len(returns)
    deviation = sqrt(fsum((value - mean) ** 2 for value in returns) / (len(returns) - 1))
    return mean / deviation * sqrt(TRADING_DAYS_A_YEAR) if deviation else None


def sortino(returns: Sequence[float]) -> float | None:
    """Return mean ÷ downside × √252 of daily returns, target 0 (Sortino & Price 1994).

    Downside is the root of the mean over *all* days of the squared returns below zero. None without a losing day.
    """
    if not returns:
        return None
    downside = sqrt(fsum(min(value, 0.0) ** 2 for value in returns) / len(returns))
    return fsum(returns) / len(returns) / downside * sqrt(TRADING_DAYS_A_YEAR) if downside else None


def annualised_return(returns: Sequence[float]) -> float | None:
    """Return the compound growth of daily returns over a year of 252 days, in percent: (Π(1 + r))^(252 ÷ n) − 1.

    None without days, where everything was lost, and where the growth of few extreme days has no finite figure.
    """
    if not returns or min(returns) <= -1:
        return None
    # By logarithms: of a product near 1 most digits are lost, and small trades of a large capital are near it.
    growth = fsum(map(log1p, returns))
    try:
        return 100 * expm1(growth * TRADING_DAYS_A_YEAR / len(returns))
    except OverflowError:
        return None


def calmar(returns: Sequence[float], max_drawdown_pct: float | None) -> float | None:
    """Return annualised return ÷ maximum drawdown, both in percent (Young 1991, over the period asked for instead of
    his 36 months). None without a drawdown."""
    annual = annualised_return(returns)
    return annual / max_drawdown_pct if annual is not None and max_drawdown_pct else None


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One episode below a peak of equity: how deep in units and in percent of the peak, from where to where.

    ``began`` is the index of the last change before it (−1: the start), ``lowest`` that of its low, ``ended`` that of
    the change that reached the peak again, None while it lasts. ``percent`` is None above a peak of nothing, and above
    100 where more was lost than there was: 100,000 less 120,000, 30,000 and 50,000 is a drawdown of 200,000, 200 %.
    """

    depth: int
    percent: float | None
    began: int
    lowest: int
    ended: int | None


def drawdowns(changes: Sequence[int], capital: int, flows: Sequence[int] | None = None) -> list[Drawdown]:
    """Return every episode in which capital plus P&L so far stood below its highest value, seeded with the capital.

    ``flows[i]`` is capital that came in (or, negative, went out) before ``changes[i]``: it moves equity and peak
    alike, so that bringing money hides no drawdown and taking some out makes none.
    """
    episodes: list[Drawdown] = []
    equity = peak = capital
    began, lowest, depth = -1, -1, 0  # a depth above 0: an episode lasts
    percent: float | None = None
    for index, change in enumerate(changes):
        flow = flows[index] if flows is not None else 0
        equity, peak = equity + flow + change, peak + flow
        if equity >= peak:
            if depth:
                episodes.append(Drawdown(depth, percent, began, lowest, index))
            peak, began, depth, percent = equity, index, 0, None
            continue
        below = peak - equity
        # A flow moves the peak during an episode, so its deepest money and its deepest part of the peak can lie apart.
        if peak > 0:
            percent = max(percent or 0.0, 100 * below / peak)
        if below > depth:
            depth, lowest = below, index
    return [*episodes, Drawdown(depth, percent, began, lowest, None)] if depth else episodes


def deepest(episodes: Sequence[Drawdown]) -> Drawdown | None:
    """Return the episode that lost the most money, the earliest of equal ones; None without any."""
    return max(episodes, key=lambda episode: episode.depth, default=None)


def steepest(episodes: Sequence[Drawdown]) -> Drawdown | None:
    """Return the episode that lost the largest part of its peak; None without any that has a percentage."""
    episodes_in_percent = [episode for episode in episodes if episode.percent is not None]
    return max(episodes_in_percent, key=lambda episode: episode.percent or 0.0, default=None)


def _ratio(over: int, under: int) -> float | None:
    return over / under if under else None
