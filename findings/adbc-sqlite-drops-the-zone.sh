#!/usr/bin/env bash
# An instant in Asia/Kolkata is stored in SQLite as the clock of UTC, without a Z or an offset.
#
# Guess before the run (2026-11-28): SQLite has no type for times, so ADBC's driver writes ISO 8601 text; of a column of
# timestamp[us, Asia/Kolkata] it is 09:15 with +05:30, or 03:45 with Z, and a column without a zone is told from it by
# having neither.
# Seen, adbc-driver-sqlite 1.13.0: 09:15 in Mumbai becomes the text 2026-01-05T03:45:00.123456, the same that a column
# without a zone gives for 03:45 on the wall. Whatever reads the text, SQLite's own functions or a desk that takes a bare
# time for its own, is five and a half hours off for one of the two, and the session it puts the fill into is another one.
# No warning.
# What VELOX does: it writes its ledger by Django alone, which keeps UTC and reads it back as aware UTC.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check adbc-driver-sqlite==1.13.0 adbc-driver-manager==1.13.0 pyarrow==26.0.1
"$folder/venv/bin/python" -W ignore - <<'PY'
import datetime
import zoneinfo

import adbc_driver_sqlite.dbapi
import pyarrow as pa

opening = datetime.datetime(2026, 1, 5, 9, 15, 0, 123456, tzinfo=zoneinfo.ZoneInfo("Asia/Kolkata"))
on_the_wall = datetime.datetime(2026, 1, 5, 3, 45, 0, 123456)
columns = {
    "aware": pa.array([opening], pa.timestamp("us", "Asia/Kolkata")),
    "bare": pa.array([on_the_wall], pa.timestamp("us")),
}
texts = {}
with adbc_driver_sqlite.dbapi.connect() as connection, connection.cursor() as cursor:
    for name, column in columns.items():
        cursor.adbc_ingest(name, pa.table({"at": column}), mode="create")
        cursor.execute(f"SELECT at, typeof(at) FROM {name}")
        texts[name] = cursor.fetchone()
        print(name, column.type, "is stored as", texts[name])
assert texts["aware"] == ("2026-01-05T03:45:00.123456", "text"), "changed: the zone is kept or marked"
assert texts["bare"] == texts["aware"], "changed: the two are told apart"
PY
echo "as stated"
