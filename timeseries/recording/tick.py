"""The reading of a tick's dict: a last price or a bar, its fields, and whether they may be true."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Hashable, Mapping
from operator import itemgetter
from typing import Any, NoReturn, overload

import numpy.typing as npt
from numpy import bool_, float64

from timeseries.errors import AmbiguousTick, InvalidValue
from timeseries.spool.feed_keys import ALIASES, TIMES, counted_places
from timeseries.spool.frames import TICK_FIELDS, TickLayout, tick_layout
from timeseries.values import Input, TickDict, parse_number

INTEGER_MAX = 2**53
TINY = 5e-324  # the smallest float above zero
# The ledger's own bound: a price that nobody could book is none.
PRICE_MAX = 92_233_720_368
# What feeds send where there is no price: the largest 64-bit integer in billionths, and the largest float.
UNDEFINED = (2**63 - 1) / 10**9
# Surely a price, and nothing but: the tick path takes these, `read_tick` those above.
SURE_MAX = 9_223_372_036
SURE_MAX_FLOAT = float(SURE_MAX)  # a float compares with its like in half the time
NO_QUOTE = {0.0, -1.0, UNDEFINED, sys.float_info.max}

LAST_PRICES = ("ltp", "last_price", "price")
BAR_PRICES = ("open", "high", "low", "close")
QUOTES = ("bid", "ask")
PRICES = {"last", "close", "open", "high", "low", *QUOTES}
# Prices and quantities are above zero; these may be zero.
MAY_BE_ZERO = {"volume", "day_volume", "oi"}
# What a tick may have or not.
MAY_BE_ABSENT = {*QUOTES, *MAY_BE_ZERO, "last_quantity"}
# What each key of a dict means here: a frame's field, or the last price. Others are not read: feeds carry many (mode,
# depth, ohlc, tradable).
KEYS = {**{name: name for name in TICK_FIELDS}, **dict.fromkeys(LAST_PRICES, "last"), **ALIASES}
QUOTE_KEYS = {key: field for key, field in KEYS.items() if field in (*QUOTES, "last_quantity")}
TIMESTAMP = "timestamp"

TickReading = tuple[TickLayout, tuple[float, ...]]
MayBeNegative = Callable[[str], bool]


class Shape:
    """The way to read dicts that have one set of keys, so that the next of the same shape needs no thought.

    ``values`` picks the numbers in the frame's order; ``least`` and ``most`` bound what is surely right. ``time`` is
    the key of the tick's time, if any. A dict with ``count`` keys that has all of these has no others; -1 where others
    were seen, of which ``counted`` are words for a time or a price that are not read (`feed_keys.COUNTED`).
    """

    __slots__ = (
        "bar",
        "bitmap",
        "count",
        "counted",
        "keys",
        "layout",
        "least",
        "most",
        "pack",
        "prefix",
        "single",
        "size",
        "time",
        "values",
    )

    def __init__(
        self,
        keys: dict[str, str],
        *,
        bar: bool,
        time: str | None,
        others: bool = False,
        counted: tuple[int, ...] = (),
    ) -> None:
        """Take ``keys``, which maps each field of the frame to the dict's key for it."""
        names = [name for name in TICK_FIELDS if name in keys]
        self.keys, self.layout = keys, tick_layout(tuple(names), bar=bar)
        self.bar, self.bitmap, self.single = bar, self.layout.bitmap, len(names) == 1
        self.values: Callable[[Mapping[str, Any]], Any] = itemgetter(*(keys[name] for name in names))
        self.least = tuple(0.0 if name in MAY_BE_ZERO else TINY for name in names)
        self.most = tuple(SURE_MAX_FLOAT if name in PRICES else float(INTEGER_MAX) for name in names)
        self.time, self.counted = time, counted
        self.count = -1 if others else len(keys) + (time is not None)
        self.pack, self.prefix, self.size = self.layout.pack, self.layout.prefix, self.layout.size

    def allows(self, values: tuple[Any, ...]) -> bool:
        """Tell whether all are plain numbers (numpy's float64, too) within their bounds."""
        for number, least, most in zip(values, self.least, self.most):  # noqa: B905  (in the tick path)
            kind = type(number)
            if (kind is int or kind is float or kind is float64) and least <= number <= most:
                continue
            return False
        return True


