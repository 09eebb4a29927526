"""The file of instruments that a recorder is given: what the feed calls each, VELOX's symbol, and its price tick.

Two headers are read: Kite's `instruments.csv` (for its own feed), and `key,symbol` with `price_tick` and `kind` beside
them. A key is a number for Kite, `exchange type:token` for Angel (`1:2885`), `segment:security` for Dhan (`1:1333`),
and the instrument key for Upstox (`NSE_EQ|INE002A01018`); for Fyers and IB it is their own symbol.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation

from trading.domain.money import parse_price
from trading.errors import InvalidValue
from trading.feeds.live.decoded import FeedInstrument, FeedKey, Listing
from trading.queries.instruments import shown_symbol, split_symbol

_KITE_COLUMNS = ("instrument_token", "tradingsymbol", "exchange", "tick_size", "segment")
_INDEX_SEGMENT = 9  # of Kite's tokens
# How a feed's keys look, and which of them are of indices.
_IS_INDEX: Mapping[str, Callable[[str], bool]] = {
    "kite": lambda key: key.isdigit() and int(key) & 0xFF == _INDEX_SEGMENT,
    "angel": lambda key: key.partition(":")[2].startswith("999"),
    "dhan": lambda key: key.startswith("0:"),
    "upstox": lambda key: "_INDEX|" in key,
}


def parse_listing(text: str, feed: str) -> dict[FeedKey, FeedInstrument]:
    """Return the instruments of a file's text by what the feed calls them.

    Raises: InvalidValue, with the line, for a header or a row that cannot be read, a symbol that cannot be booked, and
        a key or symbol that stands twice.
    """
    listing: dict[FeedKey, FeedInstrument] = {}
    symbols: set[str] = set()
    for line, key, symbol, tick, kind in _rows(text):
        is_index = kind.upper() in ("INDEX", "INDICES") or (feed in _IS_INDEX and _IS_INDEX[feed](key))
        try:
            split_symbol(symbol)
            price_tick = parse_price(Decimal(tick), "price_tick") if tick.strip("0.") else None
            listed = FeedInstrument.of(symbol, price_tick, is_index=is_index)
            name = _key(key, feed)
        except (InvalidValue, InvalidOperation) as error:
            raise InvalidValue(f"Line {line} of the instruments: {error}", field="instruments") from error
        if name in listing or symbol in symbols:
            raise InvalidValue(
                f"Line {line} of the instruments: {key} or {symbol} stands there twice.",
                field="instruments",
                hint="Leave one of the two lines out.",
            )
        listing[name] = listed
        symbols.add(symbol)
    if not listing:
        raise InvalidValue("The file of instruments has none.", field="instruments", hint="Give at least one.")
    return listing


def ticks_of(listing: Listing) -> dict[tuple[str | None, str | None], Decimal]:
    """Return the price ticks that a listing tells, by exchange and symbol."""
    return {split_symbol(each.symbol): Decimal(each.tick) / each.scale for each in listing.values() if each.tick}


def _key(key: str, feed: str) -> FeedKey:
    """Return a key as the feed's decoder knows it. Raises: InvalidValue."""
    if feed == "kite":
        if not (key.isascii() and key.isdigit() and int(key) < 2**32):
            raise InvalidValue(f"{key!r} is no instrument token.", field="key", hint="Kite's are whole numbers.")
        return int(key)
    if feed in ("angel", "dhan"):
        exchange, colon, token = key.partition(":")
        if not (colon and exchange.isdigit() and token.isdigit()):
            raise InvalidValue(f"{key!r} is no key.", field="key", hint="Give exchange and token, such as 1:2885.")
        return f"{int(exchange)}:{token if feed == 'angel' else int(token)}"
    if not key:
        raise InvalidValue("It has no key.", field="key", hint="Give what the feed calls the instrument.")
    return key


def _rows(text: str) -> Iterator[tuple[int, str, str, str, str]]:
    """Yield line, key, symbol, tick and kind of each row. Raises: InvalidValue."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    header = set(reader.fieldnames or ())
    try:
        if {"key", "symbol"} <= header:
            for row in reader:
                cells = {name: (row.get(name) or "").strip() for name in ("key", "price_tick", "kind")}
                yield reader.line_num, cells["key"], row["symbol"] or "", cells["price_tick"], cells["kind"]
        elif set(_KITE_COLUMNS) <= header:
            for row in reader:
                kite = {name: row.get(name) or "" for name in _KITE_COLUMNS}
                symbol = shown_symbol(kite["exchange"], kite["tradingsymbol"])
                yield reader.line_num, kite["instrument_token"], symbol, kite["tick_size"], kite["segment"]
        else:
            raise InvalidValue(
                "This is no file of instruments.",
                field="instruments",
                hint=f"Its header has key and symbol (price_tick, kind), or {', '.join(_KITE_COLUMNS)}.",
            )
    except csv.Error as error:
        raise InvalidValue(f"Line {reader.line_num} of the instruments: {error}", field="instruments") from error
