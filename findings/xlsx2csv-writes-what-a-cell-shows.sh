#!/usr/bin/env bash
# A price of 1958.0525 becomes 1958.05, and 0.1575 becomes 16%, on the way from XLSX to CSV.
#
# Guess before the run (2026-11-28): xlsx2csv "converts xlsx files to csv format" for programs to read: a number is the
# number that the file holds; what its format hides on the screen is no matter of data, and there is an option
# (--floatformat) for those who want it otherwise.
# Seen, xlsx2csv 0.8.6: with the formats 0.00 and 0% the number is rounded as it is shown; with the format of accounts
# (_-* #,##0.00_-) or none it is whole, so one column mixes both. 0.0000001 without any format is 0. An average price of
# four decimals times 10,000 shares is 25 rupees off, and no total in the file tells why.
# What VELOX does: its own XLSX reader takes a cell's value, and its format only to tell a day from a number.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check xlsx2csv==0.8.6 openpyxl==3.1.5
"$folder/venv/bin/python" -W ignore - <<'PY'
import pathlib
import subprocess
import sys
import tempfile

import openpyxl

CELLS = (
    (1958.0525, "0.00", "1958.05"),
    (0.1575, "0%", "16%"),
    (1958.0525, "_-* #,##0.00_-", "1958.0525"),
    (1958.0525, "General", "1958.0525"),
    (0.0000001, "General", "0"),
)
program = pathlib.Path(sys.executable).parent / "xlsx2csv"
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "trades.xlsx")
    book = openpyxl.Workbook()
    for row, (number, shown_as, _) in enumerate(CELLS, 1):
        book.active.cell(row, 1, number).number_format = shown_as
    book.save(path)
    lines = subprocess.run([program, path], capture_output=True, text=True, check=True).stdout.split()
for (number, shown_as, expected), line in zip(CELLS, lines, strict=True):
    print(f"{number!r} in the format {shown_as}: {line}")
    assert line == expected, "changed: what is written"
PY
echo "as stated"
