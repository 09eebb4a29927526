"""A file is read by exactly one format, told by what it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from trading.brokers import format as format_module
from trading.brokers.document import Document
from trading.brokers.formats import by_code, code_of, recognise
from trading.brokers.mapped_file import shipped_formats
from trading.brokers.registry import FORMATS
from trading.brokers.values import Broker, Statement
from trading.errors import InvalidValue, UnknownLayout

HEAD = Document("trades.csv", "0" * 64, "csv")


@dataclass(frozen=True)
class Fake:
    NAME: str
    fits: bool
    BROKER: Broker = Broker.GROWW
    KIND: str = "order_history"

    def matches(self, head: Document) -> bool:
        return self.fits

    def read(self, document: Document) -> Statement:
        raise UnknownLayout(document.name)


def test_the_one_that_fits_is_it_and_mappings_are_asked_last() -> None:
    broker, mapping = Fake("Groww", True), Fake("by a mapping", True)
    assert recognise(HEAD, [mapping], [Fake("other", False), broker]) is broker
    assert recognise(HEAD, [mapping], [Fake("other", False)]) is mapping


def test_none_is_refused_in_a_sentence_that_lists_what_is_readable() -> None:
    with pytest.raises(
        UnknownLayout, match=re.escape("trades.csv is of no layout that can be read. Readable are: Groww; Dhan.")
    ):
        recognise(HEAD, [Fake("Dhan", False)], [Fake("Groww", False)])


def test_two_are_refused_with_both_names() -> None:
    with pytest.raises(UnknownLayout, match=r"fits 2 layouts: Groww, Dhan\. Nothing was read\."):
        recognise(HEAD, [], [Fake("Groww", True), Fake("Dhan", True)])


def test_a_command_names_a_format_by_broker_and_kind() -> None:
    formats = [Fake("Groww", True)]
    assert code_of(formats[0]) == "groww-order-history"
    assert by_code("groww-order-history", [], formats) is formats[0]
    with pytest.raises(InvalidValue, match=r"There is no format 'groww'\. One of: groww-order-history\."):
        by_code("groww", [], formats)


def test_every_registered_format_has_a_code_and_a_name_of_its_own() -> None:
    every = (*FORMATS, *shipped_formats())
    assert len({code_of(each) for each in every}) == len({each.NAME for each in every}) == len(every)
    assert hasattr(format_module, "Format")


def test_an_empty_file_of_every_container_fits_none() -> None:
    for container in ("csv", "xlsx", "xls", "pdf", "json", "xml"):
        head = Document("empty", "0" * 64, container)
        assert [each.NAME for each in (*FORMATS, *shipped_formats()) if each.matches(head)] == []
