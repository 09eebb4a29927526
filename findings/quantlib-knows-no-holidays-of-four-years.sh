#!/usr/bin/env bash
# QuantLib's calendar of India trades on Diwali in 2015 to 2018, and knows the holidays of the years before and after.
#
# Guess before the run (2026-11-28): a calendar whose holidays are lists made by hand, which it needs for Diwali, Holi and
# Id, raises for a day beyond its lists, or has no hole in the middle of them.
# Seen, QuantLib 1.44: for 2015 to 2018 only the fixed days are there (26 January, 1 May, 15 August ..), 4 to 6 holidays a
# year where 2014 and 2019 have 16 and 19. NSE was closed on 12 November 2015, 31 October 2016, 20 October 2017 and 8
# November 2018 (Diwali Balipratipada); all are business days here. Nothing is raised; Python's help does not say it. An
# expiry, a settlement day or a day count over these years is off by up to a dozen days. From 2027 on it is the same.
# What VELOX does: its session file (trading/data/exchange_sessions.json) lists NSE's holidays of 2015 to 2026, each year
# compared with its sources, and says which years it does not know.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check QuantLib==1.44
"$folder/venv/bin/python" -W ignore - <<'PY'
import QuantLib as ql

calendar = ql.India()
CLOSED = ((12, 11, 2015), (31, 10, 2016), (20, 10, 2017), (8, 11, 2018), (28, 10, 2019), (16, 11, 2020))
number = {year: len(calendar.holidayList(ql.Date(1, 1, year), ql.Date(31, 12, year))) for year in range(2013, 2028)}
print("holidays on weekdays by year:", number)
for day, month, year in CLOSED:
    is_open = calendar.isBusinessDay(ql.Date(day, month, year))
    print(f"{year}-{month:02d}-{day:02d}", "business day" if is_open else "holiday")
    assert is_open == (year < 2019), "changed: what is known of that day"
assert all(number[year] <= 6 for year in range(2015, 2019)), "changed: the hole is filled"
assert number[2014] >= 12 and number[2019] >= 12, "changed: the years around the hole"
PY
echo "as stated"
