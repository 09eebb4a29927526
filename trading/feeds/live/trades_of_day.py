"""The real trades of the day as a broker's interface answers: what takes the place of provisional fills."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import orjson

from trading.errors import StoreUnavailable
from trading.feeds.live.credentials import Credentials

TIMEOUT_SECONDS = 10
ANSWER_BYTES_MAX = 32 * 2**20
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class TradesAddress:
    """Where a broker tells the day's trades, and the headers that a request needs."""

    url: str
    headers: Callable[[Credentials], Mapping[str, str]]


TRADES = {
    "kite": TradesAddress(
        "https://api.kite.trade/trades",
        lambda secrets: {
            "X-Kite-Version": "3",
            "Authorization": f"token {secrets['KITE_API_KEY']}:{secrets['KITE_ACCESS_TOKEN']}",
        },
    ),
    "dhan": TradesAddress(
        "https://api.dhan.co/v2/trades", lambda secrets: {"access-token": secrets["DHAN_ACCESS_TOKEN"]}
    ),
    "upstox": TradesAddress(
        "https://api.upstox.com/v2/order/trades/get-trades-for-day",
        lambda secrets: {"Authorization": f"Bearer {secrets['UPSTOX_ACCESS_TOKEN']}"},
    ),
}


def fetch_trades(feed: str, secrets: Credentials, url: str | None = None) -> bytes:
    """Return a broker's answer with the day's trades; ``url`` stands in for its own address.

    Raises: StoreUnavailable where it does not answer, without a word of the request.
    """
    address = TRADES[feed]
    target = url or address.url
    parts = urlsplit(target)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise StoreUnavailable("The trades' address is neither https:// nor of this machine.", field="trades_url")
    request = Request(target, headers={"Accept": "application/json", **address.headers(secrets)})  # noqa: S310
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  (its scheme is looked at above)
            return bytes(answer.read(ANSWER_BYTES_MAX))
    except (URLError, OSError, ValueError) as error:
        status = getattr(error, "code", None)
        raise StoreUnavailable(
            f"The broker does not tell its trades ({status or type(error).__name__}).",
            hint="They are asked for again at the next connection; a file does as well.",
        ) from None


def has_objects(content: bytes) -> bool:
    """Tell whether an answer has any trade: an empty one is of no layout. What is no JSON, the importer tells."""
    try:
        answer = orjson.loads(content)
    except ValueError:
        return True
    return bool(answer.get("data", True) if isinstance(answer, dict) else answer)
