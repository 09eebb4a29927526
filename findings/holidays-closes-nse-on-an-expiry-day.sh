#!/usr/bin/env bash
# NSE is closed on an expiry day and open on three days on which it stood shut.
#
# Guess before the run (2026-11-28): a calendar named after the exchange (XNSE), released years later, has the exchange's
# closures of 2023 and 2024 as they happened, those among them that it announced at short notice.
# Seen, holidays 0.109: it has the list of each December and none of the later circulars. Bakri Id of 2023 was moved from
# 28 to 29 June: the 28th, on which the month's derivatives expired, is a holiday here and the 29th is not. 22 January, 20
# May and 20 November 2024 (closed by notice, two of them for elections) are no holidays. A carry, an expiry or a
# "missing" day of data is then wrong by a day, without a word.
# What VELOX does: its session file (trading/data/exchange_sessions.json) has these days as they were traded, each with
# its source.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check holidays==0.109
"$folder/venv/bin/python" -W ignore - <<'PY'
import holidays

TRADED, CLOSED = ("2023-06-28",), ("2023-06-29", "2024-01-22", "2024-05-20", "2024-11-20")
KNOWN = ("2023-08-15", "2024-03-08")
calendar = holidays.financial_holidays("XNSE", years=(2023, 2024))
for day in (*TRADED, *CLOSED, *KNOWN):
    print(day, "traded," if day in TRADED else "closed,", "here:", calendar.get(day, "no holiday"))
assert all(day in calendar for day in KNOWN), "changed: a holiday of the list is gone"
assert all(day in calendar for day in TRADED), "changed: the day of expiry is no holiday now"
assert not any(day in calendar for day in CLOSED), "changed: a closure at short notice is known now"
PY
echo "as stated"
