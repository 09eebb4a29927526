"""Mapping files: a table's columns, words and styles in TOML, so that a CSV or workbook of any broker can be read.

A mapping says everything that a reader must not guess: which column is what, which words buy and sell, how dates and
numbers are written, in which zone its clocks run. What it leaves out no row is read by; a key that it misspells is
refused.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trading.brokers.cells import DecimalStyle
from trading.brokers.mapping_body import MappingBody
from trading.brokers.values import Head
from trading.errors import InvalidValue

FOLDER = Path(__file__).resolve().parents[1] / "data" / "broker_mappings"
# What a column can be; `at` is a day and a clock together.
FIELDS = frozenset(
    {"day", "clock", "at", "side", "symbol", "isin", "company", "code", "exchange", "quantity", "price", "amount"}
    | {"currency", "multiplier", "fill_id", "order_id", "tag", "product", "client", "charge_currency"}
)
# Groups that a pattern may find in the side's column, where a broker writes a fill as a sentence.
PATTERN_GROUPS = frozenset({"side", "quantity", "price", "currency", "symbol"})
_KEYS = frozenset(
    {"code", "name", "zone", "delimiter", "decimals", "currency", "exchange", "pattern", "is_exact", "also", "columns"}
    | {"quantity_is_signed", "cost_is_negative", "styles", "sides", "marks", "minor_units", "charges", "ignored"}
    | {"products"}
)
_STYLES = frozenset({"day", "clock", "at"})


@dataclass(frozen=True, slots=True)
class Ignored:
    """Rows that are no fills, by what stands in one column: its words, or a pattern for the whole of it."""

    reason: str
    column: str
    words: frozenset[str]
    pattern: re.Pattern[str] | None

    def fits(self, text: str) -> bool:
        """Say whether a cell's text is of such a row."""
        return text in self.words or (self.pattern is not None and self.pattern.fullmatch(text) is not None)


@dataclass(frozen=True, slots=True)
class TableMapping:
    """What a mapping file says; ``zone`` None where the file's clocks run in one that it does not tell.

    ``also`` are columns that are in the file and are not read: it is recognised by them. ``marks`` and
    ``minor_units`` go from a mark to its currency (`€` EUR) and from a hundredth to its whole (`GBX` GBP).
    """

    code: str
    name: str
    columns: Mapping[str, str]
    also: tuple[str, ...]
    styles: Mapping[str, tuple[str, ...]]
    sides: Mapping[str, str]
    ignored: tuple[Ignored, ...]
    charges: Mapping[Head, str]
    marks: Mapping[str, str]
    minor_units: Mapping[str, str]
    products: Mapping[str, str]
    zone: ZoneInfo | None
    delimiter: str | None
    decimals: DecimalStyle
    currency: str | None
    exchange: str | None
    pattern: re.Pattern[str] | None
    is_exact: bool
    quantity_is_signed: bool
    cost_is_negative: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that the file must have, each once."""
        ignored = (rule.column for rule in self.ignored)
        return tuple(dict.fromkeys((*self.columns.values(), *self.charges.values(), *ignored, *self.also)))


def parse_mapping(text: str, name: str) -> TableMapping:
    """Return what a mapping file's text says; ``name`` is the file's, for messages.

    Raises: InvalidValue, which names the key at fault.
    """
    try:
        body = MappingBody(tomllib.loads(text), name)
    except tomllib.TOMLDecodeError as error:
        raise InvalidValue(f"{name} is no TOML: {error}.", field="mapping") from error
    body.check_keys(_KEYS)
    columns = body.texts_by_key("columns", FIELDS)
    mapping = TableMapping(
        code=body.required_text("code"),
        name=body.required_text("name"),
        columns=columns,
        also=tuple(body.texts("also")),
        styles={kind: tuple(styles) for kind, styles in body.lists_by_key("styles", _STYLES).items()},
        sides=_words_to("sides", body, frozenset({"BUY", "SELL"})),
        ignored=tuple(_ignored(rule, columns.get("side", "")) for rule in body.bodies("ignored")),
        charges={Head(head): column for head, column in body.texts_by_key("charges", frozenset(Head)).items()},
        marks=body.texts_by_key("marks"),
        minor_units=body.texts_by_key("minor_units"),
        products=_words_to("products", body, frozenset({"intraday", "delivery"})),
        zone=_zone(body),
        delimiter=body.text("delimiter"),
        decimals=_decimals(body),
        currency=body.text("currency"),
        exchange=body.text("exchange"),
        pattern=_pattern(body, PATTERN_GROUPS),
        is_exact=body.flag("is_exact"),
        quantity_is_signed=body.flag("quantity_is_signed"),
        cost_is_negative=body.flag("cost_is_negative"),
    )
    _check_whole(mapping, body)
    return mapping


@cache
def shipped_mappings() -> tuple[TableMapping, ...]:
    """Return the mappings that come with VELOX, in order of their files' names."""
    return tuple(parse_mapping(path.read_text(encoding="utf-8"), path.name) for path in sorted(FOLDER.glob("*.toml")))


