#!/usr/bin/env bash
# The times in a tick of Kite's own client are those of the machine's zone, and do not say so.
#
# Guess before the run (2026-11-28): `exchange_timestamp` and `last_trade_time` come as the exchange's time (Asia/Kolkata),
# or aware; the zone of the machine that runs the client does not enter.
# Seen, kiteconnect 5.2.2: the seconds since 1970 in the packet become naive datetimes of whatever zone the process has. One
# packet of 09:15:00 in Mumbai is 09:15 on a laptop there and 03:45 on a server in UTC, and neither has a tzinfo: ticks that
# two machines recorded lie five and a half hours apart.
# What VELOX does: a naive time is read in the desk's zone, whatever the machine's; where the two differ, hand on an aware
# time or nanoseconds since 1970.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check kiteconnect==5.2.2
cat >"$folder/tick.py" <<'PY'
import struct

from kiteconnect import KiteTicker

OPENING = 1618199100  # 2021-04-12 09:15:00 in Asia/Kolkata
instrument = 738561  # of the segment NSE
fields = [instrument, 195805, 10, 195800, 1000, 500, 600, 195700, 195900, 195600, 195000, OPENING, 0, 0, 0, OPENING]
packet = struct.pack(">16I", *fields) + struct.pack(">IIHH", 10, 195800, 1, 0) * 10
message = struct.pack(">HH", 1, len(packet)) + packet
(tick,) = KiteTicker("key", "token")._parse_binary(message)
print(tick["exchange_timestamp"].isoformat(), tick["last_trade_time"].isoformat())
PY
mumbai=$(TZ=Asia/Kolkata "$folder/venv/bin/python" -W ignore "$folder/tick.py")
utc=$(TZ=UTC "$folder/venv/bin/python" -W ignore "$folder/tick.py")
echo "Asia/Kolkata: $mumbai"
echo "UTC:          $utc"
[ "$mumbai" = "2021-04-12T09:15:00 2021-04-12T09:15:00" ] || { echo "changed: in Asia/Kolkata"; exit 1; }
[ "$utc" = "2021-04-12T03:45:00 2021-04-12T03:45:00" ] || { echo "changed: in UTC"; exit 1; }
echo "as stated"
