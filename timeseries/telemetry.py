"""What indicators and snapshots may hold (FACE §2), as the record's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from timeseries.errors import InvalidValue
from timeseries.values import parse_number

VALUES_BYTES_MAX = 64 * 1024


def indicators_text(values: Any) -> bytes:
    """Return the named numbers as JSON. Raises InvalidValue."""
    if not isinstance(values, Mapping):
        raise InvalidValue(f"Indicators are a dict of numbers, not {type(values).__name__}.", field="values")
    numbers = {}
    for name, value in values.items():
        if not isinstance(name, str):
            raise InvalidValue("Indicators have names of text.", field="values")
        numbers[name] = parse_number(value, name)
    try:
        text = orjson.dumps({"values": numbers})
    except TypeError as error:
        raise InvalidValue(f"An indicator's name cannot be written: {error}.", field="values") from error
    if len(text) > VALUES_BYTES_MAX:
        raise InvalidValue(f"Indicators take at most {VALUES_BYTES_MAX} bytes, these {len(text)}.", field="values")
    return text


def snapshot_text(price: Any, quantity: Any, pnl: Any, pnl_percent: Any) -> bytes:
    """Return a position's figures as JSON; price and quantity above zero, the others may be None.

    Raises:
        InvalidValue: a figure that cannot be true.
    """
    fields = {"price": _above_zero(price, "current_price"), "quantity": _above_zero(quantity, "quantity")}
    for field, figure in (("pnl", pnl), ("pnl_percent", pnl_percent)):
        if figure is not None:
            fields[field] = parse_number(figure, field)
    return orjson.dumps(fields)


def _above_zero(value: Any, field: str) -> float:
    number = parse_number(value, field)
    if number <= 0:
        raise InvalidValue(f"{field} must be above zero.", field=field, hint="Give a number above zero.")
    return number
