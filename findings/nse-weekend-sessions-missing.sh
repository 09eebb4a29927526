#!/usr/bin/env bash
# A market calendar holds NSE's weekday Muhurat sessions with their hours, and none that fell on a weekend.
#
# Guess before the run (2026-11-28): a calendar that knows the evening session of Muhurat with its own hours knows it in
# every year, and knows the Saturdays and Sundays of the Union Budget, on which NSE traded from 09:15 to 15:30.
# Seen, pandas_market_calendars 5.5.0 ("NSE") with pandas 3.1.1: Muhurat on a weekday is there (2021-11-04, 2022-10-24,
# 2024-11-01, 2025-10-21); on a Sunday or Saturday (2019-10-27, 2020-11-14, 2023-11-12) and on the budget days 2020-02-01,
# 2025-02-01 and 2026-02-01 the schedule is empty. No error, no warning: the weekmask goes before any special day, so a
# backtest by this calendar drops these sessions.
# What VELOX does: its own session file (trading/data/exchange_sessions.json) names them, each with its source.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pandas_market_calendars==5.5.0 pandas==3.1.1
"$folder/venv/bin/python" - <<'PY'
import pandas_market_calendars

WEEKDAYS = ("2021-11-04", "2022-10-24", "2024-11-01", "2025-10-21")
WEEKENDS = ("2019-10-27", "2020-11-14", "2023-11-12", "2020-02-01", "2025-02-01", "2026-02-01")
nse = pandas_market_calendars.get_calendar("NSE")
sessions = {day: len(nse.schedule(day, day)) for day in (*WEEKDAYS, *WEEKENDS)}
for day, number in sessions.items():
    print(day, "sessions:", number)
assert all(sessions[day] == 1 for day in WEEKDAYS), "changed: a weekday Muhurat session is gone"
assert not any(sessions[day] for day in WEEKENDS), "changed: a weekend session is known now"
PY
echo "as stated"
