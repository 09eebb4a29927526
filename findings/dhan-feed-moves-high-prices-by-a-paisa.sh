#!/usr/bin/env bash
# A share at 140123.40 is 140123.41 in Dhan's feed, a price that cannot be quoted.
#
# Guess from the documentation (2026-11-28): a broker's live price, shown with two decimals, is the exchange's price; the
# share trades in steps of five paise, so the last digit is 0 or 5.
# Seen, dhanhq 2.3.0: the protocol has prices as float32, whose steps are 1/64 of a rupee from 131,072 on. 140123.40 is
# carried as 140123.40625 and printed as "140123.41"; of the 20 prices of a rupee 8 come with a paisa too many or too few.
# Shares of MRF trade there. A limit order at such a price is rejected, and a fill compared with the tick differs.
# What VELOX does: a fill's price comes from the broker's trades, never from a tick, so such a price reaches no figure of
# money.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dhanhq==2.3.0
"$folder/venv/bin/python" -W ignore - <<'PY'
import struct
from decimal import Decimal

from dhanhq import MarketFeed

SHARES, TICKER = 1, 2
reader = MarketFeed.__new__(MarketFeed)  # without its connection


def last_price(price):
    packet = struct.pack("<BHBI", TICKER, 16, SHARES, 2277) + struct.pack("<fI", float(price), 1767604500)
    return Decimal(reader.process_ticker(packet)["LTP"])


prices = [Decimal("140123") + Decimal(step) / 20 for step in range(20)]
moved = {price: last_price(price) for price in prices if last_price(price) != price}
print("quoted and handed on:", {str(price): str(other) for price, other in moved.items()})
assert moved[Decimal("140123.4")] == Decimal("140123.41"), "changed: 140123.40"
assert all(abs(price - other) == Decimal("0.01") for price, other in moved.items()), "changed: by more than a paisa"
assert all(last_price(price - 137000) == price - 137000 for price in prices), "changed: low prices move, too"
print("moved:", len(moved), "of", len(prices))
assert len(moved) == 8, "changed: how many prices move"
PY
echo "as stated"
