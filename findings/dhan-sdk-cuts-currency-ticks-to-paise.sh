#!/usr/bin/env bash
# A tick of a currency future of 83.1275 comes as the text 83.13.
#
# Guess from the documentation (2026-11-28; a look at the SDK had hinted otherwise): the feed has the last price as a
# float32; the SDK hands on a number, with the four decimals in which USDINR trades (its tick is 0.0025).
# Seen, dhanhq 2.3.0: every price becomes a text of two decimals, whatever the segment: 83.1275 is "83.13", five times the
# tick away, and 83.1250 and 83.1275 are no longer told apart by what they moved (83.12 and 83.13). Bars, stops and P&L of
# the segment CDS are counted from prices that were never quoted. Nothing warns; the bytes had more.
# What VELOX does: it imports no broker's SDK, and records a tick's price as it is handed over: hand on the number of the
# packet.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dhanhq==2.3.0
"$folder/venv/bin/python" -W ignore - <<'PY'
import struct

from dhanhq import MarketFeed

CURRENCY, TICKER = 3, 2
reader = MarketFeed.__new__(MarketFeed)  # without its connection


def last_price(price):
    packet = struct.pack("<BHBI", TICKER, 16, CURRENCY, 1333) + struct.pack("<fI", price, 1767604500)
    return reader.process_ticker(packet)["LTP"]


for price, expected in ((83.1275, "83.13"), (83.1225, "83.12"), (2453.05, "2453.05")):
    print(price, "in the packet, from the SDK", repr(last_price(price)))
    assert last_price(price) == expected, "changed: the price has other digits"
PY
echo "as stated"
