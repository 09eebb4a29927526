#!/usr/bin/env bash
# The last days of December are added to the first week of the January before.
#
# Guess before the run (2026-11-28): `aggregate_returns(returns, "weekly")` puts 29 to 31 December 2025, the ISO week 1 of
# 2026, into a week of their own or into 2026; a week of the result is a week of the calendar.
# Seen, empyrical-reloaded 0.5.9 with pandas 3.1.1: the groups are of calendar year and ISO week. 30 December 2025 is
# (2025, 1) with 1 to 3 January 2025, compounded into one return 52 weeks wide: +1 % and +5 % give a "week" of +6.05 %. A
# best or worst week and a weekly Sharpe ratio count it; there is no warning. 2024 and 2025 do so, 2026 does not.
# What VELOX does: a week is named by its ISO year and number (2026-W01); empyrical is asked for figures of days only, in
# tests.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check empyrical-reloaded==0.5.9 pandas==3.1.1
"$folder/venv/bin/python" -W ignore - <<'PY'
import empyrical
import pandas as pd

for year in (2024, 2025, 2026):
    returns = pd.Series(0.0, index=pd.bdate_range(f"{year}-01-01", f"{year}-12-31"))
    returns[f"{year}-01-02"], returns[f"{year}-12-30"] = 0.01, 0.05
    weeks = empyrical.aggregate_returns(returns, "weekly")
    print(year, "greatest week:", weeks.idxmax(), round(float(weeks.max()), 6), "of", len(weeks), "weeks")
    merged = year != 2026
    assert weeks.idxmax() == ((year, 1) if merged else (year, 53)), "changed: the greatest week"
    assert round(float(weeks.max()), 6) == (0.0605 if merged else 0.05), "changed: its return"
PY
echo "as stated"
