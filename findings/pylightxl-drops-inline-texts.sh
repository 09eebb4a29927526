#!/usr/bin/env bash
# Symbols and sides of a workbook are empty texts, while its quantities and prices are there.
#
# Guess before the run (2026-11-28), made of numbers and times: every cell of an XLSX comes as what it holds. That its
# texts come was not even doubted: ECMA-376 lets a text stand in the cell itself (t="inlineStr") or in the shared table,
# and readers know both.
# Seen, pylightxl 1.61 with openpyxl 3.1.5: each text in its cell is '', each number beside it is right; the same rows
# with a shared table (written by XlsxWriter 3.3.1) are whole. openpyxl and writers that stream write texts in the cell. A
# table of fills without symbol and side then has all its sums, and grouping by symbol puts them under one name. Nothing
# is raised.
# What VELOX does: its own XLSX reader knows both kinds, and a file without the columns of a layout is refused.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pylightxl==1.61 openpyxl==3.1.5 XlsxWriter==3.3.1
"$folder/venv/bin/python" -W ignore - <<'PY'
import pathlib
import tempfile

import openpyxl
import pylightxl
import xlsxwriter

FILLS = [["symbol", "side", "price"], ["RELIANCE", "BUY", 1958.05]]


def read(path):
    book = pylightxl.readxl(path)
    return list(book.ws(book.ws_names[0]).rows)


with tempfile.TemporaryDirectory() as folder:
    in_cells, shared = pathlib.Path(folder, "in_cells.xlsx"), pathlib.Path(folder, "shared.xlsx")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in FILLS:
        sheet.append(row)
    book.save(in_cells)
    with xlsxwriter.Workbook(shared) as other:
        page = other.add_worksheet()
        for number, row in enumerate(FILLS):
            page.write_row(number, 0, row)
    theirs = [list(row) for row in openpyxl.load_workbook(in_cells).active.iter_rows(values_only=True)]
    seen = {path.stem: read(path) for path in (in_cells, shared)}
print("texts in their cells, by openpyxl: ", theirs)
print("texts in their cells, by pylightxl:", seen["in_cells"])
print("texts in a shared table:           ", seen["shared"])
assert theirs == seen["shared"] == FILLS, "changed: the other two readings"
assert seen["in_cells"] == [["", "", ""], ["", "", 1958.05]], "changed: texts in their cells are read"
PY
echo "as stated"
