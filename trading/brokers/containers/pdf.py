"""Text of PDFs."""

from __future__ import annotations

from trading.brokers.containers.limits import Space, refused


def read_pdf(data: bytes, space: Space, password: str | None, *, is_head: bool) -> tuple[str, ...]:
    """Return the lines of a PDF, of its first page alone where ``is_head``. Raises: UnreadableFile, FileLocked."""
    raise refused(space.name, f"is a PDF of {len(data)} bytes", "Give it as CSV.")
