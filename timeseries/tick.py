"""What a tick's dict means: a last price or a bar, which fields, and whether it may be true (FACE §2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from operator import itemgetter
from typing import Any

from numpy import float64

from timeseries.errors import AmbiguousTick, InvalidValue
from timeseries.frames import TICK_FIELDS, TickLayout, tick_layout
from timeseries.values import parse_number

INFINITY = float("inf")
INTEGER_MAX = 2**53
TINY = 5e-324  # the smallest float above zero

LAST_PRICES = ("ltp", "last_price", "price")
BAR_PRICES = ("open", "high", "low", "close")
PRICES = {"close", "open", "high", "low", "bid", "ask"}
# Prices and quantities are above zero; these may be zero.
MAY_BE_ZERO = {"volume", "day_volume", "oi"}
# Keys of a dict that mean something here. All others are ignored: feeds carry many (mode, depth, ohlc, tradable).
KNOWN = {*LAST_PRICES, *TICK_FIELDS}

Reading = tuple[TickLayout, tuple[float, ...]]


class Shape:
    """How dicts with one set of keys are read, so that the next of the same shape needs no thought.

    ``values`` picks the numbers in the frame's order; ``least`` is what each must reach; the first ``positive`` of them
    must be above zero. A dict with ``count`` keys that has all of these has no others; -1 where others were seen.
    """

    __slots__ = (
        "bar",
        "bitmap",
        "count",
        "layout",
        "least",
        "pack",
        "positive",
        "prefix",
        "single",
        "size",
        "timed",
        "values",
    )

    def __init__(self, keys: dict[str, str], *, bar: bool, timed: bool, others: bool = False) -> None:
        """``keys`` maps each field of the frame to the dict's key for it."""
        names = [name for name in TICK_FIELDS if name in keys]
        self.layout = tick_layout(names, bar=bar)
        self.bar, self.bitmap, self.single = bar, self.layout.bitmap, len(names) == 1
        self.values: Callable[[Any], Any] = itemgetter(*(keys[name] for name in names))
        self.positive = sum(name not in MAY_BE_ZERO for name in names)
        self.least = (TINY,) * self.positive + (0.0,) * (len(names) - self.positive)
        self.timed = timed
        self.count = -1 if others else len(keys) + timed
        self.pack, self.prefix, self.size = self.layout.pack, self.layout.prefix, self.layout.size

    def allows(self, values: tuple[Any, ...]) -> bool:
        """Tell whether all are plain numbers (numpy's float64, too) within their bounds."""
        for value, least in zip(values, self.least):  # noqa: B905  (in the tick path)
            kind = type(value)
            if kind is int:
                if least <= value <= INTEGER_MAX:
                    continue
            elif (kind is float or kind is float64) and least <= value < INFINITY:
                continue
            return False
        return True


def _none_of(tick: Any) -> Any:
    raise KeyError


CAREFUL = Shape({"close": "close"}, bar=False, timed=False, others=True)  # of dicts that are to be read one by one
CAREFUL.values = _none_of


def shape_of(keys: Collection[Any], *, cumulative: bool) -> Shape | None:
    """Return how dicts with these keys are read at once; None when each needs `read_tick`."""
    known = [key for key in keys if isinstance(key, str) and key in KNOWN]
    lasts = [key for key in known if key in LAST_PRICES]
    bars = [key for key in known if key in BAR_PRICES]
    if len(lasts) + (bars == ["close"]) + (len(bars) == 4) != 1 or (lasts and bars):
        return None
    if cumulative and "volume" in known and "day_volume" in known:
        return None
    fields = {("close" if key in LAST_PRICES else key): key for key in known}
    if cumulative and "volume" in fields:
        fields["day_volume"] = fields.pop("volume")
    timed = "timestamp" in keys
    return Shape(fields, bar=len(bars) == 4, timed=timed, others=len(keys) != len(known) + timed)


def read_tick(tick: Mapping[str, Any], *, cumulative: bool) -> Reading:
    """Return the frame's layout and values of a tick; None means absent.

    Open, high and low beside a last price are the day's so far (as in Kite's ``ohlc``): checked, not kept.

    Raises:
        AmbiguousTick: two readings are possible.
        InvalidValue: no price, or a value that cannot be true.
    """
    if not isinstance(tick, Mapping):
        raise InvalidValue(f"A tick is a dict, not {type(tick).__name__}.", field="tick")
    given = {key: tick[key] for key in tick if isinstance(key, str) and key in KNOWN and tick[key] is not None}
    fields = {key: _number(value, key) for key, value in given.items()}
    last = _last_price(fields)
    volume = _volumes(fields, cumulative=cumulative)
    bar = last is None and _is_bar(fields)
    if last is not None:
        fields = {key: value for key, value in fields.items() if key not in BAR_PRICES}
        fields["close"] = last
    fields.update(volume)
    names = [name for name in TICK_FIELDS if name in fields]
    return tick_layout(names, bar=bar), tuple(fields[name] for name in names)


def check_bar(open_: float, high: float, low: float, close: float) -> None:
    """Raise AmbiguousTick unless high and low enclose the rest."""
    if not (low <= open_ <= high and low <= close <= high):
        raise AmbiguousTick("high and low do not enclose the other prices.", field="high")


def _number(value: Any, key: str) -> float:
    price = key in PRICES or key in LAST_PRICES
    number = parse_number(value, key, "price" if price else key)
    if number < 0 or (number == 0 and key not in MAY_BE_ZERO):
        bound = "at least zero" if key in MAY_BE_ZERO else "above zero"
        code = "price_not_positive" if price else "invalid_value"
        raise InvalidValue(f"{key} must be {bound}.", field=key, code=code)
    return number + 0.0  # -0.0 is zero


def _last_price(fields: dict[str, float]) -> float | None:
    lasts = {fields.pop(key) for key in LAST_PRICES if key in fields}
    if not lasts:
        return None
    if len(lasts) > 1:
        raise AmbiguousTick("Two last prices differ.", field="ltp", hint="Give one of ltp, last_price and price.")
    if "close" in fields:
        hint = "Leave out close: on Indian feeds it is yesterday's."
        raise AmbiguousTick("A last price stands beside another close.", field="close", hint=hint)
    (last,) = lasts
    rest = [last, *(fields[key] for key in ("open", "high", "low") if key in fields)]
    if max(rest) > fields.get("high", max(rest)) or min(rest) < fields.get("low", min(rest)):
        raise AmbiguousTick("high and low do not enclose the last price.", field="high")
    return last


def _is_bar(fields: dict[str, float]) -> bool:
    bars = [key for key in BAR_PRICES if key in fields]
    if "close" not in bars:
        hint = "Give ltp, last_price, price or close; or open, high, low and close."
        raise InvalidValue("The tick has no price.", field="ltp", hint=hint, code="no_price")
    if len(bars) == 1:
        return False
    if len(bars) < 4:
        hint = "Give close alone, or open, high, low and close."
        raise AmbiguousTick("This is neither a last price nor a whole bar.", field="close", hint=hint)
    check_bar(*(fields[key] for key in BAR_PRICES))
    return True


def _volumes(fields: dict[str, float], *, cumulative: bool) -> dict[str, float]:
    if not cumulative or "volume" not in fields:
        return {}
    volume = fields.pop("volume")
    if fields.get("day_volume", volume) != volume:
        raise AmbiguousTick("volume and day_volume differ on a cumulative feed.", field="volume")
    return {"day_volume": volume}
