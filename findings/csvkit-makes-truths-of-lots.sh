#!/usr/bin/env bash
# Sorting a CSV of fills turns lots of 1 and 0 into True and False, and the symbol NA into nothing.
#
# Guess before the run (2026-11-28): csvsort sorts lines; what stands in a cell comes out as it went in, numbers as
# numbers. A column of lots that are all 0 or 1 is still a column of numbers, and NA, the symbol of a Canadian bank, is a
# text.
# Seen, csvkit 2.2.0 (agate 1.14.2): the columns' types are guessed and the cells written anew: lots are True and False,
# NA is empty, an order id 000123 is 123 and a code 1E5 is 1E+5. As soon as one row has 2 lots the column is numbers
# again, so what a script reads changes with the day. The manual names an option against guessing; the command reports
# nothing.
# What VELOX does: a cell is read by the meaning of its column in the broker's layout, never by what the others look like.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check csvkit==2.2.0 agate==1.14.2
"$folder/venv/bin/python" -W ignore - <<'PY'
import pathlib
import subprocess
import sys

program = pathlib.Path(sys.executable).parent / "csvsort"


def sorted_by_lots(*rows):
    lines = "\n".join(("symbol,lots,order_id", *rows, ""))
    return subprocess.run([program, "-c", "lots"], input=lines, capture_output=True, text=True, check=True).stdout.split()[1:]


ones = sorted_by_lots("NA,1,000123", "TD,0,000124")
more = sorted_by_lots("NA,2,000123", "TD,0,000124")
print("lots 1 and 0:", ones)
print("lots 2 and 0:", more)
assert ones == ["TD,False,124", ",True,123"], "changed: lots of 1 and 0"
assert more == ["TD,0,124", ",2,123"], "changed: lots of 2 and 0"
PY
echo "as stated"
