#!/usr/bin/env bash
# A small price goes into a FIX message with an exponent, which FIX's numbers do not have.
#
# Guess before the run (2026-11-28): `append_pair(44, price)` says that it turns the value into a string; for a price that
# is what FIX calls a float: digits, an optional point, an optional minus, never an exponent.
# Seen, simplefix 1.0.17: the string is Python's `str`. The float 0.00001 becomes `1e-05`, Decimal("0.0000001") becomes
# `1E-7` and Decimal("1E+2"), what `normalize()` makes of 100, becomes `1E+2`; nothing is raised or warned of. A
# counterparty that keeps to FIX rejects the order.
# What VELOX does: it speaks no FIX; a Decimal that leaves the ledger is written with the format "f".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check simplefix==1.0.17
"$folder/venv/bin/python" -W ignore - <<'PY'
import re
from decimal import Decimal

import simplefix

FIX_FLOAT = re.compile(r"-?[0-9]+(\.[0-9]*)?")


def price(value):
    message = simplefix.FixMessage()
    message.append_pair(44, value)
    return message.get(44).decode()


cases = {0.00001: "1e-05", Decimal("0.0000001"): "1E-7", Decimal("100.00").normalize(): "1E+2", 0.0001: "0.0001"}
for value, expected in cases.items():
    print(repr(value), "->", price(value), "a FIX float" if FIX_FLOAT.fullmatch(price(value)) else "NOT a FIX float")
    assert price(value) == expected, "changed: another text"
PY
echo "as stated"
