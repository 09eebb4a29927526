"""Unrounded charges as a contract note rounds them, and the rounded ones shared among fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from trading.domain.charge_heads import Head, Segment
from trading.domain.charge_products import EXACT, rounded
from trading.domain.charge_sections import HEADS, ChargedSection
from trading.domain.money import SCALE, from_units, to_units

TO_RUPEE = (Head.STT, Head.CTT, Head.STAMP)
# Segments whose STT, CTT and stamp a note rounds in one sum.
_NOTE_OF = {
    Segment.EQUITY: "cash",
    **dict.fromkeys((Segment.FUTURES, Segment.OPTIONS), "derivatives"),
    **dict.fromkeys((Segment.CURRENCY_FUTURES, Segment.CURRENCY_OPTIONS), "currency"),
    **dict.fromkeys((Segment.COMMODITY_FUTURES, Segment.COMMODITY_OPTIONS), "commodity"),
}


def as_noted(sections: Sequence[ChargedSection]) -> list[dict[Head, Decimal | None]]:
    """Return each section's heads as a note rounds them."""
    answers: list[dict[Head, Decimal | None]] = []
    for section in sections:
        sums = {head: section.sum_of(head) for head in HEADS}
        answers.append({head: None if amount is None else _paise(amount) for head, amount in sums.items()})
    notes: dict[tuple[date, str], list[int]] = {}
    for number, section in enumerate(sections):
        if section.segment is not None:
            notes.setdefault((section.day, _NOTE_OF[section.segment]), []).append(number)
    for numbers in notes.values():
        for head in TO_RUPEE:
            exact = {number: amount for number in numbers if (amount := sections[number].sum_of(head)) is not None}
            charged = [number for number, amount in exact.items() if amount]
            if charged:
                total = rounded(sum(exact.values()), 0)
                before = sum((answers[number][head] or Decimal(0) for number in charged[:-1]), Decimal(0))
                answers[charged[-1]][head] = _paise(total) - before
    return answers


def _paise(amount: int) -> Decimal:
    return from_units(rounded(amount, 2) // (EXACT // SCALE))


def shares_of(section: ChargedSection, heads: Mapping[Head, Decimal | None]) -> dict[str, dict[Head, Decimal | None]]:
    """Return each fill's share of the rounded heads by its unrounded amounts, in 10^-8; the last one has the rest."""
    shares: dict[str, dict[Head, Decimal | None]] = {key: dict.fromkeys(HEADS) for key in section.exact}
    for head, total in heads.items():
        if total is not None:
            weights = {key: amounts[head] or 0 for key, amounts in section.exact.items()}
            for key, share in spread(total, weights).items():
                shares[key][head] = share
    return shares


def spread(total: Decimal, weights: Mapping[str, int]) -> dict[str, Decimal]:
    """Return an amount shared by weights at or above 0, in whole 10^-8; the last key with a weight takes the rest.

    Where no weight is above 0 all count the same.
    """
    whole = sum(weights.values())
    if not whole:
        weights, whole = dict.fromkeys(weights, 1), len(weights)
    units = to_units(total)
    sign = -1 if units < 0 else 1
    shares = {key: sign * (abs(units) * weight // whole) for key, weight in weights.items()}
    last = [key for key, weight in weights.items() if weight][-1]
    shares[last] += units - sum(shares.values())
    return {key: from_units(share) for key, share in shares.items()}
