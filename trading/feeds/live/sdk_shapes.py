"""What brokers' SDKs hand to their callers, made flat: one instrument's fields at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from timeseries.spool.feed_keys import FEEDS
from trading.domain.chain import JSON
from trading.feeds.live.decoded import FeedKey

Fields = Mapping[str, "JSON | datetime"]


def instruments_of(feed: str, fields: Fields) -> Iterator[tuple[FeedKey | None, Fields]]:
    """Yield what a dict says of each instrument: what the feed calls it, and flat fields."""
    if feed == "upstox":
        feeds = fields.get("feeds")
        for key, each in feeds.items() if isinstance(feeds, Mapping) else ():
            yield key, _flat_upstox(each)
    elif feed == "angel":
        yield f"{fields.get('exchange_type')}:{fields.get('token')}", {**fields, **_best(fields, "best_5_{}_data")}
    elif feed == "dhan":
        yield f"{fields.get('exchange_segment')}:{fields.get('security_id')}", fields
    elif feed == "kite":
        depth = fields.get("depth")
        best = _best(depth, "{}") if isinstance(depth, Mapping) else {}
        token = fields.get("instrument_token")
        yield token if isinstance(token, int) else None, {**fields, **best}
    else:
        name = fields.get(FEEDS[feed].symbol)
        yield name if isinstance(name, str) else None, fields


def _best(book: Fields, name: str) -> dict[str, JSON]:
    """Return the best bid and ask of a book with sides "buy" and "sell", where there is one."""
    best: dict[str, JSON] = {}
    for side, field in (("buy", "bid"), ("sell", "ask")):
        levels = book.get(name.format(side))
        level = levels[0] if isinstance(levels, Sequence) and not isinstance(levels, str) and levels else None
        if isinstance(level, Mapping) and level.get("quantity"):
            best[field] = level.get("price")
    return best


def _flat_upstox(each: JSON) -> Fields:
    """Return the fields of one instrument of `MessageToDict`, in which zeros are absent."""
    if not isinstance(each, Mapping):
        return {}
    whole = each.get("fullFeed")
    kinds = whole if isinstance(whole, Mapping) else {}
    market = kinds.get("marketFF", each.get("firstLevelWithGreeks"))
    content = market or kinds.get("indexFF") or each
    flat: dict[str, JSON] = dict(content) if isinstance(content, Mapping) else {}
    last = flat.get("ltpc")
    flat |= last if isinstance(last, Mapping) else {}
    if market:
        flat = {"vtt": "0", **flat}
    levels = flat.get("marketLevel")
    quotes = levels.get("bidAskQuote") if isinstance(levels, Mapping) else [flat.get("firstDepth")]
    level = quotes[0] if isinstance(quotes, Sequence) and quotes else None
    if isinstance(level, Mapping):
        flat |= {"bid": level.get("bidP") if level.get("bidQ") else None}
        flat |= {"ask": level.get("askP") if level.get("askQ") else None}
    return flat
