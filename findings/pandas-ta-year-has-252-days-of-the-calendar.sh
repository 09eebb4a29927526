#!/usr/bin/env bash
# A price that doubles within a year has grown by 61 % a year.
#
# Guess before the run (2026-11-30): from 100 on 1 January 2025 to 200 on 1 January 2026 one year has gone by, and the compound
# annual growth is 100 %.
# Seen, pandas-ta-classic 0.8.32: it is 61.4 %. The days between the first and the last row are days of the calendar,
# weekends and holidays among them, and are divided by the 252 days on which an exchange is open: the year has 1.448 years, and
# so has each other span. Growth is told too small by more than a third, a loss of a half as one of 38 %; the Calmar ratio is
# counted from it. The same function's months are right (12.0).
# What VELOX does: its growth a year counts trading days by 252 of them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pandas-ta-classic==0.8.32 pandas==3.1.1 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PY'
import pandas as pd
import pandas_ta_classic as ta

year = pd.date_range("2025-01-01", "2026-01-01")
doubled, halved = (pd.Series([100.0] * (len(year) - 1) + [end], index=year) for end in (200.0, 50.0))
print("years", round(ta.total_time(doubled), 3), "- months", round(ta.total_time(doubled, "months"), 1))
print("growth a year: doubled", round(ta.cagr(doubled), 3), "- halved", round(ta.cagr(halved), 3))
assert round(ta.total_time(doubled), 3) == 1.448, "changed: the years"
assert round(ta.total_time(doubled, "months"), 1) == 12.0, "changed: the months"
assert round(ta.cagr(doubled), 3) == 0.614, "changed: the growth of what doubled"
assert round(ta.cagr(halved), 3) == -0.380, "changed: the growth of what fell by half"
PY
echo "as stated"
