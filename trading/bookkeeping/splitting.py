"""Imported trades cut at the morning of a split, so that it can be booked between the fills before and after it."""

from __future__ import annotations

from datetime import UTC, date, datetime

from trading.bookkeeping import charging, settling
from trading.errors import InvalidValue
from trading.models import Account, BrokerFill, Instrument, Strategy
from trading.queries.imported_trades import FillGroup, rebuilt, start_of


def groups_of(account: Account, instrument: Instrument) -> list[FillGroup]:
    """Return the groups of all strategies that fills of an account and an instrument were imported for."""
    rows = BrokerFill.objects.filter(account=account, instrument=instrument)
    strategies = Strategy.objects.filter(pk__in=rows.order_by().values("strategy")).order_by("pk")
    return [FillGroup(account, instrument, strategy) for strategy in strategies]


def cut_before(group: FillGroup, day: date, *, by: str) -> None:
    """Leave of the trade that was held over the midnight before a day the fills before it alone; what imported fills
    from the day on made gives way, and `follow` books it anew.

    Raises: InvalidValue where somebody had a hand in one of these trades.
    """
    start = start_of(group, day)
    rebuilding = rebuilt(group, day)
    later = [each for each in rebuilding.window if any(of_leg >= day for of_leg, _, _ in each.legs)]
    if not any(each.trade.trading_day < day for each in later):
        return
    for each in later:
        if each.is_touched or any((of_leg, key) not in rebuilding.own for of_leg, key, _ in each.legs):
            raise InvalidValue(
                f"Trade {each.trade.trade_id} goes on after {day}, and somebody had a hand in it.",
                field="day",
                hint="Book the split with `manage.py corporate_action` once its later fills are voided.",
            )
    settling.give_way(later)
    held = [trade for trade in rebuilt(group, start, before=day).built.trades if trade.is_open]
    settling.book_all(group, held, by=by)
    days = {leg[0] for each in later for leg in each.legs}
    reason = "Trades were cut before a corporate action."
    charging.share_anew(group.account, days, reason=reason, by=by, now=datetime.now(UTC))


def follow(group: FillGroup, day: date, *, by: str) -> None:
    """Bring the trades of a group from a day on to what its fills make. Raises: InvalidValue where one may not move."""
    plan = settling.plan_of(group, day)
    if plan.blocked:
        trade = plan.blocked[0]
        raise InvalidValue(
            f"Trade {trade.trade_id} of {trade.trading_day} would change, and somebody had a hand in it.",
            field="day",
            hint="Correct that trade by hand, and dismiss the action.",
        )
    settling.settle(plan, by=by, reason="Trades were built anew around a corporate action.")
