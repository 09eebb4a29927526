"""Which conditions of the signals were worth something, and what the signals that were not taken would have brought."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from statistics import fmean
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from django.db.models import QuerySet
from django.db.models.fields.json import KT

from trading.domain import attribution, figures, intervals
from trading.domain.attribution import LONG, SHORT, Aftermath, Attribution, Judged
from trading.domain.exit_columns import EPOCH, Groups
from trading.domain.exit_runs import Integers, distinct
from trading.domain.sessions import days_between
from trading.domain.shapes import ConditionRow, SignalGroup, SignalReport
from trading.models import Account, Instrument, Signal, Strategy
from trading.progress import tell
from trading.queries.day import day_bounds
from trading.queries.excursions import TickReader, ticks_of
from trading.queries.exit_tables import keys_of
from trading.queries.instruments import shown_symbol
from trading.queries.kept import KeptAnswers
from trading.queries.kept_tables import KeptTable, signal_recorded
from trading.queries.lines import INSTANT, WHOLE, WORDS, Repeats, numbers, table_by_key, table_of, words
from trading.queries.parts import exits_as_columns
from trading.queries.period import desk_zone
from trading.queries.reports import Selection
from trading.queries.statistics import Cut

STAGE, UNKNOWN_SIDE = "reading signals", ""
COLUMNS = {
    **dict.fromkeys(("pk", "instrument_id", "strategy_id"), WHOLE),
    **dict.fromkeys(("decision", "reason"), WORDS),
    "at": INSTANT,
}
REPEATS = Repeats(few=("instrument_id", "strategy_id", "decision", "reason"))
ROW_BYTES, BYTES_MAX = 1_000, 16 * 2**20
_kept_conditions: KeptAnswers[list[ConditionRow]] = KeptAnswers(BYTES_MAX, lambda rows: ROW_BYTES * (1 + len(rows)))
MINUTE_US, DAY_US = 60 * 10**6, 86_400 * 10**6
DAYS_MAX = 2**24  # since 1970
PRICE_AGE_US = 60 * MINUTE_US  # of the last price before a signal: an older one is none


class SignalTickReader(TickReader, Protocol):
    """Where ticks come from, and which days have some: `timeseries.reader.Reader`."""

    def tick_days(self, symbol: str, start: int, stop: int, *, account: str) -> set[date]: ...


def signal_report(selection: Selection, reader: SignalTickReader, *, minutes: int) -> SignalReport:
    """Return `{head of a report, "minutes", "looked_at", "conditions": [ROW], "signals": [GROUP]}`.

    ROW: strategy_id, condition, bucket, trades_with, expectancy_with, trades_without, expectancy_without, difference,
    difference_low, difference_high, p, p_adjusted. GROUP, by strategy, decision and reason: signals, with_ticks, and in
    percent of the price mean_move with its interval, share_up, mean_best and mean_worst of the next ``minutes``, in the
    direction that the condition `side` names, else in that of the trade that it led to, else upwards.

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
    closing = np.flatnonzero(exits.closes)
    trades, strategies = exits.trade[closing], exits.groups["strategy"]
    seen = {name: numbers[trades] for name, numbers in exits.conditions.items()}
    judged = Judged(Groups(strategies.codes[closing], strategies.names), exits.whole[closing], seen)
    return [_row(row) for row in attribution.attribute(judged)]


def looked_at(rows: Sequence[ConditionRow]) -> int:
    """Return of how many differences p is corrected for."""
    return sum(row["difference"] is not None for row in rows)


def followed_groups(selection: Selection, reader: SignalTickReader, *, minutes: int) -> list[SignalGroup]:
    """Return what came after the signals (`signal_report`). Raises: StoreUnavailable."""
    signals = _signals(selection)
    counts = np.bincount(signals.kinds.codes, minlength=len(signals.kinds.names)).tolist()
    aftermaths: list[list[Aftermath]] = [[] for _ in counts]
    for kind, aftermath in _followed(selection, signals, reader, minutes * MINUTE_US):
        aftermaths[kind].append(aftermath)
    order = sorted(range(len(counts)), key=lambda kind: signals.kinds.names[kind])
    return [_group(signals.kinds.names[kind], counts[kind], aftermaths[kind]) for kind in order]


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


class _Signals(NamedTuple):
    """The signals of a period, ascending: keys, instants (µs UTC), instruments, and kinds by the places of their names:
    strategy, decision and reason."""

    pks: Integers
    at: Integers
    instruments: Integers
    kinds: _Kinds


class _Kinds(NamedTuple):
    codes: Integers
    names: list[tuple[str, str, str]]


