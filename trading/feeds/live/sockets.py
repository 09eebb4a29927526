"""How each broker's socket is opened: its address, its headers, and the messages that subscribe to instruments.

Sources: the documents named in each decoder's module. Every instrument is subscribed to with all that the broker sends
of it: prices, the best of the book, open interest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from trading.feeds.live.credentials import Credentials
from trading.feeds.live.decoded import Listing

_AT_ONCE = 100  # instruments in a message of Dhan's; the others take more
_ANGEL_SNAP, _DHAN_FULL = 3, 21
_DHAN_SEGMENTS = {
    0: "IDX_I",
    1: "NSE_EQ",
    2: "NSE_FNO",
    3: "NSE_CURRENCY",
    4: "BSE_EQ",
    5: "MCX_COMM",
    7: "BSE_CURRENCY",
    8: "BSE_FNO",
}


@dataclass(frozen=True, slots=True)
class BrokerSocket:
    """What opens a socket and what is sent first; ``beat`` is a text that the broker wants every ten seconds."""

    url: str
    subscriptions: Sequence[str | bytes] = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)  # has secrets, as the headers have
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    beat: str = ""

    def address(self, url: str | None = None) -> str:
        """Return the address with its secrets; ``url`` stands in for the broker's own."""
        base = url or self.url
        return f"{base}?{urlencode(self.query)}" if self.query else base


def kite_socket(listing: Listing, secrets: Credentials) -> BrokerSocket:
    """Return Kite's ticker, mode full; order updates come on it unasked."""
    tokens = list(listing)
    subscriptions = [json.dumps({"a": "subscribe", "v": tokens}), json.dumps({"a": "mode", "v": ["full", tokens]})]
    query = {"api_key": secrets["KITE_API_KEY"], "access_token": secrets["KITE_ACCESS_TOKEN"]}
    return BrokerSocket("wss://ws.kite.trade", subscriptions, query)


def angel_socket(listing: Listing, secrets: Credentials) -> BrokerSocket:
    """Return Angel One's SmartStream 2, mode snap quote."""
    by_exchange: dict[int, list[str]] = {}
    for key in listing:
        exchange, _, token = str(key).partition(":")
        by_exchange.setdefault(int(exchange), []).append(token)
    tokens = [{"exchangeType": exchange, "tokens": names} for exchange, names in sorted(by_exchange.items())]
    wanted = {"correlationID": "velox", "action": 1, "params": {"mode": _ANGEL_SNAP, "tokenList": tokens}}
    headers = {
        "Authorization": f"Bearer {secrets['ANGEL_ACCESS_TOKEN']}",
        "x-api-key": secrets["ANGEL_API_KEY"],
        "x-client-code": secrets["ANGEL_CLIENT_CODE"],
        "x-feed-token": secrets["ANGEL_FEED_TOKEN"],
    }
    url = "wss://smartapisocket.angelone.in/smart-stream"
    return BrokerSocket(url, [json.dumps(wanted)], headers=headers, beat="ping")


def dhan_socket(listing: Listing, secrets: Credentials) -> BrokerSocket:
    """Return Dhan's market feed 2, full packets."""
    subscriptions = []
    numbered = list(listing)
    for start in range(0, len(numbered), _AT_ONCE):
        keys = numbered[start : start + _AT_ONCE]
        pairs = [str(key).partition(":")[::2] for key in keys]
        names = [{"ExchangeSegment": _DHAN_SEGMENTS.get(int(number), number), "SecurityId": i} for number, i in pairs]
        wanted = {"RequestCode": _DHAN_FULL, "InstrumentCount": len(names), "InstrumentList": names}
        subscriptions.append(json.dumps(wanted))
    query = {"version": "2", "token": secrets["DHAN_ACCESS_TOKEN"], "clientId": secrets["DHAN_CLIENT_ID"]}
    return BrokerSocket("wss://api-feed.dhan.co", subscriptions, {**query, "authType": "2"})


def upstox_socket(listing: Listing, secrets: Credentials) -> BrokerSocket:
    """Return Upstox's market data feed 3, mode full; its requests are binary messages."""
    wanted = {"guid": "velox", "method": "sub", "data": {"mode": "full", "instrumentKeys": list(listing)}}
    headers = {"Authorization": f"Bearer {secrets['UPSTOX_ACCESS_TOKEN']}", "Accept": "*/*"}
    return BrokerSocket("wss://api.upstox.com/v3/feed/market-data-feed", [json.dumps(wanted).encode()], headers=headers)