def _none_of(tick: TickDict) -> NoReturn:
    raise KeyError


def careful_shape(keys: Collection[Hashable]) -> Shape:
    """Return the shape of dicts that are to be read one by one."""
    shape = Shape({"close": "close"}, bar=False, time=None, others=True, counted=counted_places(keys))
    shape.values = _none_of
    return shape


CAREFUL = careful_shape(())


def shape_of(keys: Collection[Hashable], *, cumulative: bool) -> Shape | None:
    """Return how dicts with these keys are read at once; None when each needs `read_tick`."""
    own = [key for key in keys if isinstance(key, str) and key in KEYS]
    fields = {KEYS[key]: key for key in own}
    bars = [field for field in BAR_PRICES if field in fields]
    if len(fields) < len(own) or ("last" in fields) + (bars == ["close"]) + (len(bars) == 4) != 1:
        return None
    if "last" in fields:
        if bars:
            return None
        fields["close"] = fields.pop("last")
    if cumulative and "volume" in fields:
        if "day_volume" in fields:
            return None
        fields["day_volume"] = fields.pop("volume")
    time = next((key for key in (TIMESTAMP, *TIMES) if key in keys), None)
    others = len(keys) != len(own) + (time is not None)
    return Shape(fields, bar=len(bars) == 4, time=time, others=others, counted=counted_places(keys))


def without_absent(tick: TickDict) -> TickDict:
    """Return the tick without a bid, ask or last quantity that means none: 0, and of a quote -1, NaN, undefined.

    The same object where there is none of these.
    """
    if not isinstance(tick, Mapping):
        return tick
    absent = []
    for key, field in QUOTE_KEYS.items():
        figure: Any = tick.get(key)
        if figure is None or isinstance(figure, bool | bool_):
            continue
        try:
            number = float(figure)
        except (TypeError, ValueError, OverflowError):
            continue
        if number == 0 or (field in QUOTES and (number in NO_QUOTE or math.isnan(number))):
            absent.append(key)
    return {key: tick[key] for key in tick if key not in absent} if absent else tick


@overload
def is_out_of_bounds(prices: float) -> bool: ...
@overload
def is_out_of_bounds(prices: npt.NDArray[float64]) -> npt.NDArray[bool_]: ...
def is_out_of_bounds(prices: Any) -> Any:
    """Tell of a price, or of each in an array, whether it is beyond the bound or a feed's word for none."""
    return (abs(prices) > PRICE_MAX) | (abs(prices) == UNDEFINED)


def never_negative(symbol: str) -> bool:
    """Tell of every symbol that its prices are above 0."""
    return False


def read_tick(
    tick: TickDict, *, cumulative: bool, symbol: str = "", may_be_negative: MayBeNegative = never_negative
) -> TickReading:
    """Return the frame's layout and values of a tick; None means absent, as does what `without_absent` leaves out.

    Open, high and low beside a last price are the day's so far (as in Kite's ``ohlc``): checked, not kept.

    Args:
        may_be_negative: asked for the symbol where a price is 0 or below.

    Raises:
        AmbiguousTick: two readings are possible.
        InvalidValue: no price, or a value that cannot be true.
    """
    if not isinstance(tick, Mapping):
        raise InvalidValue(f"A tick is a dict, not {type(tick).__name__}.", field="tick")
    fields = _fields(without_absent(tick), lambda: may_be_negative(symbol))
    last = _last_price(fields)
    if cumulative and "volume" in fields:
        volume = fields.pop("volume")
        if fields.setdefault("day_volume", volume) != volume:
            raise AmbiguousTick("volume and day_volume differ on a cumulative feed.", field="volume")
    bar = last is None and _is_bar(fields, tick)
    if last is not None:
        fields = {field: number for field, number in fields.items() if field not in BAR_PRICES}
        fields["close"] = last
    names = [name for name in TICK_FIELDS if name in fields]
    return tick_layout(tuple(names), bar=bar), tuple(fields[name] for name in names)


