#!/usr/bin/env bash
# The layout mode leaves out all text that stands in a form XObject; the plain mode of the same call has it.
#
# Guess before the run (2026-11-28): both modes of `extract_text` read the same text and differ in how they arrange it; a
# form, which is a page's content under a name (letterheads, stamps, pages merged by print software), is drawn, so it is
# read.
# Seen, pypdf 7.1.1 with reportlab 5.1.0: with an amount drawn in a form beside its label on the page, plain mode gives
# both, layout mode gives the label alone: no exception, no warning (rotated text, which it drops too, is warned of). A
# note whose totals are stamped in this way has none.
# What VELOX does: a note without its net amount or trades is refused, what its lines add up to is put beside what it
# states, and no fill is made of a note.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pypdf==7.1.1 reportlab==5.1.0
"$folder/venv/bin/python" -W ignore - <<'PY'
import io
import logging

from pypdf import PdfReader
from reportlab.pdfgen import canvas

warned = []
handler = logging.Handler()
handler.emit = warned.append
logging.getLogger("pypdf").addHandler(handler)
file = io.BytesIO()
page = canvas.Canvas(file)
page.drawString(50, 700, "Net amount payable")
page.beginForm("totals")
page.drawString(250, 700, "1,234.50")
page.endForm()
page.doForm("totals")
page.save()
read = PdfReader(file).pages[0]
plain, layout = read.extract_text(), read.extract_text(extraction_mode="layout")
print("plain: ", plain.split("\n"))
print("layout:", layout.split("\n"), "warnings:", len(warned))
assert "Net amount payable" in plain and "1,234.50" in plain, "changed: the plain mode"
assert "Net amount payable" in layout, "changed: the page's own text"
assert "1,234.50" not in layout and not warned, "changed: the form is read or warned of"
PY
echo "as stated"
