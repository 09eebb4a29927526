"""Periods of candles and bars, by the names that callers use."""

from __future__ import annotations

from trading.errors import InvalidValue

SECOND = 10**9
PERIODS = {
    "1s": SECOND,
    "5s": 5 * SECOND,
    "15s": 15 * SECOND,
    "1m": 60 * SECOND,
    "3m": 180 * SECOND,
    "5m": 300 * SECOND,
    "10m": 600 * SECOND,
    "15m": 900 * SECOND,
    "30m": 1800 * SECOND,
    "1h": 3600 * SECOND,
    "1d": 86_400 * SECOND,
}


def parse_period(period: str, field: str) -> int:
    """Return a period in ns. Raises: InvalidValue."""
    if not isinstance(period, str) or period not in PERIODS:
        raise InvalidValue(f"{field} is {period!r}.", field=field, hint=f"Give one of {' '.join(PERIODS)}.")
    return PERIODS[period]
