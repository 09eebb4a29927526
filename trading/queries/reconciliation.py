"""An account's ledger reconciled with its broker's files and with the hot copy. Nothing is booked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from trading.brokers.values import Statement
from trading.domain.breaks import Break, plain
from trading.domain.charge_breaks import ChargeComparison, charge_breaks, key_of
from trading.domain.compared import ComparedPart, ComparedScope, Comparison, CoveredDays, UncomparedPart
from trading.domain.fill_breaks import ComparedFill, fill_breaks, name_of
from trading.domain.position_breaks import (
    ComparedPosition,
    oldest_purchase_first,
    order_breaks,
    position_breaks,
    realised_breaks,
)
from trading.domain.reconciliation import HotDifference, Reconciliation, hot_breaks, reconciled
from trading.domain.trade_building import is_sum
from trading.models import Account
from trading.queries import ledger_side
from trading.queries.accounts import get_account
from trading.queries.broker_side import BrokerSide, side_of_files
from trading.queries.imported_side import side_of_imports
from trading.queries.instrument_names import NameMap
from trading.queries.instruments import exchange_of
from trading.queries.period import desk_date


def reconcile(
    account_code: str,
    statements: Sequence[Statement],
    *,
    symbols: NameMap | None = None,
    first: date | None = None,
    last: date | None = None,
    plan: str | None = None,
    hot: Iterable[HotDifference] | None = None,
    held_hot: Iterable[ComparedPosition] = (),
    now: datetime,
) -> Reconciliation:
    """Return where the ledger, the broker and the hot copy differ; without statements, what was imported is compared.

    ``first`` and ``last`` (inclusive) narrow what the broker's side tells; ``plan`` is the brokerage plan of the
    estimates, else the account's own. ``hot`` are differences of the hot copy, None where there is no copy,
    ``held_hot`` its positions. The answer says what was compared, and what was not and why.

    Raises: UnknownAccount, LedgerNotReady, LedgerBusy.
    """
    account = get_account(account_code)
    today = desk_date(now)
    whole = side_of_files(statements, symbols or {}) if statements else side_of_imports(account, first, last)
    side = whole.within(first, last)
    differences, charges = hot_breaks(hot or (), today), ChargeComparison()
    fills: list[ComparedFill] = []
    if (days := side.days) is not None:
        fills = ledger_side.fills_to_compare(account, *days)
        differences += _fills(fills, side, days)
        differences += _sums(account, side, days, [row for row in held_hot if row.day == today])
        if side.charges:
            charges = charge_breaks(ledger_side.charges_between(account, *days, plan=plan), side.charges)
    reconciliation = reconciled(account.code, [*differences, *charges.breaks], charges.marked)
    reconciliation.compared = _compared(side, today, has_hot_copy=hot is not None)
    reconciliation.uncompared = _uncompared(side, has_files=bool(statements), has_hot_copy=hot is not None)
    rows = None if statements or days is None else {(fill.trade_id, str(fill.sequence)) for fill in fills}
    reconciliation.scope = _scope(side, rows, has_hot_copy=hot is not None)
    reconciliation.left_out = [(each.place.file, each.place.row, each.reason, each.text) for each in side.left_out]
    return reconciliation


def _fills(fills: Sequence[ComparedFill], side: BrokerSide, days: tuple[date, date]) -> list[Break]:
    """Compare fills one by one, and where the broker tells sums of them alone, by day, symbol and side."""
    ours = [fill for fill in fills if days[0] <= fill.day <= days[1]]
    moved = [fill for fill in fills if not days[0] <= fill.day <= days[1]]
    covered = CoveredDays(side.coverage)
    theirs = {_group(fill) for fill in side.fills}
    as_sums = {_group(fill) for fill in side.orders} - theirs
    orders = {(_group(fill), fill.order_id) for fill in side.orders}
    sums = {_group(fill) for fill in side.orders if is_sum(fill.order_id)}
    # A fill without an order is among its day's orders; one of an order that no file names is in a sum alone.
    summed = {
        fill
        for fill in ours
        if _group(fill) in as_sums
        and (fill.order_id is None or _group(fill) in sums or (_group(fill), fill.order_id) in orders)
    }
    compared = [
        fill for fill in ours if fill not in summed and (_group(fill) in theirs or covered.has(fill.exchange, fill.day))
    ]
    uncovered = [fill for fill in ours if fill.recorded_day and not covered.has(fill.exchange, fill.day)]
    moved += [fill for fill in uncovered if fill not in summed and _group(fill) not in theirs]
    return [*fill_breaks(compared, side.fills, moved), *order_breaks(ours, side.orders)]


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


def _lines_of(side: BrokerSide) -> dict[Comparison, list[tuple[date, date, str]]]:
    """Return first day, last day and exchange ("" where it has none) of each line that is compared, by kind."""
    sums: dict[Comparison, list[tuple[date, date, str]]] = {
        Comparison.FILLS: [(fill.day, fill.day, fill.exchange) for fill in side.fills],
        Comparison.ORDERS: [(fill.day, fill.day, fill.exchange) for fill in side.orders],
        Comparison.POSITIONS: [(row.day, row.day, exchange_of(row.symbol)) for row in side.positions],
        Comparison.REALISED: [(row.day, row.last_day, exchange_of(row.symbol)) for row in side.results],
        Comparison.CHARGES: [(row.day, row.last_day, "") for row in side.charges],
    }
    return {comparison: lines for comparison, lines in sums.items() if lines}


def _compared(side: BrokerSide, today: date, *, has_hot_copy: bool) -> list[ComparedPart]:
    """Return what was compared: of each kind the days, the exchanges, and how many lines of the broker's."""
    parts = [
        ComparedPart(
            comparison,
            min(first for first, _, _ in lines),
            max(last for _, last, _ in lines),
            len(lines),
            tuple(sorted({exchange for _, _, exchange in lines} - {""})),
        )
        for comparison, lines in _lines_of(side).items()
    ]
    return [*parts, *([ComparedPart(Comparison.HOT_COPY, today, today, 0)] if has_hot_copy else [])]


