#!/usr/bin/env bash
# A trade of 10 shares is 40 in the Trades of a Flex statement: fill, order, lot and the day's sum stand in one list.
#
# Guess before the run (2026-11-28): ibflex gives `Trades` as the account's trades; orders, lots and summaries, which have
# classes of their own, come apart from them, so that the sum of its quantities is what was traded.
# Seen, ibflex 1.1: what IBKR writes into its section, one after the other, comes as one tuple: a Trade (EXECUTION), an
# Order, a Lot (CLOSED_LOT) and a SymbolSummary, each with quantity, price and commission of the same ten shares. They
# quack alike; only the class or `levelOfDetail` tells. Volume, commission and P&L are fourfold where all options of the
# query are ticked.
# What VELOX does: it takes rows of EXECUTION alone, and names what else a section holds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ibflex==1.1 requests==2.34.2
"$folder/venv/bin/python" -W ignore - <<'PY'
import io

from ibflex import parser

ROW = (
    '<{tag} accountId="U1" assetCategory="STK" symbol="ABC" currency="USD" dateTime="2026-01-05;093000" buySell="SELL" '
    'quantity="-10" tradePrice="100.5" ibCommission="-1" levelOfDetail="{level}"/>'
)
LEVELS = {"Trade": "EXECUTION", "Order": "ORDER", "Lot": "CLOSED_LOT", "SymbolSummary": "SYMBOL_SUMMARY"}
rows = "".join(ROW.format(tag=tag, level=level) for tag, level in LEVELS.items())
answer = (
    '<FlexQueryResponse queryName="q" type="AF"><FlexStatements count="1"><FlexStatement accountId="U1" fromDate="2026-01-05" '
    f'toDate="2026-01-05" period="LastBusinessDay" whenGenerated="2026-01-06;010000"><Trades>{rows}</Trades></FlexStatement>'
    "</FlexStatements></FlexQueryResponse>"
)
trades = parser.parse(io.BytesIO(answer.encode())).FlexStatements[0].Trades
for each in trades:
    print(type(each).__name__, each.levelOfDetail, each.quantity, each.ibCommission)
print("sum of the trades' quantities:", sum(each.quantity for each in trades))
assert [type(each).__name__ for each in trades] == list(LEVELS), "changed: what stands in Trades"
assert sum(each.quantity for each in trades) == -40, "changed: the sum"
PY
echo "as stated"
