"""What a module of a format has."""

from __future__ import annotations

from typing import Protocol

from trading.brokers.document import Document
from trading.brokers.values import Broker, Statement


class Format(Protocol):
    """A format: the module `trading/brokers/<broker>_<kind>.py`, or a mapping file. ``NAME`` is for people."""

    @property
    def BROKER(self) -> Broker: ...
    @property
    def KIND(self) -> str: ...
    @property
    def NAME(self) -> str: ...

    def matches(self, head: Document) -> bool:
        """Say whether a file's head is of this format, by what it holds and never by its name."""

    def read(self, document: Document) -> Statement:
        """Return what a whole file says. Raises: UnknownLayout, UnreadableFile, UnreadableCell."""
