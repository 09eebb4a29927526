"""The facade for an event loop: `await dm.aio.open_position(...)`, and every other method alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from trading.account_operations import OPERATIONS
from trading.ledger_thread import awaited, awaited_write


class Awaitables:
    """The public methods of a facade as awaitables, with the same arguments, answers and errors.

    They run on the process's ledger thread, one after another in the order of the calls: the loop is never blocked.

    A time-out takes back no ledger call that has begun: it is raised once that has ended, committed or not (one that
    still waited for its turn is dropped, and wrote nothing). Make the same call again: it answers with what is there,
    or does it now. An `add_fill` needs its ``fill_id`` for that: without one the same fill again is another fill.
    """

    def __init__(self, facade: object) -> None:
        self._facade = facade

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = None if name.startswith("_") else getattr(self._facade, name)
        if not callable(method):
            raise AttributeError(f"The facade has no method {name!r}.")
        return partial(awaited_write if name in OPERATIONS else awaited, method)

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._facade) if not name.startswith("_")]
