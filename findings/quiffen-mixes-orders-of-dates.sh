#!/usr/bin/env bash
# In one QIF file 11/12/2026 is the 12th of November and 28/11/2026 the 28th: the order of day and month changes by the row.
#
# Guess before the run (2026-11-28): QIF does not say which comes first, so quiffen has `day_first`; a British file read
# without it fails at the first date that is none in the American order, 28/11/2026.
# Seen, quiffen 4.0.1: that row is read the other way round, the rows around it are not. Of a month's file in the day's
# order all days from the 13th on are right, and all before land in another month, 11 December in November. No exception,
# no warning; with day_first=True, 11/28/2026 in an American file is swapped in the same way.
# What VELOX does: a format's order of day and month is part of its layout; a date that is none in it refuses the file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check quiffen==4.0.1
"$folder/venv/bin/python" -W ignore - <<'PY'
import pathlib
import tempfile

from quiffen import Qif


def dates(texts, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "bank.qif")
        path.write_text("!Type:Bank\n" + "".join(f"D{text}\nT-12.50\n^\n" for text in texts))
        (account,) = Qif.parse(path, **options).accounts.values()
        return [f"{each.date:%d %b %Y}" for entries in account.transactions.values() for each in entries]


british, american = ("11/12/2026", "28/11/2026"), ("12/11/2026", "11/28/2026")
unsaid, said, other = dates(british), dates(british, day_first=True), dates(american, day_first=True)
print("British:", british, "read without day_first:", unsaid, "with it:", said)
print("American:", american, "read with day_first:", other)
assert said == ["11 Dec 2026", "28 Nov 2026"], "changed: the order that was asked for"
assert unsaid == ["12 Nov 2026", "28 Nov 2026"], "changed: a British file read without day_first"
assert other == ["12 Nov 2026", "28 Nov 2026"], "changed: an American file read with day_first"
PY
echo "as stated"
