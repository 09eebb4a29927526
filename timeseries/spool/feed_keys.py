"""The keys of known feeds for a tick's fields, in one place: what each means, and which mean the same whoever sends.

Sources: the official SDKs' own dicts (KiteTicker 5, SmartApi 1.5, dhanhq 2, upstox-python-sdk 2, fyers_apiv3 3,
ib_async 2). `trading.feeds.live.dicts` reads a dict whose feed is known, with all that `FEEDS` says. A tick of a caller
may be of any feed: of those only what is certain is read (`ALIASES`, `TIMES`), and what is not is counted (`COUNTED`).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass

# How a feed writes a price or a time: rupees or paise; a datetime, or a count since 1970 in seconds or milliseconds.
RUPEES, PAISE = "rupees", "paise"
DATETIME, SECONDS, MILLISECONDS = "datetime", "seconds", "milliseconds"


@dataclass(frozen=True, slots=True)
class FeedKeys:
    """One SDK's dict: ``fields`` maps its keys to a tick's, ``last`` among them; ``symbol`` is the key of what the feed
    calls the instrument; ``time`` is that of the tick's time, "" where it has none that can be read."""

    symbol: str
    fields: Mapping[str, str]
    time: str = ""
    time_is: str = SECONDS
    prices_are: str = RUPEES


FEEDS = {
    "kite": FeedKeys(
        "instrument_token",
        {"last_price": "last", "volume_traded": "day_volume", "last_traded_quantity": "last_quantity", "oi": "oi"},
        "exchange_timestamp",
        DATETIME,
    ),
    "angel": FeedKeys(
        "token",
        {
            "last_traded_price": "last",
            "volume_trade_for_the_day": "day_volume",
            "last_traded_quantity": "last_quantity",
            "open_interest": "oi",
        },
        "exchange_timestamp",
        MILLISECONDS,
        PAISE,
    ),
    # Its LTT is a time of day without its date, and its prices are cut to two decimals: better its frames.
    "dhan": FeedKeys("security_id", {"LTP": "last", "LTQ": "last_quantity", "OI": "oi", "volume": "day_volume"}),
    "upstox": FeedKeys("key", {"ltp": "last", "ltq": "last_quantity", "vtt": "day_volume"}, "ltt", MILLISECONDS),
    "fyers": FeedKeys(
        "symbol",
        {
            "ltp": "last",
            "vol_traded_today": "day_volume",
            "last_traded_qty": "last_quantity",
            "bid_price": "bid",
            "ask_price": "ask",
        },
        "exch_feed_time",
    ),
    "ib": FeedKeys(
        "symbol",
        {"last": "last", "lastSize": "last_quantity", "volume": "day_volume", "bid": "bid", "ask": "ask"},
        "time",
        DATETIME,
    ),
}

# A word whose meaning or unit another feed, or a tick of our own, has otherwise.
_NOT_CERTAIN = {"last_traded_price", "volume", "last", "lastSize"}
# Certain whoever sends it: one meaning, and units in which nobody differs.
ALIASES = {key: field for feed in FEEDS.values() for key, field in feed.fields.items() if key not in _NOT_CERTAIN}
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
