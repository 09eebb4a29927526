"""Strategies by name: the examples here, or a class of the caller's own module."""

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
        names = ", ".join([*STRATEGIES, NONE])
        raise InvalidValue(
            f"There is no strategy {name!r}.", field="strategy", hint=f"Give one of {names}, or module:Class."
        )
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        strategy: Strategy = getattr(importlib.import_module(module), kind)()
    except Exception as error:  # the caller's module may raise anything
        raise InvalidValue(f"{module}:{kind} cannot be made: {error}.", field="strategy") from error
    missing = [hook for hook in HOOKS if not callable(getattr(strategy, hook, None))]
    if missing:
        raise InvalidValue(f"{module}:{kind} has no {', '.join(missing)}.", field="strategy")
    strategy.strategy_id = getattr(strategy, "strategy_id", "") or kind
    return strategy
