"""The board: a file per account in which the companion shows how far its limits are used, for every process to read.

It is written several times a second and means nothing once it is a second old, so it is never brought to the disk.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import orjson
from django.conf import settings

from trading.domain.limits import LimitState

DIGITS = 20  # of the instant (ns UTC) that a file begins with


class Shown(NamedTuple):
    """What a board shows: the account's day, and the state of each of the account's limits."""

    day: date
    states: tuple[LimitState, ...]


def board_path(account: str) -> Path:
    """Return the file of an account: names are coded, as any may stand in them."""
    return Path(settings.DATA_DIR) / "limits" / f"{account.encode().hex()}.json"


def post(account: str, as_of_ns: int, body: bytes) -> None:
    """Show a body (`body_of`) as of an instant in place of what was shown. Raises: OSError."""
    path = board_path(account)
    aside = path.with_suffix(".new")  # one companion writes here
    try:
        _write(aside, b"%020d%s" % (as_of_ns, body))
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700)
        _write(aside, b"%020d%s" % (as_of_ns, body))
    os.replace(aside, path)


def body_of(day: date, states: Iterable[LimitState]) -> bytes:
    """Return what a board shows as JSON."""
    rows = [
        {name: f"{cell:f}" if isinstance(cell, Decimal) else cell for name, cell in state.as_dict().items()}
        for state in states
    ]
    return orjson.dumps({"day": day.isoformat(), "limits": rows})


def read(path: str) -> tuple[int, bytes] | None:
    """Return the instant (ns UTC) and the body of a board; None where there is none that makes sense."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            content = os.read(descriptor, 1 << 20)
        finally:
            os.close(descriptor)
        return int(content[:DIGITS]), content[DIGITS:]
    return None


def shown(body: bytes) -> Shown | None:
    """Return what a body tells; None where it makes no sense."""
    try:
        plain = orjson.loads(body)
        amounts = ("limit", "used", "left")
        states = tuple(
            LimitState(**{**row, **{name: None if row[name] is None else Decimal(row[name]) for name in amounts}})
            for row in plain["limits"]
        )
        return Shown(date.fromisoformat(plain["day"]), states)
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return None


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
