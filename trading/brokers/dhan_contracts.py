"""How Dhan's reports name what was traded: a company, or a contract as `OPT LTM 28 Jul 2026 4400 CE`."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from trading.brokers.cells import PlacedCell, required_text
from trading.brokers.contracts import EQUITY_EXCHANGES, named_in_words, segment_of_contract
from trading.brokers.values import InstrumentName, Segment
from trading.domain.contract_symbols import FUTURE, contract_in_words

_CURRENCIES = frozenset({"USDINR", "EURINR", "GBPINR", "JPYINR", "EURUSD", "GBPUSD", "USDJPY"})
# Here Dhan's rows count units (barrels, dollars) and not contracts, so that an amount is quantity times price. Of an
# instrument that is kept in contracts of many units they are no fills: its multiplier is another one.
_IN_UNITS = frozenset({"MCX", "CDS", "BCD"})
_OF_CURRENCY = {"NSE": "CDS", "BSE": "BCD"}


def traded(name_cell: PlacedCell, exchange_cell: PlacedCell) -> tuple[InstrumentName, Segment]:
    """Return the instrument of a row and its segment. Dhan says NSE and BSE of contracts too; here they trade on
    exchanges of their own. Raises: UnreadableCell for an exchange or a name that fits neither."""
    name, exchange = required_text(name_cell), required_text(exchange_cell)
    words = contract_in_words(name)
    if words is None:
        if exchange not in EQUITY_EXCHANGES or name.startswith(("OPT ", "FUT ")):
            raise name_cell.refused(f"neither a company nor a contract of {exchange}")
        return InstrumentName(exchange=exchange, company=name), Segment.EQUITY
    is_currency = words.contract.underlying in _CURRENCIES
    contract = named_in_words(name, _OF_CURRENCY.get(exchange, exchange) if is_currency else exchange)
    if contract is None or contract.exchange is None:
        raise exchange_cell.refused("not an exchange that this contract trades on")
    segment = segment_of_contract(contract.exchange, is_option=words.contract.kind != FUTURE)
    return (replace(contract, multiplier=Decimal(1)) if contract.exchange in _IN_UNITS else contract), segment


def without_exchange(name_cell: PlacedCell, isin: str | None = None) -> InstrumentName:
    """Return the instrument of a row that tells no exchange."""
    name = required_text(name_cell)
    return named_in_words(name) or InstrumentName(isin=isin, company=name)
