"""Which conditions of the signals were worth something, and what the signals that were not taken would have brought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from statistics import fmean
from typing import NamedTuple

import numpy as np
from django.db.models.fields.json import KT

from trading.domain import attribution, figures, intervals
from trading.domain.attribution import LONG, SHORT, Aftermath, Attribution, Judged
from trading.domain.shapes import ConditionRow, SignalGroup, SignalReport
from trading.models import Instrument, Signal, Strategy
from trading.queries.columns import instant_of, text
from trading.queries.day import day_bounds
from trading.queries.excursions import TickReader, ns, ticks_of
from trading.queries.instruments import shown_symbol
from trading.queries.kept import KeptAnswers
from trading.queries.parts import exits_as_columns
from trading.queries.reports import Selection
from trading.queries.statistics import Cut

UNKNOWN_SIDE = ""
ROW_BYTES, BYTES_MAX = 1_000, 16 * 2**20
_kept_conditions: KeptAnswers[list[ConditionRow]] = KeptAnswers(BYTES_MAX, lambda rows: ROW_BYTES * (1 + len(rows)))
PRICE_AGE_MAX = timedelta(hours=1)  # of the last price before the first signal of a day


def signal_report(selection: Selection, reader: TickReader, *, minutes: int) -> SignalReport:
    """Return `{head of a report, "minutes", "looked_at", "conditions": [ROW], "signals": [GROUP]}`.

    ROW: strategy_id, condition, bucket, trades_with, expectancy_with, trades_without, expectancy_without, difference,
    difference_low, difference_high, p, p_adjusted. GROUP, by strategy, decision and reason: signals, with_ticks, and in
    percent of the price mean_move with its interval, share_up, mean_best and mean_worst of the next ``minutes``, in the
    direction that the condition `side` names, else upwards.

    Raises: StoreUnavailable.
    """
    rows = condition_rows(selection)
    return {
        **selection.head(),
        "minutes": minutes,
        "looked_at": looked_at(rows),
        "conditions": rows,
        "signals": followed_groups(selection, reader, minutes=minutes),
    }


def condition_rows(selection: Selection) -> list[ConditionRow]:
    """Return what each condition was worth (`signal_report`)."""
    cut, first, last = selection.cut, selection.first, selection.last
    if first is None or last is None:
        return []
    if cut.known_at is not None:
        return _conditions(cut, first, last)
    question = cut.strategy_id, cut.instrument_id, first, last
    return _kept_conditions.of(cut.account, question, lambda: _conditions(cut, first, last))


def _conditions(cut: Cut, first: date, last: date) -> list[ConditionRow]:
    exits = exits_as_columns(cut, first, last, with_conditions=True)
    closing = exits.take(np.flatnonzero(exits.closes))
    strategies = closing.groups["strategy"]
    seen: list[dict[str, float]] = [{} for _ in range(len(closing))]
    for name in closing.recorded_conditions():
        numbers = closing.conditions[name][closing.trade]
        for place in np.flatnonzero(~np.isnan(numbers)).tolist():
            seen[place][name] = float(numbers[place])
    columns = zip(strategies.codes.tolist(), closing.whole.tolist(), seen, strict=True)
    judged = [Judged(strategies.names[code], net, conditions) for code, net, conditions in columns]
    return [_row(row) for row in attribution.attribute(judged)]


def looked_at(rows: Sequence[ConditionRow]) -> int:
    """Return of how many differences p is corrected for."""
    return sum(row["difference"] is not None for row in rows)


def followed_groups(selection: Selection, reader: TickReader, *, minutes: int) -> list[SignalGroup]:
    """Return what came after the signals (`signal_report`). Raises: StoreUnavailable."""
    return list(_groups(_followed(selection, reader, timedelta(minutes=minutes))))


def _row(row: Attribution) -> ConditionRow:
    difference = row.difference
    return {
        "strategy_id": row.strategy_id,
        "condition": row.condition,
        "bucket": row.bucket,
        "trades_with": row.with_it,
        "expectancy_with": figures.to_money(row.expectancy_with),
        "trades_without": row.without_it,
        "expectancy_without": figures.to_money(row.expectancy_without),
        "difference": None if difference is None else figures.to_money(round(difference.value)),
        "difference_low": None if difference is None else figures.to_money(round(difference.low)),
        "difference_high": None if difference is None else figures.to_money(round(difference.high)),
        "p": None if difference is None else difference.p,
        "p_adjusted": row.p_adjusted,
    }


Followed = tuple[tuple[str, str, str], Aftermath | None]


def _followed(selection: Selection, reader: TickReader, span: timedelta) -> Iterator[Followed]:
    """Yield each signal of the period with what came after it; ticks are read once per symbol and day."""
    by_day: dict[tuple[str, date], list[_Signal]] = {}
    for signal in _signals(selection):
        by_day.setdefault((signal.symbol, signal.at.date()), []).append(signal)
    for (symbol, _), signals in by_day.items():
        start, stop = signals[0].at - PRICE_AGE_MAX, signals[-1].at + span
        table = reader.ticks(symbol, ns(start), ns(stop) + 1, account=selection.cut.account.code)
        times, prices = ticks_of(table)
        for signal in signals:
            aftermath = attribution.aftermath(times, prices, ns(signal.at), ns(signal.at + span), signal.side)
            yield signal.key, aftermath


class _Signal(NamedTuple):
    """A signal as it is followed; ``key`` is strategy, decision and reason."""

    at: datetime
    symbol: str
    side: str
    key: tuple[str, str, str]


def _signals(selection: Selection) -> Iterator[_Signal]:
    """Yield the signals of the period, ascending."""
    if selection.first is None or selection.last is None:
        return
    start, stop = day_bounds(selection.first)[0], day_bounds(selection.last)[1]
    rows = Signal.objects.filter(**selection.cut.lookups(), at__gte=start, at__lt=stop).order_by("at", "pk")
    if selection.cut.known_at is not None:
        rows = rows.filter(recorded_at__lt=selection.cut.known_at)
    strategies = dict(Strategy.objects.values_list("pk", "code"))
    named = Instrument.objects.values_list("pk", "exchange__code", "symbol")
    instruments = {pk: shown_symbol(exchange, symbol) for pk, exchange, symbol in named}
    for at, instrument, strategy, decision, reason, side in rows.values_list(
        text("at"), "instrument_id", "strategy_id", "decision", "reason", KT("conditions__side")
    ):
        direction = side if side in (LONG, SHORT) else UNKNOWN_SIDE
        yield _Signal(instant_of(at), instruments[instrument], direction, (strategies[strategy], decision, reason))


def _groups(followed: Iterable[Followed]) -> Iterator[SignalGroup]:
    groups: dict[tuple[str, str, str], list[Aftermath | None]] = {}
    for key, aftermath in followed:
        groups.setdefault(key, []).append(aftermath)
    for (strategy, decision, reason), aftermaths in sorted(groups.items()):
        followed_up = [aftermath for aftermath in aftermaths if aftermath is not None]
        ends = [aftermath.end for aftermath in followed_up]
        interval = intervals.of_mean(ends)
        yield {
            "strategy_id": strategy,
            "decision": decision,
            "reason": reason,
            "signals": len(aftermaths),
            "with_ticks": len(followed_up),
            "mean_move": fmean(ends) if ends else None,
            "mean_move_low": None if interval is None else interval.low,
            "mean_move_high": None if interval is None else interval.high,
            "share_up": 100 * sum(end > 0 for end in ends) / len(ends) if ends else None,
            "mean_best": fmean(aftermath.best for aftermath in followed_up) if followed_up else None,
            "mean_worst": fmean(aftermath.worst for aftermath in followed_up) if followed_up else None,
        }
