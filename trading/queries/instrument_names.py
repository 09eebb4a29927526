"""Instruments as brokers' files name them (ISIN, company, the broker's own code), resolved to VELOX's symbols.

A map of names comes first: a CSV of one's own, Kite's `instruments.csv`, or an exchange's list of securities. After it
come the ISINs that earlier files told beside a symbol. What neither knows stays unknown: nothing is guessed.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from trading.brokers.values import InstrumentName
from trading.errors import InvalidValue
from trading.models import BrokerFill, Instrument
from trading.queries.instruments import exchanges, plain_name, shown_symbol, split_symbol

_ALIASES = {
    "symbol": ("symbol", "tradingsymbol"),
    "exchange": ("exchange",),
    "isin": ("isin", "isin number"),
    "company": ("company", "name", "name of company"),
    "code": ("code",),
}
_KEYS = ("isin", "company", "code")
_HINT = "Its header has symbol and any of exchange, isin, company, code."
_COMPANY_ENDS = re.compile(r"\b(LIMITED|LTD)\b")
_NOT_IN_A_NAME = re.compile(r"[^A-Z0-9&]+")
NameMap = dict[tuple[str, str], set[str]]  # (isin, company, code or symbol; the name) to VELOX's symbols


def parse_symbols(text: str) -> NameMap:
    """Return the names of a map's text. Raises: InvalidValue where it names no symbol."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    header = {(name or "").strip().lower().replace("_", " "): name for name in reader.fieldnames or ()}
    columns = {
        key: next((header[alias] for alias in aliases if alias in header), None) for key, aliases in _ALIASES.items()
    }
    if columns["symbol"] is None or not any(columns[key] for key in _KEYS):
        raise InvalidValue("This is no map of symbols.", field="symbols", hint=_HINT)
    names: NameMap = defaultdict(set)
    for row in reader:
        cells = {key: (row.get(column) or "").strip() if column else "" for key, column in columns.items()}
        if not cells["symbol"]:
            continue
        symbol = plain_name(f"{cells['exchange']}:{cells['symbol']}" if cells["exchange"] else cells["symbol"])
        names["symbol", split_symbol(symbol)[1]].add(symbol)
        for key in _KEYS:
            if cells[key]:
                names[key, _plain(key, cells[key])].add(symbol)
    return names


@dataclass(slots=True)
class ResolvedNames:
    """The names that one import can resolve."""

    names: NameMap = field(default_factory=dict)
    _codes: frozenset[str] = frozenset()

    def resolve(self, instrument: InstrumentName) -> str | None:
        """Return VELOX's symbol of an instrument, None where it is unknown or could be two."""
        for key in _KEYS:
            name = getattr(instrument, key)
            symbols = self.names.get((key, _plain(key, name)), set()) if name else set()
            fitting = {symbol for symbol in symbols if instrument.exchange in (None, split_symbol(symbol)[0])}
            if len(fitting) == 1 and instrument.symbol is None:
                return next(iter(fitting))
        if instrument.symbol is None:
            return None
        if instrument.exchange is None:  # of a stock's contract, which both exchanges may list
            symbols = self.names.get(("symbol", instrument.symbol), set())
            return next(iter(symbols)) if len(symbols) == 1 else None
        self._codes = self._codes or frozenset(exchanges())
        return shown_symbol(instrument.exchange, instrument.symbol) if instrument.exchange in self._codes else None


def names_of(
    instruments: Iterable[InstrumentName], map_of_names: NameMap, *, tried: NameMap | None = None
) -> ResolvedNames:
    """Return what resolves these instruments: the map that a person gave, the ISINs that earlier files told, and the
    ledger's own instruments of a symbol that stands without its exchange; ``tried`` are names that files would leave
    which are tried before."""
    nameless = [each for each in instruments if not each.symbol or not each.exchange]
    isins = sorted({each.isin for each in nameless if each.isin and not each.symbol})
    symbols = sorted({each.symbol for each in nameless if each.symbol})
    learned: NameMap = defaultdict(set)
    for start in range(0, len(symbols), 500):
        listed = Instrument.objects.filter(symbol__in=symbols[start : start + 500])
        for exchange, symbol in listed.values_list("exchange__code", "symbol"):
            learned["symbol", symbol].add(shown_symbol(exchange, symbol))
    for start in range(0, len(isins), 500):
        rows = BrokerFill.objects.filter(isin__in=isins[start : start + 500])
        for isin, exchange, symbol in rows.values_list("isin", "exchange__code", "instrument__symbol").distinct():
            learned["isin", isin].add(shown_symbol(exchange, symbol))
    for name, fitting in (tried or {}).items():
        learned[name] |= fitting
    return ResolvedNames({**learned, **map_of_names})


def _plain(key: str, name: str) -> str:
    return (
        _NOT_IN_A_NAME.sub(" ", _COMPANY_ENDS.sub(" ", name.upper().replace(".", ""))).strip()
        if key == "company"
        else name.upper()
    )
