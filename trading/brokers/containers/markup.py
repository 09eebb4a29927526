"""XML and JSON: trees that may neither define entities nor grow without bound."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from trading.brokers.containers.limits import HEAD_ELEMENTS, HEAD_ROWS, Allowance, refused
from trading.domain.chain import JSON
from trading.errors import UnreadableFile

_DEPTH_MAX = 60
# What a tree takes, as measured: an element, its attributes at all, each of them.
_ELEMENT_BYTES = 200
_ATTRIBUTES_BYTES = 450
_ATTRIBUTE_BYTES = 60
# What JSON takes: an object, and a value, of which each comma, bracket and colon announces another.
_OBJECT_BYTES = 330
_VALUE_BYTES = 72
_CHUNK = 1 << 14
_TOKEN_BYTES_MAX = 1 << 20
_CUT = "It may be cut off: download it anew."


class PartTarget(Protocol):
    """What a parser tells a document to, piece by piece; ``starts`` counts the elements that it began."""

    starts: int

    def start(self, tag: str, attrs: dict[str, str], /) -> Element | None:
        """Take an element's start."""

    def end(self, tag: str, /) -> Element | None:
        """Take an element's end."""

    def data(self, letters: str, /) -> None:
        """Take a text."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse a document type at its first word, before it defines an entity."""


class GuardedParser:
    """A parser of pieces that refuses a single token without end, which it would have to keep until it is whole."""

    def __init__(self, target: PartTarget, name: str) -> None:
        self._target = target
        self._name = name
        self._parser = XMLParser(target=target)  # noqa: S314 - every target refuses a document type
        self._starts = 0
        self._idle_bytes = 0

    def feed(self, chunk: bytes) -> None:
        """Parse a piece. Raises: ParseError, UnreadableFile."""
        self._parser.feed(chunk)
        self._idle_bytes = self._idle_bytes + len(chunk) if self._target.starts == self._starts else 0
        self._starts = self._target.starts
        if self._idle_bytes > _TOKEN_BYTES_MAX:
            raise refused(self._name, "holds XML in which nothing begins for a megabyte")

    def close(self) -> Element:
        """Return what the target built. Raises: ParseError where the document is cut off."""
        root: Element | None = self._parser.close()
        return Element("none") if root is None else root


class GuardedBuilder(TreeBuilder):
    """Builds a tree of elements; refuses a DTD at its first word, before an entity is defined, and bounds the rest."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__()
        self._allowance = allowance
        self._depth = 0
        self.starts = 0
        self.root: Element | None = None

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse a DTD. Raises: UnreadableFile."""
        raise refused(self._allowance.name, "defines a document type, which no broker's file needs")

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        """Open an element, its attributes' equal texts kept once."""
        self.starts += 1
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise refused(self._allowance.name, f"is nested deeper than {_DEPTH_MAX} levels")
        self._allowance.take(_ELEMENT_BYTES + (_ATTRIBUTES_BYTES + _ATTRIBUTE_BYTES * len(attrs) if attrs else 0))
        element = super().start(tag, {name: self._allowance.text(text) for name, text in attrs.items()})
        self.root = element if self.root is None else self.root
        return element

    def end(self, tag: str, /) -> Element:
        """Close an element."""
        self._depth -= 1
        return super().end(tag)

    def data(self, letters: str, /) -> None:
        """Add an element's text."""
        self._allowance.take(len(letters) * 2)
        super().data(letters)


def read_xml(content: bytes, allowance: Allowance, *, is_head: bool) -> Element:
    """Return the root of an XML file, with its first elements alone where ``is_head``.

    Raises: UnreadableFile, also for a web page.
    """
    if b"<html" in content[:2048].lower() or b"<table" in content[:2048].lower():
        raise refused(allowance.name, "is a web page", "Open it in a spreadsheet program and save it as CSV or XLSX.")
    chunks = (content[start : start + _CHUNK] for start in range(0, len(content), _CHUNK))
    try:
        builder = GuardedBuilder(allowance)
        root = feed(builder, allowance.name, chunks, lambda: is_head and builder.starts >= HEAD_ELEMENTS)
        return builder.root if is_head and builder.root is not None else root
    except UnreadableFile:
        raise
    except (ParseError, LookupError, ValueError) as error:
        raise refused(allowance.name, f"cannot be read as XML ({error})", _CUT) from error


def feed(
    target: PartTarget, name: str, chunks: Iterator[bytes], is_enough: Callable[[], bool] | None = None
) -> Element:
    """Parse pieces into a target until they end or it is enough; return what it builds, else an empty element."""
    parser = GuardedParser(target, name)
    for chunk in chunks:
        parser.feed(chunk)
        if is_enough is not None and is_enough():
            return Element("enough")
    return parser.close()


def read_json(content: bytes, encoding: str, allowance: Allowance, *, is_head: bool) -> JSON:
    """Return the value of a JSON file; where ``is_head``, of its lists the first objects alone.

    Raises: UnreadableFile, also where a key stands twice in one object of a whole file.
    """
    # What a parser makes of it is estimated first: "[],[]," takes twenty times its length.
    values = content.count(b",") + content.count(b"[") + content.count(b":")
    allowance.take(2 * len(content) + _VALUE_BYTES * values + _OBJECT_BYTES * content.count(b"{"))

    def without_repeats(pairs: Sequence[tuple[str, JSON]]) -> dict[str, JSON]:
        body = dict(pairs)
        if len(body) != len(pairs):
            raise refused(allowance.name, "has a key twice in one object")
        return body

    def no_constant(word: str) -> None:
        raise refused(allowance.name, f"has {word} for a number")

    try:
        document: JSON = json.loads(
            content.decode(encoding), object_pairs_hook=None if is_head else without_repeats, parse_constant=no_constant
        )
    except UnreadableFile:
        raise
    except (ValueError, RecursionError) as error:
        raise refused(allowance.name, f"cannot be read as JSON ({str(error)[:120]})", _CUT) from error
    return _head_of(document) if is_head else document


def _head_of(document: JSON) -> JSON:
    """Return an answer whose list, or whose fields' lists, end after the first objects."""
    if isinstance(document, list):
        return document[:HEAD_ROWS]
    if isinstance(document, dict):
        return {key: each[:HEAD_ROWS] if isinstance(each, list) else each for key, each in document.items()}
    return document
