#!/usr/bin/env bash
# `delete("price = 1958.05")` deletes no row of price 1958.05 and says that all went well.
#
# Guess before the run (2026-11-28): a literal with a point, compared with a column of decimals, is a decimal as in SQL's
# standard; the row is deleted, as it is with a column of decimal(18, 2).
# Seen, deltalake 1.6.6 with pyarrow 26.0.1: the literal is a double. In a column of decimal(38, 18) it is compared as
# 1958.049999999999954525, so 0 rows are deleted and a SELECT counts 0; 0.25 and 100, which a double holds, are found, and
# so is 1958.05 where the column has fewer places. With CAST('1958.05' AS DECIMAL(38, 18)) the SELECT finds the row. A
# correction by delete and append then counts the trade twice.
# What VELOX does: rows of its Delta tables are replaced by keys of text and int64, never by an amount.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deltalake==1.6.6 pyarrow==26.0.1
"$folder/venv/bin/python" -W ignore - <<'PY'
import tempfile
from decimal import Decimal

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder, write_deltalake


def of_price(text, places):
    """Return how many rows a SELECT counts, how many it counts by a cast, and how many a delete takes."""
    with tempfile.TemporaryDirectory() as folder:
        kind = pa.decimal128(38, places)
        write_deltalake(folder, pa.table({"price": pa.array([Decimal(text)], kind)}))
        table = DeltaTable(folder)
        asked = QueryBuilder().register("t", table)
        cast = f"CAST('{text}' AS DECIMAL(38, {places}))"
        counts = [
            asked.execute(f"SELECT count(*) AS n FROM t WHERE price = {value}").read_all()["n"][0].as_py() for value in (text, cast)
        ]
        return (*counts, table.delete(f"price = {text}")["num_deleted_rows"])


for text, places, expected in (("1958.05", 18, (0, 1, 0)), ("1958.05", 4, (1, 1, 1)), ("100.25", 18, (1, 1, 1))):
    seen = of_price(text, places)
    print(f"price = {text}, decimal(38, {places}): counted {seen[0]}, by a cast {seen[1]}, deleted {seen[2]}")
    assert seen == expected, "changed: the rows that are found"
PY
echo "as stated"
