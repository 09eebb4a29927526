#!/usr/bin/env bash
# An aware time given for a FIX UTCTimestamp is written as the clock of its own zone.
#
# Guess before the run (2026-11-28): `append_utc_timestamp` takes "a datetime" and says that the field is a UTCTimestamp,
# which FIX defines as UTC; a datetime that knows its zone is therefore turned into UTC first.
# Seen, simplefix 1.0.17: the zone is not looked at. 09:15 in Asia/Kolkata goes out as 09:15 UTC, five and a half hours
# late, without a warning; the same instant given in UTC or as a float is right. TransactTime (60) is the time of the fill
# in the record of both sides.
# What VELOX does: it speaks no FIX; an aware time is turned into UTC before anything is stored.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check simplefix==1.0.17
"$folder/venv/bin/python" -W ignore - <<'PY'
import datetime
import zoneinfo

import simplefix

opening = datetime.datetime(2026, 1, 5, 9, 15, tzinfo=zoneinfo.ZoneInfo("Asia/Kolkata"))


def transact_time(moment):
    message = simplefix.FixMessage()
    message.append_utc_timestamp(60, moment)
    return message.get(60).decode()


aware, in_utc, as_float = transact_time(opening), transact_time(opening.astimezone(datetime.UTC)), transact_time(opening.timestamp())
print("aware, Asia/Kolkata:", aware)
print("the same in UTC:    ", in_utc)
print("the same as a float:", as_float)
assert in_utc == as_float == "20260105-03:45:00.000", "changed: an instant in UTC is written otherwise"
assert aware == "20260105-09:15:00.000", "changed: the zone is looked at now"
PY
echo "as stated"
