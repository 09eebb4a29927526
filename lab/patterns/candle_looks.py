"""Looking for TA-Lib's candlesticks, and at what followed them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lab.domain.followed import holm
from lab.operations.record_run import CANDLES
from lab.patterns.candlesticks import LOOKBACK, NAMES, VERSION, signs_of
from lab.patterns.looking import PatternAnswer, PatternRequest, is_beyond_luck, keep_answer, looked_days, record_looks
from lab.patterns.looks import LookedDay, PatternLook
from timeseries.reader import Reader
from trading.progress import tell


def look_for_candles(request: PatternRequest, reader: Reader) -> PatternAnswer:
    """Look for each candlestick, record a trial for each that there is, and tell what followed.

    Raises: InvalidValue, StoreUnavailable, LedgerBusy, LedgerNotReady.
    """
    looked = looked_days(request, reader, LOOKBACK + 1)
    looks = candle_looks(looked.days)
    trials = record_looks(request, CANDLES, looked, looks, seen_by=VERSION)
    rows = [look.row(looked.days) for look in looks]
    for row, corrected in zip(rows, holm([row["p"] for row in rows], trials), strict=True):
        row["p_corrected"], row["holds"] = corrected, is_beyond_luck(corrected)
    rows.sort(key=lambda row: (row["p"] is None, row["p"] or 0.0, row["pattern"]))
    return keep_answer(request, CANDLES, looked, rows, trials=trials, left_out=0)


def candle_looks(days: Sequence[LookedDay]) -> list[PatternLook]:
    """Return each candlestick and sign that there is on some days, with the candles that have it."""
    signs = []
    for number, day in enumerate(days, start=1):
        signs.append(signs_of(day.grid))
        tell("candlesticks", number, len(days))
    looks = []
    for name in NAMES:
        for sign in (1, -1):
            seen = [np.flatnonzero((of_day[name] == sign) & day.clear) for day, of_day in zip(days, signs, strict=True)]
            if any(map(len, seen)):
                looks.append(PatternLook(name.removeprefix("CDL").lower(), sign, seen))
    return looks
