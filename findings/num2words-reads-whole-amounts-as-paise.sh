#!/usr/bin/env bash
# An amount in words is a hundredth of itself when the amount is an int.
#
# Guess before the run (2026-11-28): `num2words(1500, to="currency", currency="INR")` says fifteen hundred rupees, as it
# does for 1500.0, "1500" and Decimal("1500"): the README shows one form for currencies and says nothing of types.
# Seen, num2words 0.5.14: an int is a number of the smallest units. 1500 is "fifteen rupees, zero paise"; the float, the
# text and the Decimal of the same value are "one thousand, five hundred rupees". A sum whose paise happen to be zero and
# that passed through int (a count of lots, a JSON number) puts a hundredth on the cheque or the note. en and en_IN agree.
# What VELOX does: money is Decimal wherever it is kept and shown, and no page puts a sum into words.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check num2words==0.5.14
"$folder/venv/bin/python" -W ignore - <<'PY'
from decimal import Decimal

from num2words import num2words

for language in ("en", "en_IN"):
    words = {}
    for amount in (1500, 1500.0, "1500", Decimal(1500)):
        words[type(amount)] = num2words(amount, to="currency", lang=language, currency="INR")
        print(language, repr(amount), "->", words[type(amount)])
    assert words[int].startswith("fifteen rupees"), "changed: an int is rupees now"
    assert words[float] == words[str] == words[Decimal], "changed: float, text and Decimal differ"
    assert words[Decimal].startswith("one thousand, five hundred rupees"), "changed: a Decimal is read otherwise"
PY
echo "as stated"
