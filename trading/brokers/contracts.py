"""Names of instruments as Indian brokers' files write them: to VELOX's exchange, symbol and segment."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import lru_cache

from trading.brokers.cells import PlacedCell, identifier, text
from trading.brokers.values import InstrumentName, Segment
from trading.domain.contract_symbols import FUTURE, contract_in_words, contract_of, in_words, symbol_of

EQUITY_EXCHANGES = ("NSE", "BSE")
# Segments that files name beside the exchange, to the exchange's code here: derivatives are exchanges of their own.
_DERIVATIVES = {"NSE": "NFO", "BSE": "BFO"}
_CURRENCY = {"NSE": "CDS", "BSE": "BCD"}
_BY_KIND = {
    "NFO": (Segment.FUTURES, Segment.OPTIONS),
    "BFO": (Segment.FUTURES, Segment.OPTIONS),
    "CDS": (Segment.CURRENCY_FUTURES, Segment.CURRENCY_OPTIONS),
    "BCD": (Segment.CURRENCY_FUTURES, Segment.CURRENCY_OPTIONS),
    "MCX": (Segment.COMMODITY_FUTURES, Segment.COMMODITY_OPTIONS),
}
_CURRENCY_PAIRS = frozenset({"USDINR", "EURINR", "GBPINR", "JPYINR", "EURUSD", "GBPUSD", "USDJPY"})
# Indices whose contracts one exchange alone lists. Stocks have contracts on both.
_EXCHANGE_OF_INDEX = {
    **dict.fromkeys(("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50"), "NFO"),
    **dict.fromkeys(("SENSEX", "BANKEX", "SENSEX50"), "BFO"),
}


def exchange_of(exchange: str, segment: str) -> str | None:
    """Return VELOX's exchange of an exchange (`NSE`, or already `NFO`) and a segment (`EQ`, `FO`, `CDS`, `BCD`, `COM`)
    as files name them; None where the two do not go together."""
    exchange, segment = exchange.upper(), segment.upper()
    if exchange in _BY_KIND:
        return exchange
    if exchange not in EQUITY_EXCHANGES:
        return None
    if segment in ("EQ", "EQUITY", "CM", "CASH"):
        return exchange
    if segment in ("FO", "F&O", "FNO", "DERIVATIVES"):
        return _DERIVATIVES[exchange]
    return _CURRENCY[exchange] if segment in ("CDS", "BCD", "CD", "CURRENCY") else None


def listed_on(exchange: str, symbol: str) -> str | None:
    """Return VELOX's exchange of a symbol that stands with `NSE` or `BSE` and no segment: a contract's own."""
    contract = contract_of(symbol)
    if contract is None:
        return exchange_of(exchange, "EQ")
    return exchange_of(exchange, "CDS" if contract.underlying in _CURRENCY_PAIRS else "FO")


def segment_of(exchange: str | None, symbol: str) -> Segment | None:
    """Return the segment that a symbol is charged by; None where neither its form nor its exchange tells it."""
    if exchange in EQUITY_EXCHANGES:
        return Segment.EQUITY
    contract = contract_of(symbol)
    if exchange not in _BY_KIND or contract is None:
        return None
    return segment_of_contract(exchange, is_option=contract.kind != FUTURE)


def segment_of_contract(exchange: str, *, is_option: bool) -> Segment:
    """Return the segment of a contract on an exchange of derivatives."""
    return _BY_KIND[exchange][is_option]


def exchange_of_contract(symbol: str) -> str | None:
    """Return the exchange of a contract that stands without it; None of a stock's contract, which two may list."""
    contract = contract_of(symbol)
    return None if contract is None else _EXCHANGE_OF_INDEX.get(contract.underlying)


def named(symbol: str, exchange: str | None = None, isin: str | None = None) -> InstrumentName:
    """Return the name of an instrument from its trading symbol, `-EQ` of a share left out."""
    return InstrumentName(exchange, symbol.upper().removesuffix("-EQ"), isin)


def named_in_words(description: str, exchange: str | None = None) -> InstrumentName | None:
    """Return the name of a contract that a file describes in words, None where it is no such description.

    ``exchange`` is what the file says beside it, `NSE`, `BSE` or a code of VELOX. The words are kept as the code, by
    which a mapping may name the instrument where the symbol does not follow from them.
    """
    words = contract_in_words(description)
    if words is None:
        return None
    listed = exchange_of(exchange, "FO") if exchange else _EXCHANGE_OF_INDEX.get(words.contract.underlying)
    # On other exchanges a symbol's month is that of delivery, which the expiry does not tell.
    symbol = symbol_of(words) if listed in (None, "NFO", "BFO") else None
    return InstrumentName(listed, symbol, code=" ".join(description.split()), expiry=words.expiry)


@lru_cache(maxsize=4096)  # a file names its contracts again and again
def named_by_terms(
    exchange: str, underlying: str, expiry: date, strike: Decimal | None = None, right: str | None = None
) -> InstrumentName | None:
    """Return the name of a contract on NFO or BFO whose terms stand in columns, ``right`` CE, PE or None of a future;
    None for terms that contradict each other. The code is its description as `named_in_words` reads it."""
    words = in_words(underlying, expiry, strike, right)
    if words is None:
        return None
    terms = f"{'FUT' if strike is None else 'OPT'} {underlying} {expiry:%d %b %Y}"
    code = terms if strike is None else f"{terms} {strike.normalize():f} {right}"
    return InstrumentName(exchange, symbol_of(words), code=code, expiry=expiry)


def share_named(isin: PlacedCell, company: PlacedCell) -> InstrumentName:
    """Return the name of a share from the cells of its ISIN and its company, either of which may be empty."""
    return InstrumentName(isin=identifier(isin), company=text(company) or None)
