"""What InfluxDB 2 may answer to a body of lines, one class per meaning: the type is the decision.

Measured on 2.7: only 204 is done. Nothing here or elsewhere reads the server's prose to decide; it is kept as a reason
for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

REASON_MAX = 500
RETRY_SECONDS = (1.0, 300.0)


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer that every line is durable."""


@dataclass(frozen=True, slots=True)
class RefusedWhole:
    """The answer that a line cannot be read and nothing of the body is stored: halve until the line stands alone."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class RefusedInPart:
    """The answer that some lines are refused (a type conflict, older than the retention) and the rest is stored.

    It does not tell which. ``at``: when it was given, by the server's clock (ns UTC); None: it does not say.
    """

    status: int
    reason: str
    at: int | None = None


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The answer that the body is too long: halve, and keep to the half."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class HeldBack:
    """An answer of which token, organisation, bucket or server is the fault: keep everything and tell the operator."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class TryLater:
    """An answer that leaves open what became of the body: send the same bytes again.

    Where the server tells when, ``retry_after`` are the seconds until then.
    """

    status: int  # 0: no answer
    reason: str
    retry_after: float | None = None


Refused = RefusedWhole | RefusedInPart
Reply = Stored | RefusedWhole | RefusedInPart | TooLarge | HeldBack | TryLater


def reply_of(status: int, headers: Mapping[str, str], body: bytes | str | None) -> Reply:
    """Return what an answer to a write means. ``headers`` as the server sent them."""
    if status == 204:
        return Stored()
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
    try:
        message = json.loads(text)["message"]
    except (ValueError, TypeError, KeyError):
        message = None
    reason = (message if isinstance(message, str) else text)[:REASON_MAX]
    if status == 400:
        return RefusedWhole(status, reason)
    if status == 422:
        return RefusedInPart(status, reason, _answered_at(headers))
    if status == 413:
        return TooLarge(status, reason)
    if status in (408, 429) or status >= 500:
        return TryLater(status, reason, _retry_after(headers))
    # Also a 200: whoever answered so is not the server, and has stored nothing.
    return HeldBack(status, reason)


def _answered_at(headers: Mapping[str, str]) -> int | None:
    try:
        return int(parsedate_to_datetime(_header(headers, "date")).timestamp()) * 10**9
    except (ValueError, OverflowError):
        return None


def _header(headers: Mapping[str, str], name: str) -> str:
    return {key.lower(): text for key, text in headers.items()}.get(name, "")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the server asks for, within `RETRY_SECONDS`; None for a date or nonsense."""
    try:
        seconds = float(_header(headers, "retry-after"))
    except ValueError:
        return None
    least, most = RETRY_SECONDS
    return min(max(seconds, least), most) if seconds == seconds else None  # noqa: PLR0124  (NaN)
