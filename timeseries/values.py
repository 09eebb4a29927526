"""The one parser of names, times and a tick's numbers (FACE §2)."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo


def parse_name(value: Any, field: str, max_bytes: int = 64) -> str:
    """Return the name in NFC. Raises InvalidValue."""
    raise NotImplementedError


def parse_time(value: Any, zone: ZoneInfo, now_ns: int, field: str) -> int:
    """Return ns UTC of a datetime (naive = the zone's) or of integer nanoseconds. Raises InvalidValue."""
    raise NotImplementedError


def parse_number(value: Any, field: str) -> float:
    """Return a finite float that holds the value exactly by its shortest decimal form. Raises InvalidValue."""
    raise NotImplementedError
