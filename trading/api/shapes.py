"""What is sent and answered, for the schema: numbers exact, times with their zone, no field that nobody reads."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial, reduce
from operator import or_
from types import EllipsisType, GenericAlias
from typing import Annotated, Any, get_args, get_type_hints

from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, WithJsonSchema, create_model

from timeseries.values import EPOCH_UTC, ID_BYTES_MAX, NAME_BYTES_MAX, parse_name

SECOND = timedelta(seconds=1)
FieldTypes = dict[str, Any]  # of each field by name: its type and default
JsonObject = dict[str, Any]  # its values are looked at by the operation that takes them
_PLAIN = re.compile(r"-?\d{1,20}(\.\d{1,20})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_REFUSED = r"\\\x00-\x1f\x7f-\x9f\u2028\u2029"  # a backslash, control characters, line breaks
_NAME = rf"^[^\s{_REFUSED}]([^{_REFUSED}]*[^\s{_REFUSED}])?$"
_MINUTE, _ZONE = r"\d{4}-\d\d-\d\dT\d\d:\d\d", r"(Z|[+-]\d\d:\d\d)"
_WITH_ZONE = re.compile(rf"{_MINUTE}(:\d\d(\.\d{{1,6}})?)?{_ZONE}", re.ASCII)
_TO_THE_NANOSECOND = re.compile(rf"{_MINUTE}(:\d\d(\.(?P<fraction>\d{{1,9}}))?)?{_ZONE}", re.ASCII)


def _exact(sent: str | int | Decimal | None) -> Decimal:
    """Return a number as it was written. Raises: ValueError."""
    if isinstance(sent, str) and not _PLAIN.fullmatch(sent):
        raise ValueError("write a number in plain decimals, such as 2450.05")
    if isinstance(sent, bool) or not isinstance(sent, str | int | Decimal):
        raise ValueError("give a number, as a text or as JSON's own")
    try:
        return Decimal(sent)
    except InvalidOperation:
        raise ValueError("give a number") from None


def _instant(sent: str | int | Decimal | None) -> datetime:
    """Return an instant in ISO form with its zone. Raises: ValueError."""
    if not isinstance(sent, str) or not _WITH_ZONE.fullmatch(sent):
        raise ValueError("write a time with its zone, such as 2026-11-27T09:15:00+05:30 or 2026-11-27T03:45:00Z")
    return datetime.fromisoformat(sent)


def _nanoseconds(sent: str | int | Decimal | None) -> int:
    """Return an instant in ISO form with its zone as ns UTC. Raises: ValueError."""
    written = _TO_THE_NANOSECOND.fullmatch(sent) if isinstance(sent, str) else None
    if written is None:
        raise ValueError("write a time with its zone, such as 2026-11-27T03:45:00.123456789Z")
    whole = datetime.fromisoformat(written.string).replace(microsecond=0)
    return (whole - EPOCH_UTC) // SECOND * 10**9 + int((written["fraction"] or "").ljust(9, "0"))


def _day(sent: str | None) -> date:
    """Return a day in ISO form. Raises: ValueError."""
    if not isinstance(sent, str) or not _DAY.fullmatch(sent):
        raise ValueError("write a day such as 2026-11-27")
    return date.fromisoformat(sent)


def _name_schema(length: int) -> WithJsonSchema:
    """Return what a schema can say of a name: it counts characters, where the desk counts bytes of UTF-8."""
    return WithJsonSchema({"type": "string", "minLength": 1, "maxLength": length, "pattern": _NAME})


def _time_schema(pattern: re.Pattern[str]) -> WithJsonSchema:
    text = re.sub(r"\?P<\w+>", "", pattern.pattern)
    return WithJsonSchema({"type": "string", "format": "date-time", "pattern": rf"^{text}$"})


_NUMBER_SCHEMA = {"anyOf": [{"type": "string", "pattern": rf"^{_PLAIN.pattern}$"}, {"type": "number"}]}


Exact = Annotated[Decimal, BeforeValidator(_exact), WithJsonSchema(_NUMBER_SCHEMA)]
Moment = Annotated[datetime, BeforeValidator(_instant), _time_schema(_WITH_ZONE)]
Nanosecond = Annotated[int, BeforeValidator(_nanoseconds), _time_schema(_TO_THE_NANOSECOND)]
AnsweredTime = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
DayText = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Name = Annotated[str, AfterValidator(partial(parse_name, field="it")), _name_schema(NAME_BYTES_MAX)]
Id = Annotated[str, AfterValidator(partial(parse_name, field="it", max_bytes=ID_BYTES_MAX)), _name_schema(ID_BYTES_MAX)]
AnsweredNumber = Annotated[Decimal, WithJsonSchema({"type": "string", "pattern": rf"^{_PLAIN.pattern}$"})]


class Sent(Schema):
    """A body or a query; a field that it does not have is refused, so that no misspelt one is passed over."""

    model_config = ConfigDict(extra="forbid")


def answer_shape(kind: type, **nested: tuple[type | GenericAlias, EllipsisType]) -> type[Schema]:
    """Return the schema of a frozen value or of a typed dictionary; ``nested`` are fields that have their own."""
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)] if is_dataclass(kind) else list(hints)
    columns: FieldTypes = {name: nested.get(name, (_as_answered(hints[name]), ...)) for name in names}
    return create_model(kind.__name__, __base__=Schema, **columns)


def many(row: type) -> tuple[type | GenericAlias, EllipsisType]:
    """Return a field that holds rows of a schema."""
    return GenericAlias(list, row), ...


def row_shape(name: str, columns: FieldTypes) -> type[Schema]:
    """Return the schema of a row of a table, by type and default of its columns."""
    return create_model(name, __base__=Schema, **columns)


def list_shape(name: str, field: str, row: type, about: str, others: FieldTypes) -> type[Schema]:
    """Return the schema of an answer that has rows under a name, beside ``others``."""
    columns: FieldTypes = {field: (GenericAlias(list, row), ...), **others}
    return create_model(name, __base__=Schema, __doc__=about, **columns)


def _as_answered(hint: type) -> type:
    """Return the type of a field as it is answered: a decimal is a text there."""
    if hint is Decimal:
        return AnsweredNumber
    if Decimal in (kinds := get_args(hint)):
        return reduce(or_, map(_as_answered, kinds))
    return hint