def _signals(selection: Selection) -> _Signals:
    nothing = np.zeros(0, dtype=np.int64)
    if selection.first is None or selection.last is None:
        return _Signals(nothing, nothing, nothing, _Kinds(nothing, []))
    start, stop = day_bounds(selection.first)[0], day_bounds(selection.last)[1]
    cut, rows = selection.cut, Signal.objects.filter(**selection.cut.lookups(), at__gte=start, at__lt=stop)
    if cut.known_at is not None:
        table = _read(rows.filter(recorded_at__lt=cut.known_at))
    elif SIGNALS.is_worth_it(cut.account, rows):
        kept = SIGNALS.of(cut.account, **keys_of(cut))
        since, until = ((bound - EPOCH) // timedelta(microseconds=1) for bound in (start, stop))
        at = numbers(kept["at"])
        table = kept.filter(pa.array((at >= since) & (at < until)))
    else:
        table = _read(rows)
    pks, at = numbers(table["pk"]), numbers(table["at"])
    order = np.lexsort((pks, at))
    strategies = dict(Strategy.objects.values_list("pk", "code"))
    by_strategy, of_strategy = distinct(numbers(table["strategy_id"]))
    by_decision, decisions = words(table["decision"])
    by_reason, reasons = words(table["reason"])
    kinds, codes = distinct((of_strategy * len(decisions) + by_decision) * len(reasons) + by_reason)
    named = []
    for kind in kinds.tolist():
        rest, reason = divmod(kind, len(reasons))
        strategy, decision = divmod(rest, len(decisions))
        named.append((strategies[int(by_strategy[strategy])], decisions[decision], reasons[reason]))
    traded = numbers(table["instrument_id"])
    return _Signals(pks[order], at[order], traded[order], _Kinds(codes[order], named))


def read_signals(account: Account, keys: Collection[int] | None) -> pa.Table:
    """Return an account's signals, those with some keys or (None) all, as they stand in the ledger."""
    rows = Signal.objects.filter(account=account)
    if keys is None:
        return _read(rows)
    return table_of(rows.filter(pk__in=keys), COLUMNS, by=(), stage=STAGE, repeats=REPEATS)


SIGNALS = KeptTable("signals", repr((list(COLUMNS), REPEATS)), read_signals, "pk", signal_recorded)


def _read(rows: QuerySet[Signal]) -> pa.Table:
    return table_by_key(rows, COLUMNS, stage=STAGE, repeats=REPEATS)


def _followed(
    selection: Selection, signals: _Signals, reader: SignalTickReader, span: int
) -> Iterator[tuple[int, Aftermath]]:
    """Yield the kind of each signal that has ticks, and what came after it; ticks are read once per symbol and day, and
    only of days that have some. ``span`` is in µs."""
    account = selection.cut.account.code
    named = Instrument.objects.values_list("pk", "exchange__code", "symbol")
    symbols = {pk: shown_symbol(exchange, symbol) for pk, exchange, symbol in named}
    symbol_days = signals.instruments * DAYS_MAX + signals.at // DAY_US
    different, firsts, groups, counts = np.unique(
        symbol_days, return_index=True, return_inverse=True, return_counts=True
    )
    lists = np.split(np.argsort(groups.reshape(-1), kind="stable"), np.cumsum(counts)[:-1])
    tick_days: dict[int, set[date]] = {}
    for group in np.argsort(firsts).tolist():
        instrument, places = int(different[group]) // DAYS_MAX, lists[group]
        symbol = symbols[instrument]
        if instrument not in tick_days:
            own = signals.at[signals.instruments == instrument]
            first, end = int(own[0]) - PRICE_AGE_US, int(own[-1]) + span
            tick_days[instrument] = reader.tick_days(symbol, first * 1000, end * 1000 + 1, account=account)
            tell("signals", len(tick_days))
        start, stop = int(signals.at[places[0]]) - PRICE_AGE_US, int(signals.at[places[-1]]) + span
        if tick_days[instrument].isdisjoint(days_between(_day(start), _day(stop))):
            continue
        table = reader.ticks(symbol, start * 1000, stop * 1000 + 1, account=account)
        times, prices = ticks_of(table)
        sides = _sides(signals.pks[places])
        for place in places.tolist():
            at = int(signals.at[place])
            side = sides.get(int(signals.pks[place]), UNKNOWN_SIDE)
            around = ((at - PRICE_AGE_US) * 1000, at * 1000, (at + span) * 1000)
            aftermath = attribution.aftermath(times, prices, *around, side)
            if aftermath is not None:
                yield int(signals.kinds.codes[place]), aftermath


def _sides(pks: Integers) -> dict[int, str]:
    """Return the directions of signals, by key: those that they name, else those of their trades."""
    rows = Signal.objects.filter(pk__in=pks.tolist()).values_list("pk", KT("conditions__side"), "trade__side")
    return {pk: named if named in (LONG, SHORT) else traded or UNKNOWN_SIDE for pk, named, traded in rows}


def _day(micros: int) -> date:
    return (EPOCH + timedelta(microseconds=micros)).astimezone(desk_zone()).date()


def _group(kind: tuple[str, str, str], count: int, aftermaths: Sequence[Aftermath]) -> SignalGroup:
    strategy, decision, reason = kind
    ends = [aftermath.end for aftermath in aftermaths]
    interval = intervals.of_mean(ends)
    return {
        "strategy_id": strategy,
        "decision": decision,
        "reason": reason,
        "signals": count,
        "with_ticks": len(ends),
        "mean_move": fmean(ends) if ends else None,
        "mean_move_low": None if interval is None else interval.low,
        "mean_move_high": None if interval is None else interval.high,
        "share_up": 100 * sum(end > 0 for end in ends) / len(ends) if ends else None,
        "mean_best": fmean(aftermath.best for aftermath in aftermaths) if ends else None,
        "mean_worst": fmean(aftermath.worst for aftermath in aftermaths) if ends else None,
    }
