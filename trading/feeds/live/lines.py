"""What a feed comes over, a broker's socket or a child process: one interface for whoever watches it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

REFUSED = "refused"  # why a line ended: the broker does not take the credentials


class FeedLine(Protocol):
    """An open line, subscribed to its instruments."""

    def messages(self) -> AsyncIterator[bytes | str]:
        """Yield messages until the line ends, however it ends."""

    async def beat(self) -> None:
        """Send what the other side wants to hear every ten seconds, if anything."""

    async def close(self) -> None:
        """End the line."""


class LineFailed(Exception):
    """A line that could not be opened, or failed while it was; ``reason`` is `cut` or `refused`."""

    def __init__(self, message: str, reason: str = "cut") -> None:
        super().__init__(message)
        self.reason = reason


OpenLine = Callable[[str | None], AbstractAsyncContextManager[FeedLine]]  # of another address, if any
