"""What a condition of a signal may not be if it is to tell an outcome beforehand: known afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from trading.domain.chain import JSON

# Parts of names (between dots, dashes and underscores) of what only the outcome tells.
AFTERWARDS = frozenset({"exit", "exited", "mae", "mfe", "outcome", "pnl", "realised", "realized", "won"})
OWN = "model"  # the conditions under which a kept model's own score is recorded
TOO_GOOD = 0.98  # a rank correlation with the outcome that nothing known beforehand has
_PARTS = re.compile(r"[._\s-]+")


def is_named_afterwards(name: str) -> bool:
    """Tell whether a condition's name (its dotted path) is of what only the outcome tells."""
    return not AFTERWARDS.isdisjoint(_PARTS.split(name.lower()))


def is_own_score(name: str) -> bool:
    """Tell whether a condition is what an earlier model said."""
    return name.split(".", maxsplit=1)[0] == OWN


def later_instants(conditions: Mapping[str, JSON], at: datetime, prefix: str = "") -> Iterator[str]:
    """Yield the names of the texts that are an instant after the decision."""
    for key, condition in conditions.items():
        if isinstance(condition, Mapping):
            yield from later_instants(condition, at, f"{prefix}{key}.")
        elif isinstance(condition, str) and len(condition) >= len("2024-03-15T09:31"):
            try:
                instant = datetime.fromisoformat(condition)
            except ValueError:
                continue
            if instant.tzinfo is not None and instant > at:
                yield f"{prefix}{key}"
