"""Answers of brokers' APIs: JSON objects in a list, read as the rows of a table are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from trading.brokers.cells import PlacedCell, UnreadableCell
from trading.brokers.document import CellValue, Document
from trading.brokers.tables import UnknownColumns
from trading.brokers.values import Place
from trading.domain.chain import JSON
from trading.errors import UnreadableFile

_WHOLE_MAX = 10**15
_NO_VALUE = ("NA", "")


@dataclass(frozen=True, slots=True)
class ObjectLine:
    """One object of a list, placed by its number from 1. ``line["price"]`` is its field; a field that is absent, null
    or "NA" is empty."""

    place: Place
    fields: Mapping[str, JSON]

    def __getitem__(self, name: str) -> PlacedCell:
        return PlacedCell(_plain(self.fields.get(name), name, self.place), name, self.place)

    def get(self, name: str) -> PlacedCell:
        """Return a field; empty where it is absent."""
        return self[name]

    def inside(self, name: str) -> ObjectLine:
        """Return the object in a field; one without fields where it is absent."""
        inner = self.fields.get(name)
        return ObjectLine(self.place, inner if isinstance(inner, Mapping) else {})


def _plain(content: JSON, name: str, place: Place) -> CellValue:
    if isinstance(content, Mapping) or (isinstance(content, Sequence) and not isinstance(content, str)):
        raise UnreadableCell(f"{name!r} is a list or an object.", place=place, column=name)
    if isinstance(content, str):
        return None if content.strip() in _NO_VALUE else content
    if isinstance(content, int) and not isinstance(content, bool) and abs(content) >= _WHOLE_MAX:
        return str(content)  # whole in JSON, where a spreadsheet would have cut it
    return content


def objects_of(document: Document) -> Sequence[Mapping[str, JSON]] | None:
    """Return the objects of an answer: of `{"status": "success", "data": [..]}`, of a list, or a single one; None
    where it has none."""
    content = document.value
    if isinstance(content, Mapping):
        content = content.get("data", content)
    if isinstance(content, Mapping):
        return [content]
    if not isinstance(content, Sequence) or isinstance(content, str):
        return None
    objects = [each for each in content if isinstance(each, Mapping)]
    return objects if len(objects) == len(content) else None


def has_fields(document: Document, required: Collection[str], without: Collection[str] = ()) -> bool:
    """Say whether an answer's first object has all these fields and none of the others; for `matches`."""
    objects = objects_of(document) if document.container == "json" else None
    if not objects:
        return False
    return set(required) <= set(objects[0]) and not set(without) & set(objects[0])


def object_lines(document: Document, required: Collection[str], optional: Collection[str] = ()) -> list[ObjectLine]:
    """Return an answer's objects as lines. ``optional`` are fields that the layout has as well.

    Raises: UnreadableFile for an answer that says an error, UnknownLayout where an object lacks a required field.
    """
    content = document.value
    if isinstance(content, Mapping) and str(content.get("status", "success")).lower() in ("error", "failure", "failed"):
        raise UnreadableFile(f"{document.name} is an error that the API answered.", hint="Ask the API anew.")
    lines = []
    for index, fields in enumerate(objects_of(document) or (), 1):
        missing = [name for name in required if name not in fields]
        if missing:
            fresh = [name for name in fields if name not in required and name not in optional]
            raise UnknownColumns.of(f"{document.name}, object {index}", "fields", fresh, missing, len(required))
        lines.append(ObjectLine(Place(document.name, "", index), fields))
    return lines
