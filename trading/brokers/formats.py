"""Recognise a broker's file by what it holds: exactly one format must fit."""

from __future__ import annotations

from collections.abc import Sequence

from trading.brokers.document import Document
from trading.brokers.format import Format
from trading.brokers.registry import FORMATS
from trading.brokers.tables import UnknownColumns
from trading.errors import InvalidValue, UnknownLayout, VeloxError


def recognise(head: Document, mappings: Sequence[Format] = (), formats: Sequence[Format] = FORMATS) -> Format:
    """Return the format that a file's head is of. ``mappings`` are asked where no format of a broker fits.

    Raises: UnknownLayout where none fits, and where two do.
    """
    for group in (formats, mappings):
        fitting = [each for each in group if each.matches(head)]
        if len(fitting) > 1:
            raise UnknownLayout(
                f"{head.name} fits {len(fitting)} layouts: {', '.join(each.NAME for each in fitting)}.",
                hint="Nothing was read. Say with --layout which it is.",
            )
        if fitting:
            return fitting[0]
    raise _nearest(head, (*formats, *mappings)) or UnknownLayout(
        f"{head.name} is of no layout that can be read.",
        hint=f"Readable are: {'; '.join(each.NAME for each in (*formats, *mappings))}.",
    )


def must_match(head: Document, form: Format) -> None:
    """Raise UnknownLayout where a file's head is not of the format that a person names."""
    if not form.matches(head):
        raise _nearest(head, (form,)) or UnknownLayout(f"{head.name} is no {form.NAME}.", hint="Nothing was read.")


def _nearest(head: Document, formats: Sequence[Format]) -> UnknownLayout | None:
    """Return what the layout has to say that shares most columns with a file: which are new, and which are missing."""
    nearest: tuple[int, str, str] = (0, "", "")
    for each in formats if head.sheets or head.container == "json" else ():
        try:
            each.read(head)
        except UnknownColumns as error:
            nearest = max(nearest, (error.likeness, each.NAME, error.message), key=lambda entry: entry[0])
        except (VeloxError, LookupError):  # it asks for what only a file of its own has
            continue
    likeness, name, message = nearest
    if not likeness:
        return None
    return UnknownColumns(f"{message} Nearest is: {name}.", likeness=likeness)


def code_of(each: Format) -> str:
    """Return a format's name in commands: broker and kind, as `zerodha-tradebook`."""
    return f"{each.BROKER.value}-{each.KIND.replace('_', '-')}"


def by_code(code: str, mappings: Sequence[Format] = (), formats: Sequence[Format] = FORMATS) -> Format:
    """Return the format that a command names. Raises: InvalidValue with the names that there are."""
    for each in (*formats, *mappings):
        if code_of(each) == code:
            return each
    codes = ", ".join(code_of(each) for each in (*formats, *mappings))
    raise InvalidValue(f"There is no format {code!r}.", field="layout", hint=f"One of: {codes}.")
