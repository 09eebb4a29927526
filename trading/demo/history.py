"""The recording of the made-up sessions: their minutes, trades, signals, reviews, notes and reports, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from timeseries import wiring
from trading import replay
from trading.data_manager import DataManager
from trading.demo.days import GAP_DAY, GAP_SYMBOL, MadeUpDay, days_before, history_feed
from trading.demo.traders import MadeUpTrade, trades_of
from trading.domain.money import from_units
from trading.domain.sessions import Calendar, DaySession
from trading.errors import InvalidValue
from trading.models import Account, Trade, User
from trading.operations.add_capital import add_capital
from trading.operations.import_trades import ImportRow, import_trades
from trading.operations.measure_excursions import measure_excursions
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.operations.record_signal import record_signal
from trading.operations.review_trade import review_trade
from trading.operations.write_day_note import write_day_note
from trading.queries.accounts import capital_flows, pnl_by_day
from trading.queries.day_notes import notes_of
from trading.strategies.base import instant
from trading.strategies.intraday import SIDES
from trading.transactions import together

IDLE_DAY = 12  # sessions before the demo's day: nothing was traded
DAYS_TOGETHER = 2
REVIEWED_SHARE, WAITING_DAYS = 0.75, 3  # of the newest days no trade has been reviewed yet
NOTES = {  # by sessions before the demo's day; each text is a version
    GAP_DAY: ("RELIANCE was without ticks for a quarter of an hour around noon. The line was replaced.",),
    IDLE_DAY: ("Away. No strategy ran.",),
    21: (
        "Too many entries in the first minutes: all of them against the index.",
        "Too many entries in the first minutes, all of them against the index. From tomorrow on gap_fade waits.",
    ),
}


def sessions_before(calendar: Calendar, first: datetime, count: int) -> list[DaySession]:
    """Return the ``count`` sessions that had closed by an instant, ascending."""
    sessions: list[DaySession] = []
    for _ in range(count):
        session = calendar.last_completed(first)
        sessions.append(session)
        first = session.opens_at
    return sessions[::-1]


def record_history(
    account: Account, sessions: Sequence[DaySession], day_after: date, *, source: str, seed: int, reviewer: User
) -> None:
    """Record these sessions, the last before ``day_after``, the demo's. Repeating it changes nothing.

    Raises: what the operations raise; StoreUnavailable.
    """
    days = days_before(sessions, seed=seed)
    feed = history_feed(days)
    with DataManager.for_replay(source=source, account=account.code) as dm:
        replay.run(dm, feed, None, todo=replay.missing(dm, feed, source=source), pace=replay.Pace())
    counted = list(zip(range(len(days), 0, -1), days, strict=True))
    for first in range(0, len(counted), DAYS_TOGETHER):
        with together():  # one commit, well within the two seconds for which the companion waits for it
            for back, day in counted[first : first + DAYS_TOGETHER]:
                _book(account, day, back, seed, reviewer)
    gap = [(GAP_SYMBOL, day.session.day) for day in days[-GAP_DAY:][:1]]
    measure_excursions(account.code, wiring.open_reader(), trades=[], days=gap)  # the companion looks at traded days
    _take_profits(account, day_after, by=reviewer.get_username())


def _take_profits(account: Account, day: date, *, by: str) -> None:
    """Take out, once, what was won by the start of a day (bring in what was lost): it starts with its own capital."""
    won = sum(pnl_by_day(account, until=day - timedelta(days=1)).values())
    if won and day not in capital_flows(account, until=day):
        add_capital(account.code, day, from_units(-won), note="Result of the sessions before, settled", by=by)


def _book(account: Account, day: MadeUpDay, back: int, seed: int, reviewer: User) -> None:
    """Book what became of a day: trades and signals, then what people wrote, then its report."""
    reviewed = REVIEWED_SHARE if back > WAITING_DAYS else 0.0
    trades, signals = ([], []) if back == IDLE_DAY else trades_of(day, seed=seed, back=back, reviewed=reviewed)
    imported = import_trades(account.code, [_row(trade) for trade in trades])
    for _, code, message in imported.rejected:
        raise InvalidValue(f"A made-up trade of {day.session.day} was refused ({code}): {message}")
    named = Trade.objects.filter(account=account, trading_day=day.session.day).values_list("trade_id", "pk")
    pks = dict(named)
    for signal in signals:
        at, seen = instant(signal.at), signal.conditions
        names = (account.code, signal.strategy_id, signal.symbol)
        record_signal(*names, at, seen, decision="SKIPPED", reason=signal.reason)
    for trade in trades:
        if (review := trade.review) is not None:
            words = {"mistakes": review.mistakes, "notes": review.notes}
            review_trade(pks[trade.trade_id], by=reviewer, rating=review.rating, tags=review.tags, **words)
    for text in NOTES.get(back, ())[len(notes_of(account, day.session.day)) :]:
        write_day_note(account, day.session.day, text, by=reviewer.get_username())
    publish_daily_summary(account, day.session.day, rebuild=True)


def _row(trade: MadeUpTrade) -> ImportRow:
    method = "RISK"
    return {
        "trade_id": trade.trade_id,
        "strategy_id": trade.strategy_id,
        "symbol": trade.symbol,
        "side": SIDES[trade.side],
        "entry_price": trade.entry,
        "quantity": trade.quantity,
        "entry_time": instant(trade.opened_at),
        "stop_price": trade.stop,
        "target_price": trade.target,
        "charges": trade.charges(trade.entry),
        "signal_conditions": trade.conditions,
        "stop_changes": [(instant(stop.at), stop.price, stop.extreme, method) for stop in trade.stops],
        "exit_price": trade.exit,
        "exit_time": instant(trade.closed_at),
        "exit_reason": trade.exit_reason,
        "exit_charges": trade.charges(trade.exit),
    }
