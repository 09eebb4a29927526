"""Arguments of callers, checked and made exact before a transaction begins. Each refusal is one InvalidValue."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from timeseries.values import ID_BYTES_MAX, Instant, Number, parse_name, parse_time
from trading.domain.chain import JSON, canonical
from trading.domain.conditions import Conditions
from trading.domain.money import parse_price
from trading.errors import InvalidValue

DEPTH_MAX = 16
CONDITIONS_BYTES_MAX = 64 * 1024
TEXT_MAX = 1000
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")  # what no database keeps, and UTF-8 does not write
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def required_time(instant: Instant | None, field: str) -> datetime:
    """Return an instant that must be given, aware UTC, in whole microseconds."""
    if instant is None:
        raise InvalidValue(f"{field} is missing.", field=field, hint="Give the time at which it happened.")
    nanoseconds = parse_time(instant, ZoneInfo(settings.TIME_ZONE), time.time_ns(), field)
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def identity(name: str, field: str) -> str:
    """Return an id of at most 128 bytes."""
    return parse_name(name, field, ID_BYTES_MAX)


def optional_identity(name: str | None, field: str) -> str | None:
    """Return an id of at most 128 bytes, None where none is given."""
    return None if name is None else identity(name, field)


def optional_price(price: Number | None, field: str) -> Decimal | None:
    """Return a price exactly, None where none is given."""
    return None if price is None else parse_price(price, field)


def one_of(word: str | Number | date | None, field: str, choices: tuple[str, ...]) -> str:
    """Return a word that is one of the choices."""
    if not isinstance(word, str) or word not in choices:
        raise InvalidValue(f"{field} is {word!r}.", field=field, hint=f"Give {' or '.join(choices)}.")
    return word


def free_text(text: str, field: str, *, characters_max: int = TEXT_MAX) -> str:
    """Return a text of at most 1,000 (or ``characters_max``) characters; it may have several lines."""
    if not isinstance(text, str) or len(text) > characters_max or _NO_TEXT.search(text):
        raise InvalidValue(f"{field} is no text of at most {characters_max} characters.", field=field)
    return text


def conditions_of(conditions: Conditions, field: str) -> dict[str, JSON]:
    """Return a signal's conditions as plain JSON: an object with text keys, depth at most 16, at most 64 kB."""
    plain = _plain(conditions, field, 1) if isinstance(conditions, Mapping) else None
    if not isinstance(plain, dict):
        raise InvalidValue(f"{field} must be an object, not {type(conditions).__name__}.", field=field)
    try:
        size = len(canonical(plain).encode())
    except (ValueError, UnicodeEncodeError) as error:
        raise InvalidValue(f"{field} holds what JSON cannot.", field=field) from error
    if size > CONDITIONS_BYTES_MAX:
        raise InvalidValue(f"{field} has {size} bytes.", field=field, hint=f"At most {CONDITIONS_BYTES_MAX}.")
    return plain


def _plain(condition: Any, field: str, depth: int) -> JSON:
    """Return one condition, at this depth, as plain JSON. Raises: InvalidValue."""
    if depth > DEPTH_MAX and isinstance(condition, (Mapping, list, tuple)):
        raise InvalidValue(f"{field} is nested deeper than {DEPTH_MAX}.", field=field)
    if isinstance(condition, Mapping):
        if not all(isinstance(key, str) for key in condition):
            raise InvalidValue(f"{field} has a key that is no text.", field=field)
        return {str(_plain(key, field, depth)): _plain(leaf, field, depth + 1) for key, leaf in condition.items()}
    if isinstance(condition, (list, tuple)):
        return [_plain(leaf, field, depth + 1) for leaf in condition]
    if getattr(condition, "ndim", None) == 0 and not isinstance(condition, (bool, int, float)):
        condition = condition.item()  # a numpy scalar
    if isinstance(condition, Decimal) and condition.is_finite():
        condition = float(condition)
    if isinstance(condition, str):
        if _NO_TEXT.search(condition):
            raise InvalidValue(f"{field} holds a character that is no text.", field=field)
        return str(condition)
    if condition is None or isinstance(condition, (bool, int)):
        return condition
    if isinstance(condition, float) and condition - condition == 0:
        return condition
    start = repr(condition)[:60]
    raise InvalidValue(f"{field} holds {start}.", field=field, hint="Give finite numbers, texts, booleans or None.")
