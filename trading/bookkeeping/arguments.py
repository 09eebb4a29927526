"""What callers say, checked and made exact before a transaction begins. Each refusal is one InvalidValue."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from timeseries.values import ID_BYTES_MAX, parse_name, parse_time
from trading.domain.money import parse_price
from trading.errors import InvalidValue

DEPTH_MAX = 16
CONDITIONS_BYTES_MAX = 64 * 1024
TEXT_MAX = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def required_time(value: Any, field: str) -> datetime:
    """Return an instant that must be given, aware UTC, in whole microseconds."""
    if value is None:
        raise InvalidValue(f"{field} is missing.", field=field, hint="Give the time at which it happened.")
    nanoseconds = parse_time(value, ZoneInfo(settings.TIME_ZONE), time.time_ns(), field)
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def identity(value: Any, field: str) -> str:
    """Return an id of at most 128 bytes."""
    return parse_name(value, field, ID_BYTES_MAX)


def optional_identity(value: Any, field: str) -> str | None:
    return None if value is None else identity(value, field)


def optional_price(value: Any, field: str) -> Decimal | None:
    return None if value is None else parse_price(value, field)


def one_of(value: Any, field: str, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise InvalidValue(f"{field} is {value!r}.", field=field, hint=f"Give {' or '.join(choices)}.")
    return value


def free_text(value: Any, field: str) -> str:
    """Return a text of at most 1,000 characters; it may have several lines."""
    if not isinstance(value, str) or len(value) > TEXT_MAX or "\x00" in value or not _encodes(value):
        raise InvalidValue(f"{field} is no text of at most {TEXT_MAX} characters.", field=field)
    return value


def conditions_of(value: Any, field: str) -> dict[str, Any]:
    """Return a signal's conditions as plain JSON: an object with text keys, depth at most 16, at most 64 kB."""
    if not isinstance(value, Mapping):
        raise InvalidValue(f"{field} must be an object, not {type(value).__name__}.", field=field)
    plain = _plain(value, field, 1)
    try:
        size = len(json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode())
    except (ValueError, UnicodeEncodeError) as error:
        raise InvalidValue(f"{field} holds what JSON cannot.", field=field) from error
    if size > CONDITIONS_BYTES_MAX:
        raise InvalidValue(f"{field} has {size} bytes.", field=field, hint=f"At most {CONDITIONS_BYTES_MAX}.")
    return dict(plain)


def _plain(value: Any, field: str, depth: int) -> Any:
    if depth > DEPTH_MAX and isinstance(value, (Mapping, list, tuple)):
        raise InvalidValue(f"{field} is nested deeper than {DEPTH_MAX}.", field=field)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise InvalidValue(f"{field} has a key that is no text.", field=field)
        return {_text(key, field): _plain(item, field, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, field, depth + 1) for item in value]
    return _leaf(value, field)


def _leaf(value: Any, field: str) -> Any:
    if getattr(value, "ndim", None) == 0 and not isinstance(value, (bool, int, float)):
        value = value.item()  # a numpy scalar
    if isinstance(value, Decimal) and value.is_finite():
        value = float(value)
    if isinstance(value, str):
        return _text(value, field)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    shown = repr(value)[:60]
    raise InvalidValue(f"{field} holds {shown}.", field=field, hint="Give finite numbers, texts, booleans or None.")


def _text(value: str, field: str) -> str:
    if "\x00" in value or not _encodes(value):
        raise InvalidValue(f"{field} holds a character that is no text.", field=field)
    return str(value)


def _encodes(value: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in value)
