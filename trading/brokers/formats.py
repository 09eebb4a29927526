"""Recognise a broker's file by what it holds: exactly one format must fit."""

from __future__ import annotations

from collections.abc import Sequence

from trading.brokers.document import Document
from trading.brokers.format import Format
from trading.brokers.registry import FORMATS
from trading.errors import InvalidValue, UnknownLayout


def recognise(head: Document, mappings: Sequence[Format] = (), formats: Sequence[Format] = FORMATS) -> Format:
    """Return the format that a file's head is of. ``mappings`` are asked where no format of a broker fits.

    Raises: UnknownLayout where none fits, and where two do.
    """
    for group in (formats, mappings):
        fitting = [each for each in group if each.matches(head)]
        if len(fitting) > 1:
            raise UnknownLayout(
                f"{head.name} fits {len(fitting)} layouts: {', '.join(each.NAME for each in fitting)}.",
                hint="Nothing was read. Say with --format which it is.",
            )
        if fitting:
            return fitting[0]
    raise UnknownLayout(
        f"{head.name} is of no layout that can be read.",
        hint=f"Readable are: {'; '.join(each.NAME for each in (*formats, *mappings))}.",
    )


def code_of(each: Format) -> str:
    """Return a format's name in commands: broker and kind, as `zerodha-tradebook`."""
    return f"{each.BROKER.value}-{each.KIND.replace('_', '-')}"


def by_code(code: str, mappings: Sequence[Format] = (), formats: Sequence[Format] = FORMATS) -> Format:
    """Return the format that a command names. Raises: InvalidValue with the names that there are."""
    for each in (*formats, *mappings):
        if code_of(each) == code:
            return each
    codes = ", ".join(code_of(each) for each in (*formats, *mappings))
    raise InvalidValue(f"There is no format {code!r}.", field="format", hint=f"One of: {codes}.")