def _uncompared(side: BrokerSide, *, has_files: bool, has_hot_copy: bool) -> list[UncomparedPart]:
    """Return what was not compared, and why: each kind of which there is nothing, and what files tell beyond."""
    source = "The files given state none." if has_files else "Nothing imported states any: give the broker's file."
    present = _lines_of(side)
    stated = {each.comparison for each in side.uncompared}
    kinds = (Comparison.FILLS, Comparison.POSITIONS, Comparison.REALISED, Comparison.CHARGES)
    has_sums = Comparison.ORDERS in present
    parts = [
        UncomparedPart(comparison, source)
        for comparison in kinds
        if comparison not in present and comparison not in stated and not (comparison is Comparison.FILLS and has_sums)
    ]
    reason = "There is no hot copy: no CACHE_URL is set."
    return [*parts, *side.uncompared, *([] if has_hot_copy else [UncomparedPart(Comparison.HOT_COPY, reason)])]


def _scope(side: BrokerSide, rows: set[tuple[str, str]] | None, *, has_hot_copy: bool) -> ComparedScope:
    """Return everything that was compared, by what breaks of it are named."""
    scope = ComparedScope(covered=CoveredDays(side.coverage), has_hot_copy=has_hot_copy, rows=rows)
    for fill in side.fills:
        scope.add(
            Comparison.FILLS, name_of(fill), side=fill.side, quantity=plain(fill.quantity), price=plain(fill.price)
        )
    for fill in side.orders:
        scope.add(Comparison.ORDERS, {"day": fill.day.isoformat(), "symbol": fill.symbol, "side": fill.side})
    for row in side.positions:
        scope.add(Comparison.POSITIONS, {"day": row.day.isoformat(), "symbol": row.symbol})
    for result in side.results:
        days = {"day": result.day.isoformat(), "last_day": result.last_day.isoformat()}
        scope.add(Comparison.REALISED, {**days, "symbol": result.symbol})
    stated: defaultdict[tuple[tuple[tuple[str, str], ...], bool, str], Decimal] = defaultdict(Decimal)
    for charge in side.charges:
        stated[tuple(key_of(charge).items()), charge.is_note, charge.file] += charge.amount
    for (key, _, _), amount in stated.items():
        scope.add(Comparison.CHARGES, dict(key), stated=plain(amount))
    return scope
