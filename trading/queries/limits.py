"""Limits in force, and how far each is used, from the same rows as the reports.

A day's P&L is the sum of its day totals, as in the day's summary; trades count on the trading day of their opening, in
the zone of their exchange, and a void one never. The day is the account's, the date in its zone: while it is midnight
at the desk, a session of another continent goes on, and so does its loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate, groupby
from operator import itemgetter
from threading import Lock
from typing import NamedTuple

from django.db.models import Max, QuerySet

from trading.domain.limits import ZERO, LimitInForce, LimitKind, LimitState, Used, measure
from trading.domain.money import from_units
from trading.domain.values import Position
from trading.errors import LedgerBusy
from trading.models import Account, DayTotal, Limit, Realisation, Trade
from trading.queries.columns import UnitsSum
from trading.queries.kept import LedgerMark, mark_of, steps_between
from trading.queries.kept_statements import ACCOUNT, KeptStatement, PlainQuery, Slot
from trading.queries.period import account_date
from trading.queries.trades import OPEN, VOID
from trading.queries.valuation import LastTicks, open_positions

ATTEMPTS_MAX = 5
LimitScope = str | None  # a strategy's id, None: the whole account
# What changes no exit of a day that is past, but for fills that came late, which have rows of their own.
BESIDE_THE_PAST = frozenset({
    "open_position", "add_fill", "close_position", "update_trailing_sl", "record_signal", "review_trade", "add_capital",
    "publish_daily_summary", "write_day_note", "add_screenshot", "set_limit", "set_brokerage_plan",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """The limits of one day and what the ledger tells beside them, by scope."""

    day: date
    limits: Sequence[LimitInForce]
    used: Mapping[LimitScope, Used]

    @property
    def needs_prices(self) -> bool:
        """Tell whether one of them counts open P&L."""
        return any(limit.kind == LimitKind.DAILY_LOSS_OPEN for limit in self.limits)


class MeasuredLimits(NamedTuple):
    """The states of an account's limits, measured on a day in its zone, read from an instant on."""

    day: date
    as_of: datetime
    states: list[LimitState]


def limit_history(account: Account) -> QuerySet[Limit, Limit]:
    """Return every row of the account's limits, the newest first."""
    return Limit.objects.filter(account=account).select_related("strategy").order_by("-number")


def _said() -> PlainQuery:
    """Return what was said of limits up to a day, the newest first."""
    said = Limit.objects.filter(account=ACCOUNT, first_day__lte=Slot("day")).order_by("-number")
    return said.values_list("kind", "strategy__code", "number", "amount")


_SAID = KeptStatement(_said)


def limits_in_force(account: Account, day: date) -> list[LimitInForce]:
    """Return the limits that hold on a day, those of the account first, then by strategy and kind."""
    newest: dict[tuple[str, LimitScope], tuple[int, Decimal | None]] = {}
    for kind, strategy_id, number, amount in _SAID.rows(account, day=day):
        newest.setdefault((kind, strategy_id), (number, amount))
    kinds = [str(kind) for kind in LimitKind]
    in_force = [
        LimitInForce(number, kind, strategy_id, amount)
        for (kind, strategy_id), (number, amount) in newest.items()
        if amount is not None
    ]
    return sorted(in_force, key=lambda limit: (limit.strategy_id or "", kinds.index(limit.kind)))


def measured_limits(account: Account, last_ticks: LastTicks, *, now: datetime) -> MeasuredLimits:
    """Return the state of each limit in force, of one state of the ledger, with open P&L by the last prices.

    Raises: LedgerBusy where the ledger changes faster than it can be read.
    """
    for _ in range(ATTEMPTS_MAX):
        before = mark_of(account)
        facts = limit_facts(account, account_date(account, now), mark=before)
        positions = open_positions(account, last_ticks) if facts.needs_prices else []
        if mark_of(account) == before:
            return MeasuredLimits(facts.day, now, states_of(facts, positions))
    raise LedgerBusy("The ledger changes faster than its limits can be read.")


def states_of(facts: LimitFacts, positions: Iterable[Position]) -> list[LimitState]:
    """Return the state of each limit, of these open positions of the account; a price that is not known makes every
    P&L unknown that it belongs to."""
    pnls: dict[LimitScope, list[Decimal | None]] = {scope: [] for scope in facts.used}
    for position in positions:
        for scope in {None, position.strategy_id} & pnls.keys():
            pnls[scope].append(position.unrealised_pnl)
    open_pnl = {scope: _sum(parts) for scope, parts in pnls.items()}
    return measure(facts.limits, facts.used, open_pnl)


def limit_facts(account: Account, day: date, *, mark: LedgerMark) -> LimitFacts:
    """Return the limits of a day and what the ledger tells beside them; ``mark`` was read just before."""
    limits = limits_in_force(account, day)
    scopes: list[LimitScope] = list(dict.fromkeys(limit.strategy_id for limit in limits))
    kinds: dict[LimitScope, set[str]] = {scope: set() for scope in scopes}
    for limit in limits:
        kinds[limit.strategy_id].add(limit.kind)
    return LimitFacts(day, limits, {scope: _used(account, scope, day, kinds[scope], mark) for scope in scopes})