def _fields(tick: TickDict, is_signed: Callable[[], bool]) -> dict[str, float]:
    """Return the frame's fields that the tick has, and its last price under ``last``. Raises InvalidValue."""
    fields: dict[str, float] = {}
    for key in tick:
        field = KEYS.get(key) if isinstance(key, str) else None
        if field is None or tick[key] is None:
            continue
        number = _number(tick[key], key, field, is_signed)
        if fields.setdefault(field, number) != number:
            if field == "last":
                hint = "Give one of ltp, last_price and price."
                raise AmbiguousTick("Two last prices differ.", field="ltp", hint=hint)
            raise AmbiguousTick(f"{key} differs from another key for {field}.", field=key, hint=f"Give {field} alone.")
    return fields


def _number(figure: Input, key: str, field: str, is_signed: Callable[[], bool]) -> float:
    """Return a figure of a tick where it is within its field's bounds. Raises InvalidValue."""
    is_price = field in PRICES
    number = parse_number(figure, key, "price" if is_price else key)
    if is_price and is_out_of_bounds(number):
        words = f"{key} is {number!r}: beyond {PRICE_MAX:,}, or what a feed sends where it has no price."
        raise InvalidValue(words, field=key, hint=f"Leave {key} out where there is none.", code="price_out_of_bounds")
    if number < 0 or (number == 0 and field not in MAY_BE_ZERO):
        if is_price and is_signed():
            return number + 0.0
        bound = "at least zero" if field in MAY_BE_ZERO else "above zero"
        hint = "Prices of 0 and below are for instruments of kind FUTURE and SPREAD." if is_price else ""
        code = "price_not_positive" if is_price else "invalid_value"
        raise InvalidValue(f"{key} must be {bound}.", field=key, hint=hint, code=code)
    return number + 0.0  # -0.0 is zero


def _last_price(fields: dict[str, float]) -> float | None:
    """Take the last price out of the fields; None where there is none. Raises AmbiguousTick."""
    last = fields.pop("last", None)
    if last is None:
        return None
    if "close" in fields:
        hint = "Leave out close: on Indian feeds it is yesterday's."
        raise AmbiguousTick("A last price stands beside another close.", field="close", hint=hint)
    rest = [last, *(fields[key] for key in ("open", "high", "low") if key in fields)]
    if max(rest) > fields.get("high", max(rest)) or min(rest) < fields.get("low", min(rest)):
        raise AmbiguousTick("high and low do not enclose the last price.", field="high")
    return last


def _is_bar(fields: dict[str, float], tick: TickDict) -> bool:
    """Tell a whole bar from a lone close. Raises InvalidValue for what is neither."""
    bars = [key for key in BAR_PRICES if key in fields]
    if "close" not in bars:
        hint = "Give ltp, last_price, price or close; or open, high, low and close."
        if "last_traded_price" in tick:
            hint = "last_traded_price is in paise on one feed, in rupees on another: give it as ltp, in rupees."
        raise InvalidValue("The tick has no price.", field="ltp", hint=hint, code="no_price")
    if len(bars) == 1:
        return False
    if len(bars) < 4:
        hint = "Give close alone, or open, high, low and close."
        raise AmbiguousTick("This is neither a last price nor a whole bar.", field="close", hint=hint)
    first, high, low, close = (fields[key] for key in BAR_PRICES)
    if not (low <= first <= high and low <= close <= high):
        raise AmbiguousTick("high and low do not enclose the other prices.", field="high")
    return True
