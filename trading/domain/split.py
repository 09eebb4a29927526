"""Splits and bonuses by the words that stand with their fills: "split 2:1", "bonus 1:1". Pure."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

SPLIT, BONUS = "split", "bonus"


def text_of(kind: str, new: Decimal, old: Decimal) -> str:
    """Return the text of a corporate action, as it is kept and shown: `split 2:1`."""
    return f"{kind} {new:f}:{old:f}"


def ratio_of(text: str) -> Fraction:
    """Return how many units stand for one since the action; a bonus comes on top of what is held.

    Raises: ValueError for another text.
    """
    kind, _, numbers = text.partition(" ")
    new, _, old = numbers.partition(":")
    ratio = Fraction(new) / Fraction(old)
    return ratio + 1 if kind == BONUS else ratio
