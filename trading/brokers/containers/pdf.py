"""The text of PDFs, line by line as it is seen on the page: cells of a row on one line, a blank between any two words.

How far apart two words stand on paper is the printer's choice; a reader tells cells apart by what they hold.
"""

from __future__ import annotations

import io

from pypdf import Configuration, PasswordType, PdfReader, apply_configuration

from trading.brokers.containers.limits import Allowance, refused
from trading.errors import FileLocked, UnreadableFile

_FILE_BYTES_MAX = 8 << 20
_PAGES_MAX = 300
_STREAM_BYTES_MAX = 8 << 20
# What the library may spend on a page; a dense page of a contract note has some 20,000 operands.
_LIMITS = Configuration(
    maximum_declared_stream_length=_FILE_BYTES_MAX,
    array_based_stream_maximum_output_length=_STREAM_BYTES_MAX,
    lzw_maximum_output_length=_STREAM_BYTES_MAX,
    run_length_maximum_output_length=_STREAM_BYTES_MAX,
    zlib_maximum_output_length=_STREAM_BYTES_MAX,
    zlib_maximum_recovery_input_length=1 << 20,
    stream_decoding_work_maximum_length=4 * _STREAM_BYTES_MAX,
    stream_parsing_work_maximum_count=400_000,
    page_tree_maximum_entries=10 * _PAGES_MAX,
    page_tree_maximum_page_entries=100 * _PAGES_MAX,
    xform_maximum_invocations_per_extraction=200,
    disable_legacy_handling=True,
)
# The library sets a line on a grid: the width of the average letter, divided by this. On its own (1.25), cells in
# small print run together under a large heading; on this one a gap of a point is a blank, of which one stays.
_GRID_FINENESS = 12.5
_LOCKED_HINT = "Give its password: brokers lock notes with the client's PAN in capitals, or with the date of birth."


def read_pdf(content: bytes, allowance: Allowance, password: str | None, *, is_head: bool) -> tuple[str, ...]:
    """Return the lines that are not blank, page after page, of the first page alone where ``is_head``.

    Raises: FileLocked without the right password, which is in no message; UnreadableFile.
    """
    if len(content) > _FILE_BYTES_MAX:
        raise refused(allowance.name, f"is a PDF of more than {_FILE_BYTES_MAX >> 20} MB")
    try:
        with apply_configuration(_LIMITS):
            reader = PdfReader(io.BytesIO(content))
            if reader.is_encrypted and reader.decrypt(password or "") is PasswordType.NOT_DECRYPTED:
                fault = "another password opens it" if password else "it is locked with a password"
                raise FileLocked(f"{allowance.name} cannot be opened: {fault}.", field="password", hint=_LOCKED_HINT)
            lines = _lines(reader, allowance, 1 if is_head else _PAGES_MAX)
    except UnreadableFile:
        raise
    except Exception:  # a damaged PDF raises whatever its objects lead to; its frames held the password
        raise refused(allowance.name, "is a damaged PDF, or takes too much to read", "Download it anew.") from None
    if not lines:
        raise refused(allowance.name, "holds no text; it may be a picture of a page", "Give the broker's own file.")
    return lines


def _lines(reader: PdfReader, allowance: Allowance, pages_max: int) -> tuple[str, ...]:
    if len(reader.pages) > _PAGES_MAX:
        raise refused(allowance.name, f"has more than {_PAGES_MAX} pages")
    lines: list[str] = []
    for number in range(min(pages_max, len(reader.pages))):
        page = reader.pages[number]
        text = page.extract_text(
            extraction_mode="layout", layout_mode_space_vertically=False, layout_mode_scale_weight=_GRID_FINENESS
        )
        lines.extend(allowance.text(" ".join(line.split())) for line in text.splitlines() if line.strip())
    return tuple(lines)
