#!/usr/bin/env bash
# Of the times of one Kite order or fill some come as datetimes and some as text, by their name and length.
#
# Guess before the run (2026-11-28): the SDK turns Kite's times into datetimes, so the three of an order, and the three of
# a fill, are of one type and can be compared and sorted.
# Seen, kiteconnect 5.2.2: `exchange_update_timestamp` of an order stays text beside two datetimes. Of a fill
# `order_timestamp` does, where Kite gives the bare clock (09:16:39), as its documented answer of /trades does, while the
# same name is a datetime in /orders: joining fills and orders by it matches nothing, and a text put through a parser of
# dates is today's 09:16:39.
# What VELOX does: it reads Kite's answers itself; a fill's time is `fill_timestamp`, with its day, and a bare clock is
# never given the day of the import.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check kiteconnect==5.2.2
"$folder/venv/bin/python" -W ignore - <<'PY'
from kiteconnect import KiteConnect

# Names and shapes of Kite's documented answers; ids and times are made up.
ORDER = {
    "order_id": "1",
    "order_timestamp": "2026-01-05 09:16:39",
    "exchange_timestamp": "2026-01-05 09:16:39",
    "exchange_update_timestamp": "2026-01-05 09:16:40",
}
FILL = {
    "trade_id": "2",
    "order_timestamp": "09:16:39",
    "fill_timestamp": "2026-01-05 09:16:40",
    "exchange_timestamp": "2026-01-05 09:16:40",
}
client = KiteConnect(api_key="key")
order, fill = client._format_response([dict(ORDER)])[0], client._format_response([dict(FILL)])[0]
types = {}
for name, answer in (("order", order), ("fill", fill)):
    types[name] = {key: type(value).__name__ for key, value in answer.items() if key.endswith("timestamp")}
    print(name, types[name])
assert types["order"] == {
    "order_timestamp": "datetime",
    "exchange_timestamp": "datetime",
    "exchange_update_timestamp": "str",
}, "changed: an order's times"
assert types["fill"] == {
    "order_timestamp": "str",
    "fill_timestamp": "datetime",
    "exchange_timestamp": "datetime",
}, "changed: a fill's times"
PY
echo "as stated"
