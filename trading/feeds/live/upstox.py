"""Upstox's market data feed 3: a protobuf message with the newest state of each instrument that moved.

Source: upstox.com/developer/api-documentation/v3/get-market-data-feed; `upstox_feed.proto` has the published fields.
Prices are rupees as doubles. The time of a price is its trade's, in milliseconds since 1970, UTC. Zeros are not sent.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError

from trading.feeds.live import upstox_feed_pb2 as messages
from trading.feeds.live.decoded import (
    BEYOND,
    EXACT_MAX,
    FLOAT_MAX,
    MILLISECOND,
    NO_POINT,
    UNREADABLE,
    Decoded,
    FeedInstrument,
    Listing,
    damaged_frame,
    price_of_double,
    why_no_point,
)
from trading.feeds.live.protobuf_fields import unknown_fields


def decode(message: bytes | str, listing: Listing) -> Decoded:
    """Return the quotes of one message; fields that the published layout does not have are counted."""
    if isinstance(message, str):
        return Decoded(left_out={NO_POINT: 1})
    try:
        response = messages.FeedResponse.FromString(message)
    except DecodeError:
        return damaged_frame(UNREADABLE)
    decoded = Decoded(unknown_fields=unknown_fields(response))
    if not response.feeds:
        decoded.leave_out(NO_POINT)
    for key, feed in response.feeds.items():
        _feed(feed, listing.get(key), decoded)
    return decoded


def _feed(feed: messages.Feed, listed: FeedInstrument | None, decoded: Decoded) -> None:
    """Add what is said of one instrument to the message's ``decoded``."""
    kind = feed.WhichOneof("FeedUnion")
    if kind == "fullFeed" and feed.fullFeed.WhichOneof("FullFeedUnion") == "marketFF":
        whole = feed.fullFeed.marketFF
        best = whole.marketLevel.bidAskQuote[0] if whole.marketLevel.bidAskQuote else messages.Quote()
        _quote(whole.ltpc, listed, decoded, volume=whole.vtt, interest=whole.oi, best=best)
    elif kind == "firstLevelWithGreeks":
        first = feed.firstLevelWithGreeks
        _quote(first.ltpc, listed, decoded, volume=first.vtt, interest=first.oi, best=first.firstDepth)
    elif kind == "fullFeed":
        _quote(feed.fullFeed.indexFF.ltpc, listed, decoded)
    else:
        _quote(feed.ltpc, listed, decoded)


def _quote(
    last: messages.LTPC,
    listed: FeedInstrument | None,
    decoded: Decoded,
    *,
    volume: int | None = None,
    interest: float | None = None,
    best: messages.Quote | None = None,
) -> None:
    """Add a quote; ``volume`` is the day's, None where the message has none of its kind."""
    reason = why_no_point(listed, last.ltp, volume)
    if listed is None or reason:
        decoded.leave_out(reason)
    elif not abs(last.ltp) < FLOAT_MAX or not 0 <= last.ltt < EXACT_MAX or abs(volume or 0) > EXACT_MAX:  # NaN neither
        decoded.damage(BEYOND)
    else:
        best = messages.Quote() if best is None else best
        decoded.add(
            listed,
            price_of_double(last.ltp, listed),
            at=last.ltt * MILLISECOND,
            volume=volume,
            last=last.ltq,
            interest=interest,
            bid=price_of_double(best.bidP, listed) if best.bidQ > 0 and 0 < best.bidP < FLOAT_MAX else 0.0,
            ask=price_of_double(best.askP, listed) if best.askQ > 0 and 0 < best.askP < FLOAT_MAX else 0.0,
        )
