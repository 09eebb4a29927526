"""Model field of exact money, and the date of an instant for indexes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Combinable
from django.db.models.sql.compiler import SQLCompiler
from django.utils.deconstruct import deconstructible

from timeseries.values import Number
from trading.domain.money import SCALE, from_units, parse_amount, parse_units
from trading.errors import InvalidValue

if TYPE_CHECKING:
    _Base = models.Field[Any, Any]
    _Text = models.TextField[str, str]
else:
    _Base, _Text = models.Field, models.TextField


class PlainDecimalField(forms.DecimalField):
    """A form's field of a decimal, which is written out: 0.00000001, not 1E-8."""

    def prepare_value(self, amount: Decimal | str | None) -> str | None:
        """Return what stands in the field."""
        return f"{amount:f}" if isinstance(amount, Decimal) else amount


class AddressField(_Text):
    """A text with a secret in it: whatever writes rows out for people, as `dumpdata` does, gets a mask."""

    def deconstruct(self) -> tuple[str, str, Sequence[str], dict[str, str]]:
        name, _, arguments, keywords = super().deconstruct()
        return name, "django.db.models.TextField", arguments, keywords  # migrations know the column alone

    def value_to_string(self, obj: models.Model) -> str:
        return "***"


class MoneyField(_Base):
    """An exact Decimal of at most 8 decimals, kept as a 64-bit integer of 10^-8.

    Not a subclass of BigIntegerField on purpose: that one floors the values of look-ups. In SQL only Sum, Min, Max,
    Count and comparison are exact; products, averages and ratios belong in ``trading.domain``.
    """

    description = "Exact money"

    def get_internal_type(self) -> str:
        return "BigIntegerField"

    def db_check(self, connection: BaseDatabaseWrapper) -> str | None:
        if connection.vendor != "sqlite" or self.column is None:
            return None
        column = connection.ops.quote_name(self.column)
        # SQLite keeps 1.5 in an integer column as a float unless told otherwise.
        return f"{column} IS NULL OR typeof({column}) = 'integer'"

    def from_db_value(self, units: int | None, *_: object) -> Decimal | None:
        return None if units is None else from_units(int(units))

    def to_python(self, amount: Number | None) -> Decimal | None:
        if amount is None:
            return None
        try:
            return parse_amount(amount, self.name)
        except InvalidValue as error:
            raise ValidationError(str(error)) from error

    def get_prep_value(self, amount: Number | Combinable | None) -> int | Combinable | None:
        if amount is None or isinstance(amount, Combinable):
            return amount
        return parse_units(amount, self.name)

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.value_from_object(obj))

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        return super().formfield(**{"form_class": PlainDecimalField, **kwargs})


@deconstructible(path="trading.models.fields.DateUTC")
class DateUTC(models.Func):
    """The date in UTC of a column of instants, by what an index may hold: Django's own asks Python on SQLite."""

    output_field = models.DateField()
    template = "((%(expressions)s AT TIME ZONE 'UTC')::date)"

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: str) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="SUBSTR(%(expressions)s, 1, 10)")


@deconstructible(path="trading.models.fields.IsNotWhole")
class IsNotWhole(models.Func):
    """Whether a `MoneyField` has decimals, without a parameter: so an index may be of such rows alone."""

    output_field = models.BooleanField()
    template = f"(%(expressions)s / {SCALE} * {SCALE} <> %(expressions)s)"
