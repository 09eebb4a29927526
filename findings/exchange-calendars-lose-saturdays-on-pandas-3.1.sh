#!/usr/bin/env bash
# The same release of exchange_calendars has Bombay's special Saturday sessions with one pandas and not with the next.
#
# Guess before the run (2026-11-28): a calendar's sessions are data of the calendar's package; another pandas that the
# package accepts cannot change which days are sessions.
# Seen, exchange_calendars 4.13.2 ("XBOM"): with pandas 3.0.5 the special Saturdays 2024-01-20 and 2025-02-01 are sessions,
# as the package's own list of special weekmasks says; with pandas 3.1.1 they are not. The weekdays around them are the same,
# nothing is raised, and pip finds nothing wrong with either pair.
# What VELOX does: its own session file names such days; no calendar package stands between it and a session.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for pandas in 3.0.5 3.1.1; do
  python3 -m venv "$folder/$pandas"
  "$folder/$pandas/bin/pip" install --quiet --disable-pip-version-check exchange_calendars==4.13.2 "pandas==$pandas"
  "$folder/$pandas/bin/pip" --disable-pip-version-check check
  "$folder/$pandas/bin/python" - <<'PY'
import exchange_calendars
import pandas

bombay = exchange_calendars.get_calendar("XBOM")
days = ("2024-01-19", "2024-01-20", "2025-01-31", "2025-02-01", "2025-02-03")
sessions = {day: bool(bombay.is_session(day)) for day in days}
print("pandas", pandas.__version__, sessions)
has_saturdays = pandas.__version__.startswith("3.0.")
assert all(sessions[day] for day in ("2024-01-19", "2025-01-31", "2025-02-03")), "changed: a weekday is no session"
assert {sessions["2024-01-20"], sessions["2025-02-01"]} == {has_saturdays}, "changed: the two agree now"
PY
done
echo "as stated"
