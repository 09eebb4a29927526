"""Masks of secrets: by the name they go by, and by how they look inside a text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

MASK = "***"
DEPTH_MAX = 8
_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|journal_?key|authori[sz]ation|cookie"
    r"|credential|session_?key|(^|_)dsn$",
    re.IGNORECASE,
)
# Up to the last @ of the word: a password may hold one, a slash, a quote. What is masked too much is no secret told.
_URL = re.compile(r"(://)\S*@")
_ASSIGNED = re.compile(
    r"((?:passw(?:or)?d|secret|token|api[_-]?key|private[_-]?key|access[_-]?key)['\"]?\s*[=:]\s*)"
    r"(?:'[^']*'|\"[^\"]*\"|[^\s,;&'\"]+)",
    re.IGNORECASE,
)
_HEADER = re.compile(r"\b((?:authorization:\s*)?(?:bearer|basic|token)\s+)[\w.~+/=-]{8,}", re.IGNORECASE)


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Tell whether what goes by this name is not for a log."""
    return _NAME.search(name) is not None


def masked_text(text: str) -> str:
    """Mask what a URL says before its ``@``, what follows ``password=`` and its like, and an authorization header."""
    if "@" in text and "://" in text:
        text = _URL.sub(rf"\1{MASK}@", text)
    if "=" in text or ":" in text:
        text = _ASSIGNED.sub(rf"\1{MASK}", text)
    return _HEADER.sub(rf"\1{MASK}", text) if " " in text else text


def mask(context: dict[str, Any]) -> None:
    """Mask an event's keywords in place; what is nested is copied, since it is the caller's."""
    for name, entry in context.items():
        kind = type(entry)
        if type(name) is str and is_secret(name):
            context[name] = MASK
        elif kind is str:
            if "=" in entry or ":" in entry or " " in entry:
                context[name] = masked_text(entry)
        elif kind is not int and kind is not float and kind is not bool and entry is not None:
            context[name] = _masked(entry, DEPTH_MAX)


def _masked(entry: Any, depth: int) -> Any:
    if isinstance(entry, str):
        return masked_text(entry)
    if isinstance(entry, BaseException):
        return masked_text(str(entry))
    if isinstance(entry, dict) and depth:
        return {
            name: MASK if isinstance(name, str) and is_secret(name) else _masked(inner, depth - 1)
            for name, inner in entry.items()
        }
    if type(entry) in (list, tuple) and depth:
        return [_masked(inner, depth - 1) for inner in entry]
    return entry
