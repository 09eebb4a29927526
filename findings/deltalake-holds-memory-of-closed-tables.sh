#!/usr/bin/env bash
# A process that has appended to a Delta table holds tens of megabytes for good: dropping the table, a garbage collection
# and the C library's malloc_trim give none of it back, and MALLOC_CONF says nothing to it.
#
# Guess before the run (2026-11-30): the memory is the table's state, so it goes once the table is dropped, and what the C
# library keeps of it goes with malloc_trim.
# Seen, deltalake 1.6.6: the wheel for Linux brings an allocator of its own, jemalloc under the prefix _rjem. After 500
# appends of one row the process holds 56 to 79 MB more than after 50, nearly all of it still once the table is dropped;
# 56 to 92 MB with MALLOC_CONF. _RJEM_MALLOC_CONF is read when the module is loaded: with it 14 to 15 MB stay.
# What VELOX does: it sets the variable before the first import of deltalake.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deltalake==1.6.6 pyarrow==26.0.1
cat >"$folder/appends.py" <<'PY'
import ctypes
import gc
import sys

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

SCHEMA = pa.schema([("day", pa.string()), *((f"column_{number}", pa.float64()) for number in range(15))])


def held():
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) / 1000


table = DeltaTable.create(sys.argv[1], SCHEMA, partition_by=["day"])
for number in range(500):
    row = {"day": f"day {number // 10}"} | {name: 1.0 for name in SCHEMA.names[1:]}
    write_deltalake(table, pa.Table.from_pylist([row], SCHEMA), mode="append")
    if number == 49:
        before = held()
open_still = held() - before
del table
print(f"{open_still:.1f} {held() - before:.1f}")
PY
setting=narenas:1,dirty_decay_ms:0,muzzy_decay_ms:0
"$folder/venv/bin/python" "$folder/appends.py" "$folder/a" | tee "$folder/plain"
MALLOC_CONF=$setting "$folder/venv/bin/python" "$folder/appends.py" "$folder/b" | tee "$folder/unheard"
_RJEM_MALLOC_CONF=$setting "$folder/venv/bin/python" "$folder/appends.py" "$folder/c" | tee "$folder/heard"
python3 - "$folder" <<'PY'
import sys
from pathlib import Path

plain, unheard, heard = (
    list(map(float, Path(sys.argv[1], name).read_text().split())) for name in ("plain", "unheard", "heard")
)
for words, (opened, dropped) in (("by itself", plain), ("MALLOC_CONF", unheard), ("_RJEM_MALLOC_CONF", heard)):
    print(f"{words}: {opened:.1f} MB more with the table open, {dropped:.1f} MB more with the table dropped")
assert min(plain[1], unheard[1]) > 2 * max(heard[1], 1.0), "changed: what was freed goes back"
PY
echo "as stated"
