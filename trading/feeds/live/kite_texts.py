"""Texts of Kite's ticker: order updates, with the same keys as a postback, and messages to a person."""

from __future__ import annotations

import orjson

from trading.feeds.live.decoded import NO_POINT, UNREADABLE, Decoded, damaged_frame

REMARK_MAX = 200  # characters


def decode_text(message: str) -> Decoded:
    """Return the order update of a text; messages and errors to a person give no point, and a remark."""
    try:
        content = orjson.loads(message)
        orjson.dumps(content)  # what nests deeper than this cannot be kept, nor shown
        kind, body = content["type"], content["data"]
    except (ValueError, KeyError, TypeError):
        return damaged_frame(UNREADABLE)
    if kind != "order":
        return Decoded(left_out={NO_POINT: 1}, remark=str(body)[:REMARK_MAX])
    return Decoded(orders=[body]) if isinstance(body, dict) else damaged_frame(UNREADABLE)
