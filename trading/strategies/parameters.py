"""The parameters of strategies: what a class lets one vary, within which bounds, and setting them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from trading.errors import InvalidValue
from trading.strategies.base import Strategy

Setting = bool | int | float | str


@dataclass(frozen=True, slots=True)
class ParameterSpan:
    """The values that a parameter may take: from ``low`` to ``high``, both among them, in steps from ``low`` on.

    Whole numbers where all three are.
    """

    low: int | float
    high: int | float
    step: int | float = 1

    @property
    def is_whole(self) -> bool:
        return all(isinstance(number, int) for number in (self.low, self.high, self.step))

    def grid(self) -> list[int | float]:
        """Return every value, ascending."""
        steps = int((self.high - self.low) / self.step + 1e-9)
        return [self.low + number * self.step if self.is_whole else self.at(number) for number in range(steps + 1)]

    def at(self, number: int) -> float:
        """Return the value after so many steps, without the digits that adding floats leaves behind."""
        return float(f"{self.low + number * self.step:.12g}")


def spans_of(strategy: Strategy) -> Mapping[str, ParameterSpan]:
    """Return the parameters that a strategy names in its ``spans``; of each it has an attribute, its default."""
    return dict(getattr(strategy, "spans", {}))


def parameters_of(strategy: Strategy) -> dict[str, Setting]:
    """Return what the strategy's parameters are set to."""
    return {name: getattr(strategy, name) for name in spans_of(strategy)}


def set_parameters(strategy: Strategy, settings: Mapping[str, Setting]) -> None:
    """Set parameters of a strategy that has not begun: numbers, or texts of them.

    Raises: InvalidValue for a name that the strategy does not have, and for what is not within its span.
    """
    spans = spans_of(strategy)
    for name, setting in settings.items():
        if name not in spans:
            names = f"It has {', '.join(spans)}." if spans else "It names none (spans)."
            raise InvalidValue(f"{strategy.strategy_id} has no parameter {name!r}.", field="set", hint=names)
        setattr(strategy, name, _within(name, spans[name], setting))


def _within(name: str, span: ParameterSpan, setting: Setting) -> int | float:
    try:
        number = int(setting) if span.is_whole else float(setting)
    except (ValueError, OverflowError):
        number = float("nan")
    if (
        isinstance(setting, bool)
        or not isfinite(number)
        or not span.low <= number <= span.high
        or (span.is_whole and isinstance(setting, float) and setting != number)
    ):
        kind = "a whole number" if span.is_whole else "a number"
        raise InvalidValue(f"{name} is {setting!r}.", field="set", hint=f"Give {kind} from {span.low} to {span.high}.")
    return number
