"""The figures of docs/promises.md computed the slow and plain way: from the fills alone, in fractions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from trading.models import CapitalFlow, Trade

INDIA = ZoneInfo("Asia/Kolkata")
STEP = Fraction(1, 10**8)


@dataclass
class Told:
    """One trade as its fills tell it."""

    strategy: str
    symbol: str
    risk: Decimal | None
    opened_at: datetime
    closed_at: datetime | None = None
    pnl: Fraction = Fraction(0)
    charges: Fraction | None = None
    exits: list[tuple[datetime, Fraction, Fraction]] = field(default_factory=list)  # at, gross, charges with it

    @property
    def net(self) -> Fraction:
        return self.pnl - (self.charges or 0)


def day_of(at: datetime) -> date:
    return at.astimezone(INDIA).date()


def tell(trade: Trade) -> Told:
    """Walk the fills: average cost, each exit releasing its share, the last one what is left."""
    told = Told(trade.strategy.code, trade.instrument.symbol, trade.initial_risk, trade.opened_at)
    held = cost = carried = Fraction(0)
    for fill in trade.fills.order_by("sequence"):
        quantity, value = Fraction(fill.quantity), Fraction(fill.quantity) * Fraction(fill.price)
        if fill.charges is not None:
            told.charges = (told.charges or Fraction(0)) + Fraction(fill.charges)
        own = Fraction(fill.charges or 0)
        if fill.role == "ENTRY":
            held, cost, carried = held + quantity, cost + value, carried + own
            continue
        last = quantity == held
        released = cost if last else step(cost * quantity / held)
        shared = carried if last else step(carried * quantity / held)
        held, cost, carried = held - quantity, cost - released, carried - shared
        gain = value - released if trade.side == "LONG" else released - value
        told.pnl += gain
        told.exits.append((fill.at, gain, own + shared))
        told.closed_at = fill.at if last else None
    return told


def step(value: Fraction) -> Fraction:
    return round(value / STEP) * STEP


def book(account: str) -> list[Told]:
    """Tell every trade of the account."""
    return [tell(trade) for trade in Trade.objects.filter(account__code=account)]


def figures(
    account: str, days: list[date], everyone: list[Told], *, strategy: str | None = None, symbol: str | None = None
) -> dict[str, Any]:
    """Return the figures of the trading days ``days`` for one cut of the account, whose trades are ``everyone``."""
    told = [one for one in everyone if strategy in (None, one.strategy) and symbol in (None, one.symbol)]
    inside = set(days)
    closed = [one for one in told if one.closed_at and day_of(one.closed_at) in inside]
    nets = [one.net for one in closed]
    wins, losses = [net for net in nets if net > 0], [net for net in nets if net < 0]
    gross = sum((gain for one in told for at, gain, _ in one.exits if day_of(at) in inside), Fraction(0))
    charges = sum((paid for one in told for at, _, paid in one.exits if day_of(at) in inside), Fraction(0))
    mean = sum(nets, Fraction(0)) / len(nets) if nets else None
    avg_win, avg_loss = average(wins), average(losses)
    returns = daily_returns(account, days, told, everyone)
    money, percent = drawdowns(account, days, told, everyone)
    rs = [net / Fraction(one.risk) for net, one in zip(nets, closed, strict=True) if one.risk]
    return {
        "total_trades": len(nets),
        "winning_trades": len(wins),
        "losing_trades": len(losses),
        "breakeven_trades": len(nets) - len(wins) - len(losses),
        "win_rate": 100 * len(wins) / len(nets) if nets else None,
        "total_pnl": gross - charges,
        "gross_pnl": gross,
        "charges": charges,
        "trades_without_charges": sum(one.charges is None for one in closed),
        "profit_factor": sum(wins) / -sum(losses) if losses else None,
        "avg_win": avg_win,
        "avg_loss": avg_loss,
        "largest_win": max(wins, default=None),
        "largest_loss": min(losses, default=None),
        "payoff_ratio": avg_win / -avg_loss if wins and losses else None,
        "expectancy": mean,
        "expectancy_ratio": mean / -avg_loss if losses else None,
        "expectancy_r": average(rs),
        "max_drawdown": money,
        "max_drawdown_pct": percent,
        "sharpe": sharpe(returns) if len(days) >= 20 else None,
        "sortino": sortino(returns) if len(days) >= 20 else None,
        "calmar": calmar(returns, percent) if len(days) >= 20 else None,
        "sqn": sqn(nets) if len(nets) >= 5 else None,
        "avg_holding_seconds": average([Fraction((one.closed_at - one.opened_at).total_seconds()) for one in closed]),
    }


def average(values: list[Fraction]) -> Any:
    return sum(values, Fraction(0)) / len(values) if values else None


def capital_before(account: str, day: date, everyone: list[Told]) -> Fraction:
    """The account's dated capital of the day, and its P&L of the days before."""
    flows = CapitalFlow.objects.filter(account__code=account, day__lte=day)
    pnl = sum((g - c for one in everyone for at, g, c in one.exits if day_of(at) < day), Fraction(0))
    return sum((Fraction(flow.amount) for flow in flows), Fraction(0)) + pnl


def daily_returns(account: str, days: list[date], told: list[Told], everyone: list[Told]) -> list[float]:
    made = []
    for day in days:
        pnl = sum((g - c for one in told for at, g, c in one.exits if day_of(at) == day), Fraction(0))
        made.append(float(pnl / capital_before(account, day, everyone)))
    return made


def drawdowns(account: str, days: list[date], told: list[Told], everyone: list[Told]) -> tuple[Any, Any]:
    """Equity after each instant of the period with exits, against the highest before it."""
    changes: dict[datetime, Fraction] = {}
    for one in told:
        for at, gain, paid in one.exits:
            if day_of(at) in set(days):
                changes[at] = changes.get(at, Fraction(0)) + gain - paid
    equity = peak = capital_before(account, days[0], everyone)
    money, percent = Fraction(0), 0.0
    for at in sorted(changes):
        equity += changes[at]
        peak = max(peak, equity)
        money, percent = max(money, peak - equity), max(percent, float(100 * (peak - equity) / peak))
    return money, percent


def sharpe(returns: list[float]) -> float | None:
    mean = sum(returns) / len(returns)
    sd = math.sqrt(sum((r - mean) ** 2 for r in returns) / (len(returns) - 1))
    return mean / sd * math.sqrt(252) if sd else None


def sortino(returns: list[float]) -> float | None:
    down = math.sqrt(sum(min(r, 0) ** 2 for r in returns) / len(returns))
    return sum(returns) / len(returns) / down * math.sqrt(252) if down else None


def calmar(returns: list[float], percent: float) -> float | None:
    growth = math.prod(1 + r for r in returns) ** (252 / len(returns)) - 1
    return 100 * growth / percent if percent else None


def sqn(nets: list[Fraction]) -> float | None:
    mean = sum(nets) / len(nets)
    variance = sum((net - mean) ** 2 for net in nets) / (len(nets) - 1)
    return math.sqrt(len(nets)) * float(mean) / math.sqrt(variance) if variance else None
