"""Chains of texts: each carries an HMAC-SHA256 over its predecessor's code and itself, so that none can be changed,
removed or put between without the key."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from timeseries.values import instant_text

JSON = Mapping[str, "JSON"] | Sequence["JSON"] | str | int | float | None
# What an operation may write into the journal: `canonical` has one text for each of them.
EntryValue = None | bool | int | float | str | Decimal | date | Sequence["EntryValue"] | Mapping[str, "EntryValue"]
JournalEntry = dict[str, EntryValue]
Body = dict[str, Any]  # of a journal's row or a seal: a JSON object, whose keys its operation tells
BLOCK = 64  # bytes that SHA-256 takes at a time


def chain_code(key: str, previous: str, body: str) -> str:
    """Return the hex HMAC-SHA256 of the predecessor's code and the body."""
    of_inner, of_outer = _keyed(key)
    inner, outer = of_inner.copy(), of_outer.copy()
    inner.update(f"{previous}\n{body}".encode("utf-8", "surrogatepass"))
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(maxsize=8)
def _keyed(key: str) -> tuple[hashlib._Hash, hashlib._Hash]:
    """Return the inner and the outer hash of an HMAC (RFC 2104) that have taken the key: with them a code takes two
    thirds of the time of `hmac`, and a proof computes one for each row."""
    octets = key.encode()
    block = (hashlib.sha256(octets).digest() if len(octets) > BLOCK else octets).ljust(BLOCK, b"\0")
    inner, outer = (hashlib.sha256(bytes(octet ^ pad for octet in block)) for pad in (0x36, 0x5C))
    return inner, outer


def seal_of(key: str, content: bytes | memoryview) -> bytes:
    """Return the 32 bytes of HMAC-SHA256 over what is kept beside the ledger; no link of a chain has such a one."""
    return hmac.digest(f"beside the ledger {key}".encode(), content, "sha256")


def canonical(body: Mapping[str, EntryValue]) -> str:
    """Return canonical JSON: equal bodies have equal texts; money as plain decimal strings, times ISO UTC with Z."""
    return canonical_json(body, journal_text)


def canonical_json(body: Mapping[str, object], write: Callable[[Any], str]) -> str:
    """Return an object as JSON with its keys in order, no blanks and no NaN; ``write`` tells what JSON has no form for.

    Raises: ValueError for NaN or infinity, and whatever ``write`` raises.
    """
    return json.dumps(body, default=write, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def journal_text(fact: Decimal | date) -> str:
    """Write a decimal with all its digits, an instant as ISO UTC to the microsecond with Z, a day as ISO.

    Raises: TypeError for anything else.
    """
    if isinstance(fact, Decimal):
        return f"{fact:f}"
    if isinstance(fact, datetime):
        return instant_text(fact, "microseconds")
    if isinstance(fact, date):
        return fact.isoformat()
    raise TypeError(f"{type(fact).__name__} has no place in the journal")
