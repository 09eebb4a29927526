#!/bin/sh
# Guess: date_trunc, time_bucket, extract and casts of a TIMESTAMP_NS cut the nanoseconds off, as they cut off all that is
#        below the unit they are asked for: 09:15:59.999999999 is in minute 09:15.
# Version: duckdb 2.0.0 (Python 3.11), 28 November 2026.
# Seen: they round to the nearest microsecond first, for they know TIMESTAMP alone: 09:15:59.9999995 and later is in minute
#       09:16, and the last half microsecond of a day is in the next day. make_timestamp_ns and its text are exact.
# VELOX: docs/measurements.md divides integer nanoseconds before they become timestamps.
set -eu
folder=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0
"$folder/env/bin/python" - <<'PYTHON'
import sys

import duckdb

LAST = 1618199159999999999  # 2021-04-12 03:45:59.999999999 UTC
GUESSED, SEEN = "2021-04-12 03:45:00", "2021-04-12 03:46:00"
QUESTIONS = {
    "its own text": ("make_timestamp_ns($t)", "2021-04-12 03:45:59.999999999"),
    "integers first": ("make_timestamp_ns($t // 60000000000 * 60000000000)", GUESSED),
    "date_trunc": ("date_trunc('minute', make_timestamp_ns($t))", SEEN),
    "time_bucket": ("time_bucket(INTERVAL '1 minute', make_timestamp_ns($t))", SEEN),
    "a cast": ("make_timestamp_ns($t)::TIMESTAMP", SEEN),
    "half a microsecond before": ("date_trunc('minute', make_timestamp_ns($t - 499))", SEEN),
    "a little earlier": ("date_trunc('minute', make_timestamp_ns($t - 500))", GUESSED),
    "minute and second": ("printf('%02d:%02d', extract(minute FROM make_timestamp_ns($t)), "
                          "extract(second FROM make_timestamp_ns($t)))", "46:00"),
}
same = True
print("duckdb", duckdb.__version__)
for name, (expression, expected) in QUESTIONS.items():
    found = duckdb.execute(f"SELECT ({expression})::VARCHAR", {"t": LAST}).fetchone()[0]
    same &= found == expected
    print(f"{name:26} {found:30} {'as seen before' if found == expected else 'CHANGED, was ' + expected}")
sys.exit(not same)
PYTHON
