"""Workbooks of the old XLS kind (BIFF8)."""

from __future__ import annotations

from trading.brokers.containers.limits import Space, refused
from trading.brokers.document import Sheet


def read_xls(data: bytes, space: Space, rows_max: int | None) -> tuple[Sheet, ...]:
    """Return a workbook's sheets. Raises: UnreadableFile."""
    raise refused(space.name, f"is an XLS workbook of {len(data)} bytes", "Save it as XLSX.")
