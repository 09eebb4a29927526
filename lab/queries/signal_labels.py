"""The signals of a strategy with what became of them: what a model is taught."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from django.db.models import QuerySet

from lab.domain.leaks import later_instants
from trading.domain.chain import JSON
from trading.domain.conditions import numbers
from trading.domain.flags import DAY_ONLY
from trading.domain.money import to_units
from trading.domain.position import LONG, SHORT
from trading.models import Account, Signal, Trade
from trading.progress import tell
from trading.strategies.base import nanoseconds

SIDES = {LONG: 1.0, SHORT: -1.0}
SIDE = "side"
READ_TOGETHER = 5_000


@dataclass(frozen=True, slots=True)
class SignalLabel:
    """A signal that was taken and the outcome of its trade, money in units; ``risk`` and ``charges`` None where they
    are not known. Instants are ns UTC; ``conditions`` are its numbers, and the side as 1 or −1."""

    pk: int
    at: int
    closed_at: int
    day: date
    conditions: Mapping[str, float]
    pnl: int
    charges: int | None
    risk: int | None


@dataclass(slots=True)
class LabelledSignals:
    """The labels of a period, in order; what else there is; ``late`` are names of conditions of signals that were
    recorded after their trade was opened, or that hold an instant after the decision."""

    labels: list[SignalLabel] = field(default_factory=list)
    skipped: int = 0
    open: int = 0
    day_only: int = 0
    late: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


def signal_labels(account: Account, strategy: str, first: date | None, last: date | None) -> LabelledSignals:
    """Return a strategy's signals whose trades are closed, of the trading days of a period (None: from the first, to
    the last)."""
    rows = signals_of(account, strategy, first, last)
    taken = rows.filter(decision=Signal.Decision.TAKEN).exclude(trade=None)
    gathered = LabelledSignals(skipped=rows.filter(decision=Signal.Decision.SKIPPED).count())
    closed = taken.filter(trade__state=Trade.State.CLOSED)
    gathered.open, count = taken.filter(trade__state=Trade.State.OPEN).count(), closed.count()
    ordered = closed.select_related("trade").order_by("at", "pk")
    for number, signal in enumerate(ordered.iterator(READ_TOGETHER), start=1):
        if signal.trade is not None:
            _gather(gathered, signal, signal.trade)
        if not number % READ_TOGETHER:
            tell("signals", number, count)
    return gathered


def signals_of(account: Account, strategy: str, first: date | None, last: date | None) -> QuerySet[Signal]:
    """Return a strategy's signals of a period, by the desk's date of the decision."""
    rows = Signal.objects.filter(account=account, strategy__code=strategy)
    rows = rows if first is None else rows.filter(at__date__gte=first)
    return rows if last is None else rows.filter(at__date__lte=last)


def numbers_of(conditions: Mapping[str, JSON]) -> dict[str, float]:
    """Return the numbers of a signal by name, its side among them as 1 or −1."""
    by_name = dict(numbers(conditions))
    side = SIDES.get(str(conditions.get(SIDE)))
    return by_name if side is None else by_name | {SIDE: side}


def texts_of(conditions: Mapping[str, JSON], prefix: str = "") -> Iterator[str]:
    """Yield the names of the texts of a signal, but for its side."""
    for key, condition in conditions.items():
        if isinstance(condition, Mapping):
            yield from texts_of(condition, f"{prefix}{key}.")
        elif isinstance(condition, str) and not (f"{prefix}{key}" == SIDE and condition in SIDES):
            yield f"{prefix}{key}"


def _gather(gathered: LabelledSignals, signal: Signal, trade: Trade) -> None:
    """Add a signal with the outcome of its closed trade to what is gathered."""
    if DAY_ONLY in trade.flags or trade.closed_at is None:
        gathered.day_only += 1
        return
    conditions, by_name = signal.conditions, numbers_of(signal.conditions)
    gathered.texts.update(texts_of(conditions))
    is_late = signal.recorded_at > trade.recorded_at or signal.at > trade.opened_at
    gathered.late.update(by_name if is_late else later_instants(conditions, signal.at))
    gathered.labels.append(
        SignalLabel(
            signal.pk,
            nanoseconds(signal.at),
            nanoseconds(trade.closed_at),
            trade.trading_day,
            by_name,
            to_units(trade.realised_pnl),
            None if trade.charges is None else to_units(trade.charges),
            None if trade.initial_risk is None else to_units(trade.initial_risk),
        )
    )