def _used(account: Account, scope: LimitScope, day: date, kinds: set[str], mark: LedgerMark) -> Used:
    """Return what the ledger tells of one scope; what no limit of these kinds asks for is left at 0."""
    lookups: dict[str, Account | str] = {"account": account}
    if scope is not None:
        lookups["strategy__code"] = scope
    sums = DayTotal.objects.filter(**lookups, day=day).aggregate(gross=UnitsSum("gross_pnl"), costs=UnitsSum("charges"))
    return Used(
        day_pnl=from_units((sums["gross"] or 0) - (sums["costs"] or 0)),
        trades=_trades_opened(lookups, day) if LimitKind.TRADES in kinds else 0,
        open_positions=Trade.objects.filter(**lookups, state=OPEN).count() if LimitKind.OPEN_POSITIONS in kinds else 0,
        consecutive_losses=_losses_in_a_row(lookups) if LimitKind.CONSECUTIVE_LOSSES in kinds else 0,
        drawdown=from_units(_drawdown(account, day, mark)) if LimitKind.DRAWDOWN in kinds else ZERO,
    )


def _trades_opened(lookups: Mapping[str, Account | str], day: date) -> int:
    """Count the trades whose trading day it is."""
    # No zone is a day away from UTC: openings are asked for by instants, as an index has them.
    since, until = (datetime.combine(day + timedelta(days=days), time(), UTC) for days in (-1, 2))
    opened = Trade.objects.filter(**lookups, opened_at__gte=since, opened_at__lt=until, trading_day=day)
    return opened.exclude(state=VOID).count()


def _losses_in_a_row(lookups: Mapping[str, Account | str]) -> int:
    """Count the newest closed trades that lost, after known charges, up to the last that did not (`runs.streaks`)."""
    closes = Realisation.objects.filter(**lookups, closes=True)
    newest = closes.order_by("-day").values_list("day", flat=True).first()
    oldest = closes.order_by("day").values_list("day", flat=True).first()
    if newest is None or oldest is None:
        return 0
    days = 4
    while True:
        since = newest - timedelta(days=days)
        rows = closes.filter(day__gte=since).values_list("at", "trade__realised_pnl", "trade__charges")
        trades = sorted(((at, pnl - (charges or ZERO)) for at, pnl, charges in rows), reverse=True)
        # An exit of an earlier trading day, in another zone, may be later than one of these: at most two days.
        whole_from = datetime.combine(since + timedelta(days=2), time(), UTC)
        losses = 0
        for at, of_instant in groupby(trades, key=itemgetter(0)):
            if at < whole_from and since > oldest:
                break
            nets = [net for _, net in of_instant]
            if any(net >= 0 for net in nets):
                return losses
            losses += len(nets)
        if since <= oldest:
            return losses
        days *= 4


class _Peak(NamedTuple):
    """Where realised P&L stood at the end of some days, and its highest value until then, at least 0."""

    pnl: int
    peak: int


@dataclass(frozen=True, slots=True)
class _Past:
    """The path of an account's realised P&L before a day, as it was under a mark, and the last exit's key then."""

    day: date
    mark: LedgerMark
    last_exit: int
    peak: _Peak


_pasts: dict[int, _Past] = {}  # by account
_lock = Lock()


def _drawdown(account: Account, day: date, mark: LedgerMark) -> int:
    """Return how far realised P&L after known charges stands below its peak now, in units; capital that comes or goes
    moves both (`runs.peak_of`). Exits of days to come count as well, as in a report of all days."""
    past = _past(account, day, mark)
    today = _walk(Realisation.objects.filter(account=account, day__gte=day), past.peak)
    return today.peak - today.pnl


def _past(account: Account, day: date, mark: LedgerMark) -> _Past:
    """Return the path before a day, read anew only where something may have changed it."""
    with _lock:
        kept = _pasts.get(account.pk)
    if kept is not None and kept.day == day:
        if kept.mark == mark:
            return kept
        steps = steps_between(account, kept.mark, mark)
        is_ordinary = steps is not None and {step.operation for step in steps} <= BESIDE_THE_PAST
        later = Realisation.objects.filter(account=account, pk__gt=kept.last_exit)
        if is_ordinary and not later.filter(day__lt=day).exists():
            last = later.aggregate(last=Max("pk"))["last"] or kept.last_exit
            return _keep(account, _Past(day, mark, last, kept.peak))
    last = Realisation.objects.filter(account=account).aggregate(last=Max("pk"))["last"] or 0
    before = Realisation.objects.filter(account=account, day__lt=day)
    return _keep(account, _Past(day, mark, last, _walk(before, _Peak(0, 0))))


def _keep(account: Account, past: _Past) -> _Past:
    with _lock:
        _pasts[account.pk] = past
    return past


def _walk(exits: QuerySet[Realisation, Realisation], start: _Peak) -> _Peak:
    """Return where the path of these exits leads from a start; fills of one instant are one step."""
    steps = exits.values("day", "at").annotate(gross=UnitsSum("pnl"), costs=UnitsSum("charges")).order_by("day", "at")
    changes = [gross - (costs or 0) for gross, costs in steps.values_list("gross", "costs")]
    path = list(accumulate(changes, initial=start.pnl))
    return _Peak(path[-1], max(start.peak, *path))


def _sum(parts: Sequence[Decimal | None]) -> Decimal | None:
    amounts = [pnl for pnl in parts if pnl is not None]
    return sum(amounts, ZERO) if len(amounts) == len(parts) else None
