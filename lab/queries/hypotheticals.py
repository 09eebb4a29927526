"""Signals that were not taken, with what the price then did: outcomes that nobody had, and that are marked so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from math import isfinite

import numpy as np

from lab.queries.signal_labels import SIDE, numbers_of, signals_of
from trading.models import Account, Signal
from trading.progress import tell
from trading.queries.excursions import TickReader, ticks_of
from trading.queries.instruments import shown_symbol
from trading.queries.period import desk_date
from trading.strategies.base import nanoseconds

MINUTE_NS = 60 * 10**9
PRICE, STOP = "price", "stop"


@dataclass(frozen=True, slots=True)
class HypotheticalLabel:
    """A signal that was not taken, and its price's move so many minutes later in multiples of the distance to its stop.
    Instants are ns UTC."""

    at: int
    ends: int
    day: date
    conditions: Mapping[str, float]
    r: float


def hypothetical_labels(
    account: Account, strategy: str, first: date | None, last: date | None, *, minutes: int, reader: TickReader
) -> list[HypotheticalLabel]:
    """Return the skipped signals that have recorded their side, price and stop and were followed by ticks, in order.

    Raises: StoreUnavailable.
    """
    rows = signals_of(account, strategy, first, last).filter(decision=Signal.Decision.SKIPPED)
    ordered = rows.select_related("instrument__exchange").order_by("instrument", "at", "pk")
    labels: list[HypotheticalLabel] = []
    for number, ((instrument, day), group) in enumerate(
        groupby(ordered.iterator(), key=lambda row: (row.instrument, desk_date(row.at))), start=1
    ):
        signals, span = list(group), minutes * MINUTE_NS
        start, stop = nanoseconds(signals[0].at), nanoseconds(signals[-1].at) + span
        symbol = shown_symbol(instrument.exchange.code, instrument.symbol)
        times, prices = ticks_of(reader.ticks(symbol, start, stop + 1, account=account.code))
        for signal in signals:
            at = nanoseconds(signal.at)
            begin, end = np.searchsorted(times, [at, at + span], side="right")
            conditions = numbers_of(signal.conditions)
            distance = abs(conditions.get(PRICE, np.nan) - conditions.get(STOP, np.nan))
            if begin < end and isfinite(distance) and distance > 0 and SIDE in conditions:
                move = conditions[SIDE] * (float(prices[end - 1]) - conditions[PRICE])
                labels.append(HypotheticalLabel(at, at + span, day, conditions, move / distance))
        tell("skipped signals", number)
    return sorted(labels, key=lambda label: label.at)
