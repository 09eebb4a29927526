"""The JSON of indicators and position snapshots, and what may stand in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from timeseries.errors import InvalidValue
from timeseries.values import Input, Number, parse_name, parse_number

VALUES_BYTES_MAX = 64 * 1024


def parse_indicators(values: Input) -> dict[str, float]:
    """Return the indicators by name as float64; names follow the rule of names. Raises InvalidValue."""
    if not isinstance(values, Mapping):
        raise InvalidValue(f"Indicators are a dict of numbers, not {type(values).__name__}.", field="values")
    numbers: dict[str, float] = {}
    for key, figure in values.items():
        name = parse_name(key, "an indicator's name")
        if name in numbers:
            raise InvalidValue(f"Two indicators are called {name!r}.", field="values", hint="Give each name once.")
        numbers[name] = parse_number(figure, name)
    return numbers


def indicators_text(numbers: Mapping[str, float]) -> bytes:
    """Return parsed indicators as JSON. Raises InvalidValue: they are too many."""
    text = orjson.dumps({"values": numbers})
    if len(text) > VALUES_BYTES_MAX:
        raise InvalidValue(f"Indicators take at most {VALUES_BYTES_MAX} bytes, these {len(text)}.", field="values")
    return text


def snapshot_text(
    price: Number,
    quantity: Number,
    pnl: Number | None,
    pnl_percent: Number | None,
    *,
    is_signed: Callable[[], bool] = lambda: False,
) -> bytes:
    """Return a position's figures as JSON; price and quantity above zero, the others may be None.

    ``is_signed`` is asked where the price is 0 or below: whether it may be.

    Raises:
        InvalidValue: a figure that cannot be true.
    """
    fields = {"price": parse_number(price, "current_price"), "quantity": parse_number(quantity, "quantity")}
    if fields["quantity"] <= 0 or (fields["price"] <= 0 and not is_signed()):
        field = "quantity" if fields["quantity"] <= 0 else "current_price"
        raise InvalidValue(f"{field} must be above zero.", field=field, hint="Give a number above zero.")
    for field, figure in (("pnl", pnl), ("pnl_percent", pnl_percent)):
        if figure is not None:
            fields[field] = parse_number(figure, field)
    return orjson.dumps(fields)
