"""PDFs of plain text for tests: letters at places, one font, no compression."""

from __future__ import annotations

from collections.abc import Sequence

# A text on a page: points from the left, points from the top, the letters.
Placed = tuple[float, float, str]
PAGE_WIDTH, PAGE_HEIGHT = 842, 595
FONT_SIZE = 8
HEADING_SIZE = 32


def pdf_of_lines(*pages: Sequence[str], top: float = 40, leading: float = 12) -> bytes:
    """Return a PDF with one text per line; columns are made by blanks in a font of equal widths."""
    return pdf_of_texts(*([(30, top + leading * n, line) for n, line in enumerate(lines)] for lines in pages))


def pdf_of_texts(*pages: Sequence[Placed], heading: str = "") -> bytes:
    """Return a PDF whose pages have texts at places, as cells stand in a contract note, under a large heading."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
    ]
    for n, texts in enumerate(pages):
        content = b"\n".join(
            b"BT /F1 %d Tf 1 0 0 1 %.2f %.2f Tm (%s) Tj ET" % (size, x, PAGE_HEIGHT - y, _escaped(text))
            for size, x, y, text in [(HEADING_SIZE, 20, 30, heading), *((FONT_SIZE, *each) for each in texts)]
            if text
        )
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {PAGE_WIDTH} {PAGE_HEIGHT}] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * n} 0 R >>".encode()
        )
        bodies.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    return _file(bodies)


def _escaped(text: str) -> bytes:
    letters = text.encode("cp1252")
    return letters.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _file(bodies: Sequence[bytes]) -> bytes:
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, start)
    return bytes(out)
