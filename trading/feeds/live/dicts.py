"""Dicts of brokers' own SDKs to quotes: `timeseries.spool.feed_keys.FEEDS` says what each feed's keys mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from timeseries.spool.feed_keys import FEEDS, PAISE, FeedKeys
from trading.feeds.live.decoded import (
    BEYOND,
    FLOAT_MAX,
    NO_POINT,
    NOT_LISTED,
    UNREADABLE,
    Decoded,
    FeedKey,
    Listing,
    Quote,
    damaged_frame,
    price_of_double,
    why_no_point,
)
from trading.feeds.live.sdk_shapes import Fields, instruments_of
from trading.feeds.live.sdk_values import instant_of, number_of

_CURRENCY, _CURRENCY_SCALE, _PAISE = 13, 10_000_000, 100  # of Angel


def decode(feed: str, content: Fields | Sequence[Fields], listing: Listing) -> Decoded:
    """Return the quotes of what an SDK hands to its caller: a dict, or a list of them."""
    decoded = Decoded()
    for fields in content if isinstance(content, Sequence) and not isinstance(content, str) else [content]:
        if not isinstance(fields, Mapping):
            decoded.damage(UNREADABLE)
            continue
        for key, flat in instruments_of(feed, fields):
            _add(FEEDS[feed], key, flat, listing, decoded)
    return decoded


def decode_line(feed: str, line: bytes | str, listing: Listing) -> Decoded:
    """Return the quotes of one JSON line of a child process. NaN stands for what an SDK does not know."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return damaged_frame(UNREADABLE)
    return decode(feed, content, listing)


def _add(keys: FeedKeys, key: FeedKey | None, fields: Fields, listing: Listing, decoded: Decoded) -> None:
    """Add the quote of one instrument to ``decoded``, or count why there is none."""
    listed = None if key is None else listing.get(key)
    if listed is None:
        decoded.leave_out(NOT_LISTED if len(fields) > 1 else NO_POINT)
        return
    scale = 1
    if keys.prices_are == PAISE:
        scale = _CURRENCY_SCALE if fields.get("exchange_type") == _CURRENCY else _PAISE
    quote: Quote = {}
    for name, field in {**keys.fields, "bid": "bid", "ask": "ask"}.items():
        number = number_of(fields.get(name))
        if number is None or (field != "day_volume" and number in (0, -1)):
            continue  # what feeds say where there is none
        if abs(number) >= FLOAT_MAX * scale:
            decoded.damage(BEYOND)
            return
        if field in ("last", "bid", "ask"):
            number = number / scale if scale != 1 else price_of_double(number, listed)
        quote[field] = number
    instant = instant_of(keys, fields.get(keys.time))
    if instant is not None:
        quote["timestamp"] = instant
    last, volume = quote.pop("last", 0), quote.get("day_volume")
    reason = why_no_point(listed, last, None if volume is None else int(volume))
    if reason:
        decoded.leave_out(reason)
    else:
        decoded.has_timeless |= instant is None
        decoded.ticks.append((listed.symbol, {"ltp": last, **quote}))