def _words_to(key: str, body: MappingBody, meanings: frozenset[str]) -> dict[str, str]:
    """Return each word's meaning, from a table of meaning to words. Raises: InvalidValue where a word has two."""
    meaning_of: dict[str, str] = {}
    for meaning, words in body.lists_by_key(key, meanings).items():
        for word in words:
            if word in meaning_of:
                raise body.fault(key, f"has {word!r} twice")
            meaning_of[word] = meaning
    return meaning_of


def _ignored(rule: MappingBody, side_column: str) -> Ignored:
    rule.check_keys(frozenset({"reason", "column", "words", "pattern"}))
    words, pattern = frozenset(rule.texts("words")), _pattern(rule, frozenset())
    if not words and pattern is None:
        raise rule.fault("words", "is missing, and so is a pattern")
    column = rule.text("column") or side_column
    if not column:
        raise rule.fault("column", "is missing")
    return Ignored(rule.required_text("reason"), column, words, pattern)


def _pattern(body: MappingBody, groups: frozenset[str]) -> re.Pattern[str] | None:
    text = body.text("pattern")
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise body.fault("pattern", f"is no regular expression: {error}") from error
    if strange := pattern.groupindex.keys() - groups:
        raise body.fault("pattern", f"has the unknown group {min(strange)!r}")
    return pattern


def _zone(body: MappingBody) -> ZoneInfo | None:
    name = body.text("zone")
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise body.fault("zone", f"{name!r} is no time zone; name it as in America/New_York") from error


def _decimals(body: MappingBody) -> DecimalStyle:
    try:
        return DecimalStyle(body.required_text("decimals"))
    except ValueError as error:
        raise body.fault("decimals", "is to be point or comma") from error


def _check_whole(mapping: TableMapping, body: MappingBody) -> None:
    """Refuse a mapping by which no fill could be read, or one in two ways."""
    fields = mapping.columns.keys() | (mapping.pattern.groupindex.keys() if mapping.pattern else set())
    if not fields & {"symbol", "isin", "company", "code"}:
        raise body.fault("columns", "names no instrument: symbol, isin, company or code")
    if ("at" in fields) == ("day" in fields) or ("clock" in fields and "day" not in fields):
        raise body.fault("columns", "needs either at, or day with or without clock")
    if "quantity" not in fields or not fields & {"price", "amount"}:
        raise body.fault("columns", "needs quantity, and price or amount")
    if "side" in fields and not mapping.sides:
        raise body.fault("sides", "is missing: the words that buy and those that sell")
    if "side" not in fields and not mapping.quantity_is_signed:
        raise body.fault("columns", "needs side, or a quantity that is signed")
    if (mapping.currency is None) == ("currency" not in fields):
        raise body.fault("currency", "is to be stated once: for all rows, or by a column")
    for kind in mapping.columns.keys() & _STYLES:
        if not mapping.styles.get(kind):
            raise body.fault("styles", f"has none for {kind}")
    if mapping.pattern is not None and "side" not in mapping.columns:
        raise body.fault("pattern", "needs the column that it reads as columns.side")
    if mapping.delimiter is not None and len(mapping.delimiter) != 1:
        raise body.fault("delimiter", "is to be one letter")
