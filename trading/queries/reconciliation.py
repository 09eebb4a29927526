"""An account's ledger reconciled with its broker's files and with the hot copy. Nothing is booked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from trading.brokers.values import Statement
from trading.domain.breaks import Break
from trading.domain.charge_breaks import ChargeComparison, charge_breaks
from trading.domain.fill_breaks import ComparedFill, fill_breaks
from trading.domain.position_breaks import (
    ComparedPosition,
    oldest_purchase_first,
    order_breaks,
    position_breaks,
    realised_breaks,
)
from trading.domain.reconciliation import HotDifference, Reconciliation, hot_breaks, reconciled
from trading.models import Account
from trading.queries import ledger_side
from trading.queries.accounts import get_account
from trading.queries.broker_side import BrokerSide, side_of_files, side_of_imports
from trading.queries.instrument_names import NameMap
from trading.queries.period import desk_date


def reconcile(
    account_code: str,
    statements: Sequence[Statement],
    *,
    symbols: NameMap | None = None,
    first: date | None = None,
    last: date | None = None,
    plan: str | None = None,
    hot: Iterable[HotDifference] = (),
    held_hot: Iterable[ComparedPosition] = (),
    now: datetime,
) -> Reconciliation:
    """Return where the ledger, the broker and the hot copy differ; without statements, what was imported is compared.

    ``first`` and ``last`` (inclusive) narrow what the broker's side tells; ``plan`` is the brokerage plan of the
    estimates, else the account's own. ``hot`` are differences of the hot copy, ``held_hot`` its positions. A break's
    age is counted from the day that it is of.

    Raises: UnknownAccount, LedgerNotReady, LedgerBusy.
    """
    account = get_account(account_code)
    today = desk_date(now)
    whole = side_of_files(statements, symbols or {}) if statements else side_of_imports(account, first, last)
    side = whole.within(first, last)
    differences, charges = hot_breaks(hot, today), ChargeComparison()
    if (days := side.days) is not None:
        differences += _fills(account, side, days)
        differences += _sums(account, side, days, [row for row in held_hot if row.day == today])
        if side.charges:
            charges = charge_breaks(ledger_side.charges_between(account, *days, plan=plan), side.charges)
    reconciliation = reconciled(account.code, [*differences, *charges.breaks], charges.marked)
    reconciliation.left_out = [(each.place.file, each.place.row, each.reason, each.text) for each in side.left_out]
    return reconciliation


def _fills(account: Account, side: BrokerSide, days: tuple[date, date]) -> list[Break]:
    """Compare fills one by one, and where the broker tells sums of them alone, by day, symbol and side."""
    ours = ledger_side.fills_to_compare(account, *days)
    theirs = {_group(fill) for fill in side.fills}
    as_sums = {_group(fill) for fill in side.orders} - theirs
    orders = {(_group(fill), fill.order_id) for fill in side.orders}
    # A fill without an order is in its day's sum; one of an order that no file names is in none.
    summed = {
        fill
        for fill in ours
        if _group(fill) in as_sums and (fill.order_id is None or (_group(fill), fill.order_id) in orders)
    }
    compared = [
        fill
        for fill in ours
        if fill not in summed and (_group(fill) in theirs or any(each.has(fill) for each in side.coverage))
    ]
    return [*fill_breaks(compared, side.fills), *order_breaks(ours, side.orders)]


def _group(fill: ComparedFill) -> tuple[str, date, str]:
    return fill.symbol, fill.day, fill.side


def _sums(
    account: Account, side: BrokerSide, days: tuple[date, date], held_hot: Sequence[ComparedPosition]
) -> list[Break]:
    """Compare positions at the ends of days, and realised sums by the average price and by the oldest purchase."""
    breaks: list[Break] = []
    if side.positions:
        held = ledger_side.positions_at(account, {row.day for row in side.positions})
        breaks += position_breaks(held, side.positions, held_hot)
    if side.results:
        multipliers = ledger_side.multipliers_of(account)
        names = {row.symbol for row in side.results} & multipliers.keys()
        fills = [fill for fill in ledger_side.compared_fills(account, None, days[1]) if fill.symbol in names]
        methods = [ledger_side.realised_by_day(account, *days), oldest_purchase_first(fills, multipliers)]
        breaks += realised_breaks(methods, side.results)
    return breaks
