"""Answers as JSON: decimals as plain strings, times ISO UTC with `Z`, no NaN; a time of no zone as it stands."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from timeseries.values import instant_text
from trading.domain import display


def to_json(body: Any) -> str:
    """Return canonical values as one JSON text.

    Raises: ValueError for NaN or infinity, TypeError for anything that is not a plain value.
    """
    return json.dumps(body, default=jsonable, ensure_ascii=False, allow_nan=False)


def jsonable(scalar: Decimal | date | time) -> str:
    """Return what stands for a value in JSON: decimals as plain strings, times ISO UTC with `Z`, of no zone without it.

    Raises: TypeError.
    """
    if isinstance(scalar, Decimal):
        if not scalar.is_finite():
            raise ValueError(f"{scalar} has no place in JSON")
        return display.plain(scalar)
    if isinstance(scalar, datetime) and scalar.tzinfo:
        return instant_text(scalar)
    if isinstance(scalar, date | time):
        return scalar.isoformat()
    raise TypeError(f"{type(scalar).__name__} has no place in JSON")
