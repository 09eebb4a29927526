#!/usr/bin/env bash
# Two trade ids of a CSV file become one number, and order ids lose their leading zeros.
#
# Guess before the run (2026-11-28): detecting a CSV's types takes a column for numbers only where each text comes back
# from its number: 000123 stays a text, and so does an id of 20 digits, which no type of SQLite holds exactly.
# Seen, sqlite-utils 4.2.1: `insert --csv` detects types by default; 20000000000000000001 and ..02 are stored as a REAL,
# 2e+19 both, 000123 as 123, and the codes 1E5 and 2E7 as 100000.0 and 20000000.0. No warning; a unique index on the id
# then refuses the second fill, and a join with the broker's file finds nothing. With --no-detect-types all stay what they
# were.
# What VELOX does: an id is a text from the file to the ledger; numbers are made of the columns that are amounts.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlite-utils==4.2.1
"$folder/venv/bin/python" -W ignore - <<'PY'
import json
import pathlib
import subprocess
import sys
import tempfile

FILE = "trade_id,order_id,code,price\n20000000000000000001,000123,1E5,1958.05\n20000000000000000002,000124,2E7,1498.00\n"
program = pathlib.Path(sys.executable).parent / "sqlite-utils"
with tempfile.TemporaryDirectory() as folder:
    source, database = pathlib.Path(folder, "trades.csv"), pathlib.Path(folder, "trades.db")
    source.write_text(FILE)
    subprocess.run([program, "insert", database, "trades", source, "--csv"], check=True, capture_output=True)
    rows = json.loads(subprocess.run([program, "rows", database, "trades"], check=True, capture_output=True).stdout)
for row in rows:
    print(row)
assert [row["trade_id"] for row in rows] == [2e19, 2e19], "changed: the ids stay apart"
assert [row["order_id"] for row in rows] == [123, 124], "changed: leading zeros are kept"
assert [row["code"] for row in rows] == [1e5, 2e7], "changed: a code stays a text"
PY
echo "as stated"
