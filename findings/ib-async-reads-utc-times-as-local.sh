#!/usr/bin/env bash
# An execution time that IBKR marks as UTC, by a dash, is read in the zone of the machine.
#
# Guess before the run (2026-11-28): IBKR's API writes a time in UTC with a dash (20260105-14:30:00) and others with a
# blank and a zone; a client that turns every time into an aware one reads the dash as UTC.
# Seen, ib_async 2.1.0: the dash is thrown away like the blank. The same message gives 14:30 UTC on a server in UTC and
# 09:00 UTC on a laptop in Mumbai, and the time is aware, so nothing downstream can tell that it is a guess. A time with a
# zone is right.
# What VELOX does: IBKR's times come from its statements, in the zone of the account that the desk states; it reads no
# time in the machine's zone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ib_async==2.1.0
"$folder/venv/bin/python" -W ignore - <<'PY'
import os
import time

from ib_async import IB

FIELDS = "11|-1|7|1|X|STK||0.0|||NSE|INR|X|X|{id}|{time}|DU1|NSE|BOT|10|1958.05|99|1|0|10|1958.05|||||2"


def executed(text, zone):
    os.environ["TZ"] = zone
    time.tzset()
    client = IB()
    client.client.decoder.serverVersion = 176
    client.client.decoder.interpret(FIELDS.format(id="1", time=text).split("|"))
    return client.wrapper.fills["1"].execution.time.isoformat()


for text in ("20260105-14:30:00", "20260105 20:00:00 Asia/Kolkata"):
    seen = {zone: executed(text, zone) for zone in ("UTC", "Asia/Kolkata")}
    print(text, seen)
    assert seen["UTC"] == "2026-01-05T14:30:00+00:00", "changed: on a machine in UTC"
    expected = "2026-01-05T09:00:00+00:00" if "-" in text[:9] else seen["UTC"]
    assert seen["Asia/Kolkata"] == expected, "changed: on a machine in Asia/Kolkata"
PY
echo "as stated"
