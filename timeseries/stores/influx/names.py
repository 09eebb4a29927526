"""Names and texts as InfluxDB keeps them: each comes back byte for byte.

A tag cannot be empty there, cannot end in a backslash, and a line break ends the line; its answers in CSV change line
breaks inside a text. So an empty name is a hyphen, and what would break is percent-encoded; everything else stays as
people know it, to be written so in Flux.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

EMPTY = "-"
_UNSAFE = re.compile(r"[\x00-\x1f\x7f%\\]")
_SPECIAL = re.compile(r"([, =])")
# What every point has beside its own fields; and "time", which the server drops without a word.
RESERVED = frozenset({"exchange_time", "received_time", "present", "time"})
PREFIX = "values."


def coded(name: str) -> str:
    """Encode a name as a tag's value."""
    if not name:
        return EMPTY
    return "%2D" if name == EMPTY else coded_text(name)


def decoded(tag: str) -> str:
    """Return the name that a tag's value stands for."""
    return "" if tag == EMPTY else unquote(tag)


def coded_text(text: str) -> str:
    """Encode a text as a field's value."""
    return _UNSAFE.sub(lambda match: f"%{ord(match[0]):02X}", text)


def decoded_text(text: str) -> str:
    """Return the text that a field's value stands for."""
    return unquote(text)


def coded_key(name: str) -> str:
    """Encode the name of one of several named numbers as a field's key, never that of a field of every point."""
    key = coded(name)
    return PREFIX + key if key in RESERVED or key.startswith((PREFIX, "_")) else key


def decoded_key(key: str) -> str:
    """Return the name that a field's key stands for."""
    return decoded(key.removeprefix(PREFIX))


def escaped(name: str) -> str:
    """Escape an encoded name for line protocol."""
    return _SPECIAL.sub(r"\\\1", name)
