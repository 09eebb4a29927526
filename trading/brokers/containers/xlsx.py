"""Workbooks of the XLSX kind, read row by row, so that no size which a file claims is ever reserved or trusted.

A library would unpack and hold a sheet as a whole, up to the dimension that it states, and tells no formula without a
value from an empty cell; this reads the first rows of a large file as quickly as those of a small one.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from trading.brokers.containers.limits import UNPACKED_BYTES_MAX, Allowance, refused
from trading.brokers.containers.markup import GuardedBuilder, feed
from trading.brokers.containers.sheet_cells import date_styles
from trading.brokers.containers.sheet_parts import SharedTexts, SheetRows
from trading.brokers.document import CellRow, Sheet
from trading.errors import UnreadableFile

_ENTRIES_MAX = 1_000
_SHEETS_MAX = 100
_SMALL_PART_BYTES_MAX = 8 << 20  # of the list of sheets, and of the styles
_CHUNK = 1 << 16
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_ENCRYPTED_FLAG = 0x1


@dataclass(frozen=True, slots=True)
class WorkbookParts:
    """Where a workbook's parts lie in its archive: sheets by name in their order, texts, styles."""

    sheets: Mapping[str, str]
    texts: str | None
    styles: str | None


def read_xlsx(content: bytes, allowance: Allowance, rows_max: int | None) -> tuple[Sheet, ...]:
    """Return a workbook's sheets in their order, of each the first rows; hidden ones too.

    Raises: UnreadableFile for what is no workbook, is damaged, claims more than may be unpacked, or has a formula
    without a value.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_directory(archive, allowance)
            parts = _parts(archive, allowance)
            dates = date_styles(_tree(archive, parts.styles, allowance)) if parts.styles else frozenset()
            texts = SharedTexts(_chunks(archive, parts.texts) if parts.texts else iter(()), allowance)
            return tuple(
                Sheet(name, _rows(archive, path, name, texts, dates, allowance, rows_max))
                for name, path in parts.sheets.items()
            )
    except UnreadableFile:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise refused(allowance.name, "is a damaged or locked workbook", "Download it anew.") from error
    except (ParseError, KeyError, ValueError, LookupError) as error:
        raise refused(allowance.name, "is no workbook that can be read", "Save it anew as XLSX or CSV.") from error


def _check_directory(archive: zipfile.ZipFile, allowance: Allowance) -> None:
    """Refuse what the archive's directory already shows; its sizes bind, since no part is unpacked beyond its own."""
    entries = archive.infolist()
    if len(entries) > _ENTRIES_MAX or sum(entry.file_size for entry in entries) > UNPACKED_BYTES_MAX:
        raise refused(allowance.name, f"unpacks to more than {UNPACKED_BYTES_MAX >> 20} MB", "Save it anew as CSV.")
    if any(entry.flag_bits & _ENCRYPTED_FLAG for entry in entries):
        raise refused(allowance.name, "is a locked archive", "Save it without a password.")
    if len({entry.filename for entry in entries}) != len(entries):
        raise refused(allowance.name, "has two parts of one name")


def _parts(archive: zipfile.ZipFile, allowance: Allowance) -> WorkbookParts:
    """Return where the workbook's parts lie, as its relations tell."""
    roots = _relations(archive, "_rels/.rels", "", allowance)
    book = next((target for kind, target in roots.values() if kind == "officeDocument"), None)
    if book is None:
        raise refused(allowance.name, "is an archive, but no workbook", "Unpack it and give the files in it.")
    folder, file = posixpath.split(book)
    relations = _relations(archive, f"{folder}/_rels/{file}.rels".lstrip("/"), folder, allowance)
    tree = _tree(archive, book, allowance)
    for properties in tree.iterfind("{*}workbookPr"):
        if properties.get("date1904", "0").lower() in ("1", "true", "on"):
            raise refused(allowance.name, "counts its dates from 1904", "Save it anew as CSV.")
    sheets: dict[str, str] = {}
    for sheet in tree.iterfind("{*}sheets/{*}sheet"):
        kind, target = relations.get(sheet.get(_RELATION) or sheet.get(_STRICT_RELATION) or "", ("", ""))
        if kind == "worksheet":  # and no sheet of charts
            sheets[sheet.get("name", "")] = target
    if not sheets or len(sheets) > _SHEETS_MAX:
        raise refused(allowance.name, f"has {len(sheets)} sheets")
    by_kind = dict(relations.values())
    return WorkbookParts(sheets, by_kind.get("sharedStrings"), by_kind.get("styles"))


def _relations(archive: zipfile.ZipFile, path: str, folder: str, allowance: Allowance) -> dict[str, tuple[str, str]]:
    """Return id to kind and path of what a part relates to inside the archive."""
    relations = {}
    for relation in _tree(archive, path, allowance):
        if relation.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")
            relations[relation.get("Id", "")] = (relation.get("Type", "").rpartition("/")[2], target)
    return relations


def _tree(archive: zipfile.ZipFile, path: str, allowance: Allowance) -> Element:
    """Return a small part as a tree, whose memory is given back."""
    if _entry(archive, path).file_size > _SMALL_PART_BYTES_MAX:
        raise refused(allowance.name, f"has a part {path[:60]} of more than {_SMALL_PART_BYTES_MAX >> 20} MB")
    return feed(GuardedBuilder(Allowance(allowance.name)), allowance.name, _chunks(archive, path))


def _entry(archive: zipfile.ZipFile, path: str) -> zipfile.ZipInfo:
    """Return a part by its path, whose case and slashes some programs write otherwise. Raises: KeyError."""
    by_path = {entry.filename.replace("\\", "/").casefold(): entry for entry in archive.infolist()}
    return by_path[path.casefold()]


def _chunks(archive: zipfile.ZipFile, path: str) -> Iterator[bytes]:
    with archive.open(_entry(archive, path)) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _rows(
    archive: zipfile.ZipFile,
    path: str,
    name: str,
    texts: SharedTexts,
    dates: frozenset[int],
    allowance: Allowance,
    rows_max: int | None,
) -> list[CellRow]:
    """Return a sheet's rows from the first on, none of them beyond ``rows_max``."""
    target = SheetRows(name, texts, dates, allowance, rows_max)
    feed(target, allowance.name, _chunks(archive, path), target.is_full)
    while target.rows and not target.rows[-1]:
        target.rows.pop()
    return target.rows
