"""Chains of texts: each carries an HMAC-SHA256 over its predecessor's code and itself, so that none can be changed,
removed or put between without the key."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from timeseries.values import instant_text

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

JSON = Mapping[str, "JSON"] | Sequence["JSON"] | str | int | float | None
# What an operation may write into the journal: `canonical` has one text for each of them.
EntryValue = None | bool | int | float | str | Decimal | date | Sequence["EntryValue"] | Mapping[str, "EntryValue"]
JournalEntry = dict[str, EntryValue]
BLOCK = 64  # bytes that SHA-256 takes at a time
Body = dict[str, Any]  # of a journal's row or a seal: a JSON object, whose keys its operation tells


def chain_code(key: str, previous: str, body: str) -> str:
    """Return the hex HMAC-SHA256 of the predecessor's code and the body."""
    inner, outer = _keyed(key)
    text = inner.copy()
    text.update(f"{previous}\n{body}".encode("utf-8", "surrogatepass"))
    code = outer.copy()
    code.update(text.digest())
    return code.hexdigest()


@lru_cache(maxsize=8)
def _keyed(key: str) -> tuple[Hash, Hash]:
    """Return both hashes of HMAC (RFC 2104), made ready with a key, which takes longer than a code does.

    `hmac` makes a key ready as well, but copies it in Python: a quarter more time for a code.
    """
    octets = key.encode()
    block = (sha256(octets).digest() if len(octets) > BLOCK else octets).ljust(BLOCK, b"\0")
    return sha256(bytes(octet ^ 0x36 for octet in block)), sha256(bytes(octet ^ 0x5C for octet in block))


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
