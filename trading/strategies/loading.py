"""Which strategy a name means: one that comes along, or a class of the caller's own module."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from trading.errors import InvalidValue
from trading.strategies.base import Strategy
from trading.strategies.ema_cross import EmaCross
from trading.strategies.opening_range import OpeningRangeBreakout

NONE = "none"
STRATEGIES: dict[str, type[Strategy]] = {kind.strategy_id: kind for kind in (EmaCross, OpeningRangeBreakout)}
HOOKS = ("on_start", "on_tick", "on_end")


def load_strategy(name: str) -> Strategy | None:
    """Return a new strategy by name or by ``module:Class`` (also of a module in the current folder); None for `none`.

    Raises: InvalidValue.
    """
    if name == NONE:
        return None
    if name in STRATEGIES:
        return STRATEGIES[name]()
    module, colon, kind = name.partition(":")
    if not (module and colon and kind):
        known = ", ".join([*STRATEGIES, NONE])
        raise InvalidValue(
            f"There is no strategy {name!r}.", field="strategy", hint=f"Give one of {known}, or module:Class."
        )
    return _own(module, kind)


def _own(module: str, kind: str) -> Strategy:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        made: Strategy = getattr(importlib.import_module(module), kind)()
    except Exception as error:  # the caller's module may raise anything
        raise InvalidValue(f"{module}:{kind} cannot be made: {error}.", field="strategy") from error
    missing = [hook for hook in HOOKS if not callable(getattr(made, hook, None))]
    if missing:
        raise InvalidValue(f"{module}:{kind} has no {', '.join(missing)}.", field="strategy")
    made.strategy_id = getattr(made, "strategy_id", "") or kind
    return made
