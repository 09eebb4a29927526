"""What a person enters by hand: under whose name, and which likely slips of it that person has seen and accepted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from trading.domain.flags import slips
from trading.errors import InvalidValue, LikelySlip

# Not flags of a trade: a name that nothing is recorded of yet is most likely mistyped.
NEW_SYMBOL, NEW_STRATEGY = "new_symbol", "new_strategy"
QUANTITY_MOVED = "quantity_moved"  # nor is this: fills came between the author's look and the close


@dataclass(slots=True)
class HandEntry:
    """One entry by hand: its author, the warnings that the author has accepted, and those that came up."""

    by: str
    accepted: frozenset[str] = frozenset()
    warnings: set[str] = field(default_factory=set)

    def notice(self, flags: Iterable[str]) -> None:
        """Keep the likely slips among the flags of a fill."""
        self.warnings.update(slips(flags))

    def must_be_accepted(self) -> None:
        """Raise LikelySlip for warnings that the author has not seen; nothing may be committed then."""
        if self.warnings - self.accepted:
            raise LikelySlip(sorted(self.warnings))


_entry: ContextVar[HandEntry | None] = ContextVar("hand_entry", default=None)


@contextmanager
def entered(entry: HandEntry) -> Iterator[None]:
    """Let the operations within be a person's: the journal names the author, and trades that they touch are marked.

    Raises: InvalidValue for an author without a name.
    """
    if not entry.by.strip():
        raise InvalidValue("What is entered by hand has an author.", field="by", hint="Say who enters it.")
    token = _entry.set(entry)
    try:
        yield
    finally:
        _entry.reset(token)


def current() -> HandEntry | None:
    """Return the entry by hand that an operation is part of, None for a strategy's own call."""
    return _entry.get()
