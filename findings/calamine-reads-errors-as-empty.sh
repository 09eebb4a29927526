#!/usr/bin/env bash
# A cell with #N/A or #DIV/0! comes as empty text, as if nobody had written anything there.
#
# Guess before the run (2026-11-28): a cell whose value is an error is something else than an empty cell: an object, its
# text "#N/A" (as openpyxl gives it), or an exception; the Rust library beneath has a kind of its own for it.
# Seen, python-calamine 0.9.1 with openpyxl 3.1.5: `to_python` and `iter_rows` give '' for every error, in XLSX and XLS,
# and '' for a cell that is empty. A P&L whose last column holds a broken formula sums to less than it says, and a check
# "no charge stated" passes. Nothing is raised, and the sheet has no other way to ask.
# What VELOX does: its own XLSX reader keeps the error's text, which no number is read from; an XLS with an error in a
# cell is refused before calamine sees it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check python-calamine==0.9.1 openpyxl==3.1.5 xlwt==1.3.0
"$folder/venv/bin/python" -W ignore - <<'PY'
import io

import openpyxl
import xlwt
from python_calamine import CalamineWorkbook

ERRORS = ("#DIV/0!", "#REF!", "#VALUE!", "#NUM!")
new, old = openpyxl.Workbook(), xlwt.Workbook()
sheet = old.add_sheet("P&L")
for number, error in enumerate(ERRORS):
    new.active.append(["profit", error, None, "paid"])
    sheet.write(number, 0, "profit")
    sheet.row(number).set_cell_error(1, error)
    sheet.write(number, 3, "paid")
files = {"XLSX": io.BytesIO(), "XLS": io.BytesIO()}
new.save(files["XLSX"])
old.save(files["XLS"])
theirs = [row[1] for row in openpyxl.load_workbook(files["XLSX"]).active.iter_rows(values_only=True)]
print("openpyxl, XLSX:", theirs)
assert theirs == list(ERRORS), "changed: openpyxl gives something else"
for kind, file in files.items():
    rows = CalamineWorkbook.from_filelike(io.BytesIO(file.getvalue())).get_sheet_by_index(0).to_python()
    print(f"calamine, {kind}:", rows[0], "...")
    assert all(row == ["profit", "", "", "paid"] for row in rows), "changed: an error is told from an empty cell"
PY
echo "as stated"
