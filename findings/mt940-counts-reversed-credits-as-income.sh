#!/usr/bin/env bash
# A credit that the bank took back (RC) comes as money received, so a statement no longer adds up to its own balance.
#
# Guess before the run (2026-11-28): SWIFT's field 61 has four marks, C, D, RC and RD; a parser that reads RC as a mark of
# its own gives the reversal of a credit the sign of a debit.
# Seen, mt-940 5.1.1: `mt940.parse` makes it positive; only D is negative. A statement with a credit of 12.50 and its
# reversal opens and closes at 1000.00 and its transactions sum to +25.00. Nothing warns. The docstring of Amount says so
# and keeps it for the sake of older releases; the documentation of `parse` leads nobody there. RD is right.
# What VELOX does: it reads no MT940; a broker's ledger is compared with its own opening and closing balance, and a
# difference is named.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mt-940==5.1.1
"$folder/venv/bin/python" -W ignore - <<'PY'
from decimal import Decimal

import mt940

STATEMENT = """:20:1
:25:12345678
:28C:1/1
:60F:C260101EUR1000,00
:61:2601020102C12,50NTRFNONREF
:61:2601020102RC12,50NTRFNONREF
:62F:C260102EUR1000,00
-"""
transactions = mt940.parse(STATEMENT)
amounts = {entry.data["status"]: entry.data["amount"].amount for entry in transactions}
moved = transactions.data["final_closing_balance"].amount.amount - transactions.data["final_opening_balance"].amount.amount
print("amounts by mark:", amounts)
print("the balances moved by", moved, "and the transactions by", sum(amounts.values()))
assert moved == 0 and amounts["C"] == Decimal("12.50"), "changed: the balances or the credit are read otherwise"
assert amounts["RC"] == Decimal("12.50"), "changed: a reversed credit is negative now"
PY
echo "as stated"
