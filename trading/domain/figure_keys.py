"""How the key of a figure says its unit, its formula and its source; and the types that figures have."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class Figure(NamedTuple):
    """What a key means: its unit, how it is computed, and whose definition that is ("" for the desk's own)."""

    unit: str
    formula: str
    source: str = ""


Money = Decimal | None
Ratio = float | None
IsoDate = str | None
