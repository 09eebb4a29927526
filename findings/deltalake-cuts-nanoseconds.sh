#!/usr/bin/env bash
# A Delta table takes a column of nanoseconds and keeps microseconds, without a word.
#
# Guess before the run (2026-11-28): Delta Lake knows timestamps to the microsecond only, so the writer refuses an Arrow
# column of timestamp[ns] that cannot be kept exactly, as pyarrow's own cast does ("would lose data").
# Seen, deltalake 1.6.6 with pyarrow 26.0.1: written without error or warning, read back as timestamp[us]; two ticks one
# nanosecond apart have become equal, so a key on the time would now merge them.
# What VELOX does: a point's time is an int64 of nanoseconds in the table and becomes a timestamp only when it is read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deltalake==1.6.6 pyarrow==26.0.1
"$folder/venv/bin/python" - "$folder/table" <<'PY'
import sys
import warnings

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

warnings.simplefilter("error")
times = [1618199708000000001, 1618199708000000002]
column = pa.array(times, pa.timestamp("ns"))
try:
    column.cast(pa.timestamp("us"))
except pa.ArrowInvalid as error:
    print("pyarrow's own cast refuses:", error)
else:
    sys.exit("changed: pyarrow casts without a word, too")
write_deltalake(sys.argv[1], pa.table({"time": column}))
kept = DeltaTable(sys.argv[1]).to_pyarrow_table()["time"]
print("written:", times)
print("kept:   ", kept.cast(pa.int64()).to_pylist(), kept.type)
assert kept.type == pa.timestamp("us"), "changed: another type is kept"
assert len(set(kept.to_pylist())) == 1, "changed: the two stay apart"
PY
echo "as stated"
