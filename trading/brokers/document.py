"""A broker's file opened: its rows, lines or tree, whatever container it came in (CSV, XLSX, XLS, PDF text, JSON, XML).

The file's name serves for messages alone: what a file is, is told by what it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from xml.etree.ElementTree import Element

from trading.domain.chain import JSON

# Of a CSV or PDF every cell is a text; of a sheet it has the type that the sheet gives it.
CellValue = str | int | float | bool | date | datetime | time | None
CellRow = Sequence[CellValue]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of cells: rows from the sheet's first one on, trailing empty rows left out; ``name`` "" of a CSV.

    ``is_unended``: a CSV's last line has no line break, as where a download broke off; some brokers never write it.
    """

    name: str
    rows: Sequence[CellRow]
    is_unended: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A file's content. ``container`` is csv, xlsx, xls, pdf, json or xml, and one of the others is filled by it.

    Opened for recognition (`open_head`) it has the first rows of the sheets, the first page, the first elements or
    the first objects alone.
    """

    name: str
    sha256: str
    container: str
    sheets: tuple[Sheet, ...] = ()
    lines: tuple[str, ...] = ()  # of a PDF, page after page
    tree: Element | None = None
    value: JSON = None
    sheet_names: tuple[str, ...] = field(default=())
    delimiter: str = ""  # of a CSV
