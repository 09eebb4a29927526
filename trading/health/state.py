"""The state of one part of VELOX, and its row in the health report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from timeseries.values import instant_text

OK, DEGRADED, DOWN, OFF = "ok", "degraded", "down", "off"


@dataclass(frozen=True, slots=True)
class State:
    """One part's ``status`` (ok, degraded, down, off), a code for programs, and for people its detail and cure."""

    status: str
    code: str = ""
    detail: str = ""
    cure: str = ""
    latency_ms: float | None = None  # of the part alone, where the check takes more time than that


class PartReport(TypedDict):
    """One part in the report: its state, since when (ISO text, UTC), and the milliseconds that the check took."""

    status: str
    since: str
    latency_ms: float | None
    code: str
    detail: str
    cure: str


class FeedReport(TypedDict):
    """One source of ticks that is being recorded: the time of its last tick (ISO text, UTC) and its age in seconds.

    ``exchange_ahead_seconds``: how far the freshest exchange time of its last ticks is ahead of their arrival.
    """

    last_at: str
    age_seconds: float
    exchange_ahead_seconds: float


def iso(moment: datetime) -> str:
    """Return an aware instant as the report writes it: ISO text in UTC, to the millisecond, with Z."""
    return instant_text(moment, "milliseconds")
