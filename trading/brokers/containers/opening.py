"""Open a broker's file, whatever container it came in: CSV, XLSX, XLS, PDF, JSON or XML, told apart by what it holds.

A file is hostile until it is read: sizes are summed before anything is unpacked, XML with a DTD is refused, and what
is kept of a file is bounded, so that opening one takes at most some 150 MB of memory.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from trading.brokers.containers.limits import FILE_BYTES_MAX, HEAD_ROWS, Allowance, refused
from trading.brokers.containers.markup import read_json, read_xml
from trading.brokers.containers.pdf import read_pdf
from trading.brokers.containers.separated import decoding_of, read_separated
from trading.brokers.containers.xls import read_xls
from trading.brokers.containers.xlsx import read_xlsx
from trading.brokers.document import Document, Sheet

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PDF_START_MAX = 1024  # bytes before a PDF's mark that readers allow


def open_head(content: bytes, name: str, *, password: str | None = None) -> Document:
    """Return a file's head: the first rows of its sheets, its first page, the first elements
    of XML, or the first objects of JSON.

    Raises: UnreadableFile, FileLocked.
    """
    return _open(content, name, HEAD_ROWS, password)


def open_document(content: bytes, name: str, *, password: str | None = None) -> Document:
    """Return a whole file. ``password`` is for a locked PDF alone, and is kept nowhere.

    Raises: UnreadableFile, FileLocked.
    """
    return _open(content, name, None, password)


def _open(content: bytes, name: str, rows_max: int | None, password: str | None) -> Document:
    if not content.strip(b" \t\r\n"):
        raise refused(name, "is empty")
    if len(content) > FILE_BYTES_MAX:
        raise refused(name, f"is larger than {FILE_BYTES_MAX >> 20} MB", "Ask the broker for shorter periods.")
    allowance = Allowance(name)
    document = Document(name, hashlib.sha256(content).hexdigest(), "csv")
    if content.startswith(b"PK"):
        return _of_sheets(document, "xlsx", read_xlsx(content, allowance, rows_max))
    if content.startswith(_OLE):
        return _of_sheets(document, "xls", read_xls(content, allowance, rows_max))
    if b"%PDF-" in content[:_PDF_START_MAX]:
        return replace(
            document, container="pdf", lines=read_pdf(content, allowance, password, is_head=rows_max is not None)
        )
    encoding = decoding_of(content, name)
    start = content[:512].decode(encoding, errors="ignore").lstrip("\ufeff \t\r\n")
    if start.startswith("<"):
        return replace(document, container="xml", tree=read_xml(content, allowance, is_head=rows_max is not None))
    if start.startswith(("{", "[")):
        return replace(
            document, container="json", value=read_json(content, encoding, allowance, is_head=rows_max is not None)
        )
    delimiter, sheet = read_separated(content, encoding, allowance, rows_max)
    return replace(document, sheets=(sheet,), delimiter=delimiter)


def _of_sheets(document: Document, container: str, sheets: tuple[Sheet, ...]) -> Document:
    return replace(document, container=container, sheets=sheets, sheet_names=tuple(sheet.name for sheet in sheets))
