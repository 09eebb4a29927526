#!/usr/bin/env bash
# The time of a live fill is when its message arrived, though the exchange's time stands in the same fill.
#
# Guess before the run (2026-11-28): `Fill.time` is the time of the fill: that of its execution. `Fill` has no word about
# it.
# Seen, ib_async 2.1.0: for a live fill it is the client's clock at the last data that came in; the same execution asked
# for afterwards (`reqExecutions`) carries the exchange's time in the same field. After an outage every fill of the gap
# has the minute of the reconnect, so a fill's bar, its slippage and the order of fills are others live than in the
# nightly check.
# What VELOX does: a fill's time (`at`) is what the caller or the broker's file states, and when it was recorded is a
# column of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ib_async==2.1.0
"$folder/venv/bin/python" -W ignore - <<'PY'
import datetime

from ib_async import IB

FIELDS = "11|{request}|7|1|X|STK||0.0|||NSE|INR|X|X|{id}|20260105 14:30:00 Asia/Kolkata|DU1|NSE|BOT|10|1958.05|99|1|0|10|1958.05|||||2"
LIVE, ASKED = -1, 5
exchange_time = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
client = IB()
client.client.decoder.serverVersion = 176
client.wrapper.tcpDataArrived()
client.wrapper.startReq(ASKED)
fills = {}
for request in (LIVE, ASKED):
    client.client.decoder.interpret(FIELDS.format(request=request, id=request).split("|"))
    fills[request] = client.wrapper.fills[str(request)]
    print("live: " if request == LIVE else "asked:", fills[request].time, "of an execution at", fills[request].execution.time)
assert {fill.execution.time for fill in fills.values()} == {exchange_time}, "changed: the execution's own time"
assert fills[ASKED].time == exchange_time, "changed: a fill that was asked for has another time"
late = fills[LIVE].time - exchange_time
assert late > datetime.timedelta(days=1), "changed: a live fill has the time of its execution"
PY
echo "as stated"
