#!/usr/bin/env bash
# Two who create one Delta table at the same moment with mode="error" both succeed, and the second's schema replaces the
# first's.
#
# Guess before the run (2026-11-29): of two who begin at once one makes version 0, which is written by a create-only put,
# and the other gets "table already exists", as it does when it comes a second later.
# Seen, deltalake 1.6.6: in 38 of 60 rounds both calls returned a table. The log then has two CREATE TABLE commits, both
# of mode ErrorIfExists: the loser's was tried again as version 1, its metaData with it, so a table that was made with a
# column "a" has "b" alone, and whoever was told that it made it with "a" finds another.
# What VELOX does: a table of the archive is made by the one whose claim, an object put once, is there first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deltalake==1.6.6 pyarrow==26.0.1
"$folder/venv/bin/python" - "$folder" <<'PY'
import json
import sys
import threading
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

ROUNDS = 300


def create(path, column, start, answers):
    start.wait()
    try:
        DeltaTable.create(path, pa.schema([(column, pa.int64())]), mode="error")
        answers[column] = "made"
    except Exception as error:
        answers[column] = str(error)


for number in range(ROUNDS):
    path = Path(sys.argv[1], f"table{number}")
    start, answers = threading.Barrier(2), {}
    creators = [threading.Thread(target=create, args=(str(path), column, start, answers)) for column in "ab"]
    for creator in creators:
        creator.start()
    for creator in creators:
        creator.join()
    if list(answers.values()) == ["made", "made"]:
        break
else:
    sys.exit(f"changed: in {ROUNDS} rounds one of two was refused")
print(f"round {number + 1}: both were told that they made it")
schemas = []
for commit in sorted((path / "_delta_log").glob("*.json")):
    actions = [json.loads(line) for line in commit.read_text().splitlines()]
    [info] = [action["commitInfo"] for action in actions if "commitInfo" in action]
    [metadata] = [action["metaData"] for action in actions if "metaData" in action]
    columns = [field["name"] for field in json.loads(metadata["schemaString"])["fields"]]
    schemas.append(columns)
    print(f"{commit.name}: {info['operation']} {info['operationParameters']['mode']} columns {columns}")
stands = [field.name for field in DeltaTable(str(path)).schema().fields]
print("the table has", stands)
assert len(schemas) == 2 and schemas[0] != schemas[1] == stands, "changed: the second did not replace the first"
late = {}
create(str(path), "c", threading.Barrier(1), late)
print("who comes later:", late["c"])
assert late["c"] != "made", "changed: who comes later makes it, too"
PY
echo "as stated"
