#!/usr/bin/env bash
# A large heading makes the cells of a small table run together, and two numbers become one.
#
# Guess before the run (2026-11-28): the layout mode, "fidelity to source PDF text layout", puts at least one blank
# between two texts drawn apart on a line; how large the page's other letters are changes how many blanks, not whether
# there is one.
# Seen, pypdf 7.1.1 with reportlab 5.1.0: every text is put on a grid as wide as the page's average letter. Cells of 6 pt
# that stand 5 pt apart (three blanks of their font) are apart on a page of their own; under a title of 16 pt the same row
# reads 09:15:03251958.0548951.25, time, quantity, price and value in one. Nothing is raised.
# What VELOX does: it asks for a grid ten times as fine (layout_mode_scale_weight), where a gap of a point is a blank, and
# takes no more than one blank between two words.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pypdf==7.1.1 reportlab==5.1.0
"$folder/venv/bin/python" -W ignore - <<'PY'
import io

from pypdf import PdfReader
from reportlab.pdfgen import canvas

CELLS = ("09:15:03", "25", "1958.05", "48951.25")
SIZE, GAP = 6, 5


def row(title_size, **options):
    file = io.BytesIO()
    page = canvas.Canvas(file)
    if title_size:
        page.setFont("Helvetica", title_size)
        page.drawString(50, 760, "Contract note of the day for all segments")
    page.setFont("Helvetica", SIZE)
    left = 50
    for cell in CELLS:
        page.drawString(left, 700, cell)
        left += page.stringWidth(cell, "Helvetica", SIZE) + GAP
    page.save()
    text = PdfReader(file).pages[0].extract_text(extraction_mode="layout", **options)
    return text.splitlines()[-1]


alone, titled, fine = row(0), row(16), row(16, layout_mode_scale_weight=12.5)
print("alone:        ", alone)
print("under a title:", titled)
print("a finer grid: ", " ".join(fine.split()))
assert alone.split() == list(CELLS), "changed: the table alone"
assert titled == "".join(CELLS), "changed: a title no longer joins the cells"
assert fine.split() == list(CELLS), "changed: a finer grid"
PY
echo "as stated"
