"""What came of a walk: exits as the figures take them, and a digest of each day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from lab.backtest.desk import LabDesk
from lab.domain.fills import LabTrade
from lab.domain.trials import DayDigest
from trading.domain import figures
from trading.domain.figures import Capital, ClosedTrade, Exit
from trading.domain.shapes import PeriodFigures
from trading.queries.statistics import History, capital_in


def exits_of(trade: LabTrade) -> list[Exit]:
    """Return a trade's exit fills as the figures take them."""
    exits = []
    for fill in trade.fills:
        outcome = fill.realised
        if outcome is not None:
            closed = None
            if outcome.closes:
                seconds = (fill.at - trade.fills[0].at).total_seconds()
                closed = ClosedTrade(trade.holding.realised_pnl, trade.holding.charges, trade.initial_risk, seconds)
            exits.append(Exit(fill.at, fill.day, outcome.pnl, outcome.charges, closed, not trade.is_over))
    return exits


def digests_of(desk: LabDesk, days: Sequence[date]) -> dict[date, DayDigest]:
    """Return what each of the days brought. A trade that is still open is of the day of its opening fill."""
    digests = {day: DayDigest(unfilled=desk.book.unfilled[day]) for day in days}
    for trade in desk.trades:
        if not trade.fills:
            continue
        opened = trade.fills[0].day
        digest = digests[opened]
        is_held = bool(trade.holding.open_quantity)
        digests[opened] = digest._replace(opened=digest.opened + 1, censored=digest.censored + is_held)
        for exit in exits_of(trade):
            digest = digests[exit.day]
            closed = exit.closed
            digests[exit.day] = digest._replace(
                pnl=digest.pnl + exit.net,
                charges=digest.charges + (exit.charges or 0),
                closed=digest.closed + (closed is not None),
                uncharged=digest.uncharged + (closed is not None and closed.charges is None),
            )
    return digests


def statistics_of(desk: LabDesk, days: Sequence[date], flows: Mapping[date, int]) -> PeriodFigures:
    """Return the figures of a walk over these days with an account's capital, as the ledger's reports tell them."""
    exits = [exit for trade in desk.trades for exit in exits_of(trade)]
    return figures.period_figures(exits, capital_of(exits, days, flows))


def capital_of(exits: Sequence[Exit], days: Sequence[date], flows: Mapping[date, int]) -> Capital:
    """Return the capital that a walk has on each of its days, all of which are its sample, traded or not."""
    pnl: dict[date, int] = {}
    for exit in exits:
        pnl[exit.day] = pnl.get(exit.day, 0) + exit.net
    return capital_in(History(dict(flows), pnl), list(days), list(exits))
