#!/usr/bin/env bash
# Two readers of OFX put one Indian time twelve minutes apart, and one of them writes what the other misreads.
#
# Guess before the run (2026-11-28): an offset that is no whole hour is one number of hours in OFX (+12.00 to -12.00 for
# fractional offsets), so both read [+5.50:IST] as five and a half hours, and what ofxtools writes ofxparse reads as the
# same instant.
# Seen, ofxtools 1.1.1 and ofxparse 0.21: ofxtools takes the digits after the point for minutes, ofxparse for a fraction
# of an hour. 09:15 with [+5.50:IST] is 03:25 UTC for one and 03:45 for the other; ofxtools itself writes 09:15 in
# Asia/Kolkata as [+5.30:IST], which ofxparse reads as 03:57. Nothing is raised; a whole hour hides it, so tests with EST
# pass.
# What VELOX does: it reads no OFX; a broker's zone is a zone of the tz database, never an offset in a text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ofxtools==1.1.1 ofxparse==0.21
"$folder/venv/bin/python" -W ignore - <<'PY'
import datetime
import zoneinfo

from ofxparse import OfxParser
from ofxtools.Types import DateTime

opening = datetime.datetime(2026, 1, 5, 9, 15, tzinfo=zoneinfo.ZoneInfo("Asia/Kolkata"))
written = DateTime().unconvert(opening)
seen = {}
for text in (written, "20260105091500.000[+5.50:IST]", "20260105091500.000[-5:EST]"):
    seen[text] = (f"{DateTime().convert(text):%H:%M}", f"{OfxParser.parseOfxDateTime(text):%H:%M}")
    print(text, "is", seen[text][0], "UTC for ofxtools and", seen[text][1], "UTC for ofxparse")
assert written == "20260105091500.000[+5.30:IST]", "changed: ofxtools writes another text"
assert seen[written] == ("03:45", "03:57"), "changed: the offset that ofxtools writes"
assert seen["20260105091500.000[+5.50:IST]"] == ("03:25", "03:45"), "changed: a half hour as a fraction"
assert seen["20260105091500.000[-5:EST]"] == ("14:15", "14:15"), "changed: a whole hour"
PY
echo "as stated"
