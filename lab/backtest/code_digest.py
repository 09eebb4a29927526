"""What a trial ran: a digest of the strategy's code and of the rules by which its orders were filled."""

from __future__ import annotations

import hashlib
import inspect
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from trading.strategies.base import Strategy

FILLED_AS = 2  # counts up whenever the same strategy on the same ticks would be filled otherwise
RECORDED = ("velox", "numpy", "talipp")


def code_digest(strategy: Strategy) -> str:
    """Return a digest of the modules that the strategy's class and its bases stand in, and of `FILLED_AS`.

    What those modules import from elsewhere is not in it.
    """
    whole = hashlib.sha256(f"filled as {FILLED_AS}\n".encode())
    for kind in type(strategy).__mro__:
        file = inspect.getsourcefile(kind) if kind.__module__ in sys.modules and kind is not object else None
        if file is not None and not kind.__module__.startswith(("abc", "typing")):
            whole.update(f"{kind.__module__}.{kind.__qualname__}\n".encode() + Path(file).read_bytes())
    return whole.hexdigest()


def versions() -> dict[str, str]:
    """Return the versions of what computes a trial."""
    installed = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in RECORDED:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:  # a checkout that was never installed
            installed[name] = "checkout"
    return installed
