"""Whatever stands in a file of a known layout, its reader gives a statement that makes sense, or an error of ours."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum

import pytest

from tests.trading.brokers.mutations import mutated
from tests.trading.brokers.test_recognition import EACH, head_of
from trading.brokers.document import Document
from trading.brokers.formats import code_of, recognise
from trading.brokers.registry import FORMATS
from trading.brokers.values import Statement
from trading.errors import VeloxError

FILES_OF_EACH = 60


@pytest.mark.parametrize(("code", "make"), EACH)
def test_a_spoilt_file_raises_nothing_but_errors_of_ours(code: str, make: Callable[[], Document]) -> None:
    reader = next(each for each in FORMATS if code_of(each) == code)
    source = random.Random(code)
    whole = make()
    for _ in range(FILES_OF_EACH):
        document = mutated(whole, source)
        with suppress(VeloxError):
            recognise(head_of(document))
        try:
            statement = reader.read(document)
        except VeloxError as error:
            assert str(error)
            continue
        check(statement)


def check(statement: Statement) -> None:
    """Assert what holds of every statement, whatever its file."""
    assert statement.rows_read >= 0
    for fill in statement.fills:
        assert fill.side in ("BUY", "SELL")
        assert fill.quantity > 0
        assert fill.price.is_finite()
        assert fill.at is None or bool(statement.zone) == (fill.at.tzinfo is not None)
        names = fill.instrument
        assert names.symbol or names.isin or names.company or names.code
    assert all(number.is_finite() for number in numbers(statement))
    assert all(remark.reason for remark in (*statement.ignored, *statement.rejected))


def numbers(content: object) -> list[Decimal]:
    """Return every exact number inside."""
    if isinstance(content, Decimal):
        return [content]
    if is_dataclass(content) and not isinstance(content, Enum):
        return [number for each in fields(content) for number in numbers(getattr(content, each.name))]
    if isinstance(content, dict):
        return [number for each in content.values() for number in numbers(each)]
    if isinstance(content, list | tuple):
        return [number for each in content for number in numbers(each)]
    return []
