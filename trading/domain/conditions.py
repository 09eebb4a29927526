"""Conditions of a signal: their numbers by path, and the comparison of two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from trading.domain.chain import JSON

Conditions = Mapping[str, Any]  # as a caller gives them, before `arguments.conditions_of` has made them JSON

NAME_MAX, NUMBER_MAX = 255, 1e300


def is_same(left: JSON, right: JSON) -> bool:
    """Tell whether two JSON values are the same; PostgreSQL gives 1e300 back as an int."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, float) and isinstance(right, int):
        return is_same(right, left)
    if isinstance(left, int) and isinstance(right, float):
        return left == right or str(left) == f"{Decimal(repr(right)):f}"
    return bool(left == right)


def numbers(conditions: Mapping[str, JSON], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield each number (a boolean as 0 or 1) with its dotted path."""
    for key, condition in conditions.items():
        name = f"{prefix}{key}"
        if isinstance(condition, dict):
            yield from numbers(condition, f"{name}.")
        elif isinstance(condition, (bool, int, float)) and abs(condition) < NUMBER_MAX and 0 < len(name) <= NAME_MAX:
            yield name, float(condition)
