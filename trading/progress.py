"""How far a long piece of work is: whoever works tells it, whoever asked for it may listen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[str, int, int], None]  # the stage, how many of it are done, how many there are (0: nobody knows)
_listener: ContextVar[Progress | None] = ContextVar("listener", default=None)


def tell(stage: str, done: int, total: int = 0) -> None:
    """Tell whoever listens in this context that ``done`` of the ``total`` of a stage are behind us."""
    listener = _listener.get()
    if listener is not None:
        listener(stage, done, total)


@contextmanager
def listening(listener: Progress) -> Iterator[None]:
    """Let a listener hear what the work within tells."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
