"""What InfluxDB 2 may answer to a body of lines, one class per meaning: the type is the decision.

Measured on 2.7: only 204 is done. Nothing here or elsewhere reads the server's prose to decide; it is kept as a reason
for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

REASON_MAX = 500
RETRY_SECONDS = (1.0, 300.0)


@dataclass(frozen=True, slots=True)
class Stored:
    """Every line is durable."""


@dataclass(frozen=True, slots=True)
class RefusedWhole:
    """A line cannot be read and nothing of the body is stored: halve until it stands alone."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class RefusedInPart:
    """Some lines are refused (a type conflict, older than the retention), the rest is stored; which is not said."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The body is too long: halve, and keep to the half."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Token, organisation, bucket or server are not as they should be: keep everything and tell the operator."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class TryLater:
    """Nothing is known of the body: the same bytes again, after ``retry_after`` seconds where the server says so."""

    status: int  # 0: no answer
    reason: str
    retry_after: float | None = None


Refused = RefusedWhole | RefusedInPart
Reply = Stored | RefusedWhole | RefusedInPart | TooLarge | Held | TryLater


def reply_of(status: int, headers: Mapping[str, str], body: bytes | str | None) -> Reply:
    """Return what an answer to a write means. ``headers`` as the server sent them."""
    if status == 204:
        return Stored()
    reason = _reason(body)
    if status == 400:
        return RefusedWhole(status, reason)
    if status == 422:
        return RefusedInPart(status, reason)
    if status == 413:
        return TooLarge(status, reason)
    if status in (408, 429) or status >= 500:
        return TryLater(status, reason, _retry_after(headers))
    # Also a 200: whoever answered so is not the server, and has stored nothing.
    return Held(status, reason)


def _reason(body: bytes | str | None) -> str:
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
    try:
        found = json.loads(text)
    except ValueError:
        return text[:REASON_MAX]
    message = found.get("message") if isinstance(found, dict) else None
    return (message if isinstance(message, str) else text)[:REASON_MAX]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the server asks for, within `RETRY_SECONDS`; None for a date or nonsense."""
    given = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    try:
        seconds = float(given)
    except ValueError:
        return None
    least, most = RETRY_SECONDS
    return min(max(seconds, least), most) if seconds == seconds else None  # noqa: PLR0124  (NaN)
