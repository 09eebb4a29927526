#!/usr/bin/env bash
# A query shows 0.00012345 BTC as 0.00 BTC, and a sum without it.
#
# Guess before the run (2026-11-28): beancount keeps exact decimals, and bean-query prints a position with the digits that
# it has, or as many as the finest of its column needs.
# Seen, beanquery 0.2.0 with beancount 3.2.3: every amount of a currency is printed with the number of digits that is most
# frequent in the whole ledger. Beside two purchases of 1.50 and 2.50 BTC one of 0.00012345 is printed as 0.00, and the
# sum as 4.00 instead of 4.00012345; the CSV output is cut in the same way. A small holding is gone from the report, and a
# report changes its digits when other trades are added. The values themselves, asked for from Python, are whole.
# What VELOX does: a quantity is shown with every digit that the ledger has; tables, CSV and JSON alike.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check beanquery==0.2.0 beancount==3.2.3
"$folder/venv/bin/python" -W ignore - <<'PY'
import pathlib
import subprocess
import sys
import tempfile

LEDGER = """
2026-01-01 open Assets:Cash
2026-01-01 open Assets:Coins
"""
TRADE = """
2026-01-{day} * "bought"
  Assets:Coins  {quantity} BTC @ 5000000.00 INR
  Assets:Cash
"""
program = pathlib.Path(sys.executable).parent / "bean-query"
with tempfile.TemporaryDirectory() as folder:
    ledger = pathlib.Path(folder, "ledger.beancount")
    trades = (("05", "0.00012345"), ("06", "1.50"), ("07", "2.50"))
    ledger.write_text(LEDGER + "".join(TRADE.format(day=day, quantity=quantity) for day, quantity in trades))

    def answer(query):
        command = [program, "--format", "csv", ledger, query]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[1:-1]

    each = [line.strip() for line in answer("SELECT position WHERE currency = 'BTC'")]
    (total,) = [line.strip() for line in answer("SELECT sum(position) WHERE account = 'Assets:Coins'")]
print("bought:", [quantity for _, quantity in trades], "shown:", each, "in all:", total)
assert each == ["0.00 BTC", "1.50 BTC", "2.50 BTC"], "changed: the positions"
assert total == "4.00 BTC", "changed: the sum"
PY
echo "as stated"
