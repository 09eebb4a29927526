"""Chains of texts: each carries an HMAC-SHA256 over its predecessor's code and itself, so that none can be changed,
removed or put between without the key."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

JSON = Mapping[str, "JSON"] | Sequence["JSON"] | str | int | float | None
# What an operation may write into the journal: `canonical` has one text for each of them.
EntryValue = None | bool | int | float | str | Decimal | date | Sequence["EntryValue"] | Mapping[str, "EntryValue"]
Entry = dict[str, EntryValue]
Body = dict[str, Any]  # of a journal's row or a seal: a JSON object, whose keys its operation tells


def chain_code(key: str, previous: str, body: str) -> str:
    """Return the hex HMAC-SHA256 of the predecessor's code and the body."""
    return hmac.digest(key.encode(), f"{previous}\n{body}".encode("utf-8", "surrogatepass"), "sha256").hex()


def canonical(body: Mapping[str, EntryValue]) -> str:
    """Return canonical JSON: equal bodies have equal texts; money as plain decimal strings, times ISO UTC with Z."""
    return json.dumps(body, default=_plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _plain(cell: Decimal | date) -> str:
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(cell, date):
        return cell.isoformat()
    raise TypeError(f"{type(cell).__name__} has no place in the journal")
