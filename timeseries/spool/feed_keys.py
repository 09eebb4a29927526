"""The keys of known feeds for a tick's fields: those whose meaning is certain are read, the others are counted.

Sources: the official SDKs' own dicts (KiteTicker 5, SmartApi 1.5, dhanhq 2, upstox-python-sdk 2, fyers_apiv3 3).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable

# Certain whoever sends it: one meaning, and units in which nobody differs.
ALIASES = {
    "LTP": "last",  # Dhan, as text
    "volume_traded": "day_volume",  # Kite
    "volume_trade_for_the_day": "day_volume",  # Angel
    "vol_traded_today": "day_volume",  # Fyers
    "vtt": "day_volume",  # Upstox
    "last_traded_quantity": "last_quantity",  # Kite, Angel
    "last_traded_qty": "last_quantity",  # Fyers
    "ltq": "last_quantity",  # Upstox
    "LTQ": "last_quantity",  # Dhan
    "bid_price": "bid",  # Fyers
    "ask_price": "ask",
    "open_interest": "oi",  # Angel
    "OI": "oi",  # Dhan
}
# When the exchange sent it: a datetime (Kite), or a count since 1970 whose magnitude tells its unit (Angel's ms, Fyers'
# s). What cannot be such a time is counted, and the clock is taken: a feed's odd stamp costs no good price.
TIMES = ("exchange_timestamp", "exch_feed_time")
# Not certain: another unit or another zone from feed to feed (Angel's prices are paise, Dhan's LTT is a time of day
# without its date, Upstox' ltt is ms as text), or the last trade's time, which is not the tick's. Only ever added at
# the end: a key's place is that of its count in the lane.
COUNTED = (
    *TIMES,
    "last_traded_price",
    "last_trade_time",
    "last_traded_time",
    "last_traded_timestamp",
    "ltt",
    "LTT",
    "currentTs",
)
UNCERTAIN = frozenset(COUNTED) - set(TIMES)


def counted_places(keys: Collection[Hashable]) -> tuple[int, ...]:
    """Return the places in `COUNTED` of the keys that are counted instead of read."""
    return tuple(place for place, key in enumerate(COUNTED) if key in UNCERTAIN and key in keys)
