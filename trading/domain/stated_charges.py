"""Charges that somebody stated: which of them stand, and each fill's part of them. Pure.

A contract note stands before a file, and a file before a person, head by head; of one source a day stands before a
longer period, and what was said later before what it replaces. An amount that is of several fills is shared among them
by their estimates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from trading.domain.charge_heads import Head
from trading.domain.charge_products import ChargedFill
from trading.domain.charge_rounding import spread
from trading.domain.charge_schedule import market_of


class ChargeSource(StrEnum):
    """Who states a charge, the firmest first."""

    NOTE = "note"
    FILE = "file"
    PERSON = "person"


ChargeScope = tuple[date, date, str, str, Head, ChargeSource]
_RANK = {source: rank for rank, source in enumerate(ChargeSource)}


_FIRST_BROKERS = ("zerodha", "dhan", "groww", "upstox", "angelone", "fyers", "paytm", "icici", "ibkr")
_FIRST_HOUSES = {**{broker: broker for broker in _FIRST_BROKERS}, "kite": "zerodha"}


def broker_told(document: str, text: str) -> str:
    """Return the broker of a row that was recorded before rows had one of their own: its text began with it."""
    word, space, _ = text.partition(" ")
    return _FIRST_HOUSES.get(word, "") if document and space else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeStatement:
    """A stated amount in the account's currency, a cost above 0 and a rebate below, of ``day`` to ``last_day``.

    ``segment`` and ``exchange`` (the market: NSE, BSE, MCX) are "" where it is not apart by them.
    """

    day: date
    last_day: date
    head: Head
    amount: Decimal
    source: ChargeSource
    segment: str = ""
    exchange: str = ""

    @property
    def scope(self) -> ChargeScope:
        """Return what the statement is of and who states it, whatever its amount."""
        return (self.day, self.last_day, self.segment, self.exchange, self.head, self.source)

    def covers(self, fill: ChargedFill) -> bool:
        """Tell whether the statement is of this fill too."""
        return (
            self.day <= fill.day <= self.last_day
            and self.segment in ("", fill.segment or "")
            and self.exchange in ("", market_of(fill.exchange) or fill.exchange)
        )

    def contains(self, other: ChargeStatement) -> bool:
        """Tell whether what another statement is of is all within what this one is of."""
        return (
            self.head == other.head
            and self.day <= other.day <= other.last_day <= self.last_day
            and self.segment in ("", other.segment)
            and self.exchange in ("", other.exchange)
        )


@dataclass(frozen=True, slots=True)
class StatedPart:
    """A fill's part of a stated head, and who states it."""

    amount: Decimal
    source: ChargeSource


@dataclass(frozen=True, slots=True)
class StandingCharges:
    """What stands of statements: each fill's part of the heads that are stated of it, by its key, and the statements
    under which there is no fill, with what firmer ones within them leave."""

    parts: dict[str, dict[Head, StatedPart]]
    without_fills: list[ChargeStatement]


def standing_charges(
    statements: Sequence[ChargeStatement],
    fills: Iterable[ChargedFill],
    weights: Mapping[str, Mapping[Head, int | None]],
) -> StandingCharges:
    """Return what stands of statements, and whose it is.

    ``statements`` are in the order in which they were recorded, ``fills`` all those of their days, ``weights`` the
    unrounded estimate of each fill and head; where that is not known, or 0 of all, the turnover counts. What a wider
    statement says beyond firmer ones within it, with fills or without, is of the other fills.
    """
    newest = {line.scope: line for line in statements}
    by_day: dict[date, list[ChargedFill]] = {}
    for fill in sorted(fills, key=lambda fill: (fill.rank, fill.key)):
        by_day.setdefault(fill.day, []).append(fill)
    parts: dict[str, dict[Head, StatedPart]] = {}
    alone: list[ChargeStatement] = []
    firmer_lines: list[ChargeStatement] = []
    for line in sorted(newest.values(), key=firmness):
        covered = [fill for day in by_day if line.day <= day <= line.last_day for fill in by_day[day]]
        covered = [fill for fill in covered if line.covers(fill)]
        others = [fill for fill in covered if line.head not in parts.get(fill.key, {})]
        firmer = [parts[fill.key][line.head].amount for fill in covered if line.head in parts.get(fill.key, {})]
        firmer += [other.amount for other in alone if line.contains(other)]
        rest = line.amount - sum(firmer)
        # Firmer statements of more than the whole contradict it: nothing is known of the others then. A whole IPFT of 0
        # is in the exchange's charge, and so the firmer ones are.
        is_more = rest * line.amount < 0 if line.amount or line.head is Head.IPFT else bool(rest)
        if firmer and is_more:
            continue
        if others:
            for key, share in spread(rest, _weights(line.head, others, weights)).items():
                parts.setdefault(key, {})[line.head] = StatedPart(share, line.source)
        elif not covered and not any(other.contains(line) for other in firmer_lines):
            alone.append(replace(line, amount=rest))
        firmer_lines.append(line)
    return StandingCharges(parts, alone)


def left_out(lines: Iterable[ChargeStatement], earlier: Iterable[ChargeStatement]) -> list[ChargeStatement]:
    """Return the heads that earlier notes, in the order in which they were recorded, state of the places of a note's
    lines and that it has no line of, as the 0 that it thereby states: a note has every head of its day and segment."""
    own = {line.scope for line in lines if line.source == ChargeSource.NOTE}
    places = {_place(scope) for scope in own}
    newest = {line.scope: line for line in earlier if line.scope not in own and _place(line.scope) in places}
    return [replace(line, amount=Decimal(0)) for line in newest.values() if line.amount]


def _place(scope: ChargeScope) -> tuple[date, date, str, str, ChargeSource]:
    first_day, last_day, segment, exchange, _, source = scope
    return first_day, last_day, segment, exchange, source


def firmness(line: ChargeStatement) -> tuple[int, int, int, bool, date, str, str]:
    """Return what orders statements of one fill: the source, then the shorter period, then the narrower scope.

    Of two of one scope the one that names a segment is firmer, of two periods of one length the one that begins first:
    what stands must not hang on the order in which files came.
    """
    scope = (not line.segment) + (not line.exchange)
    length = (line.last_day - line.day).days
    return (_RANK[line.source], length, scope, not line.segment, line.day, line.segment, line.exchange)


def _weights(
    head: Head, fills: Sequence[ChargedFill], estimates: Mapping[str, Mapping[Head, int | None]]
) -> dict[str, int]:
    exact = {fill.key: estimates.get(fill.key, {}).get(head) for fill in fills}
    certain = {key: max(amount, 0) for key, amount in exact.items() if amount is not None}
    if len(certain) == len(fills) and any(certain.values()):
        return certain
    return {fill.key: fill.turnover for fill in fills}
