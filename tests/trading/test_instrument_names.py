"""A symbol that stands without its exchange: resolved where one instrument alone has it."""

from __future__ import annotations

import pytest

from trading.brokers.values import InstrumentName
from trading.models import Exchange, Instrument
from trading.queries.instrument_names import names_of, parse_symbols

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger")]
CDSL = InstrumentName(None, "CDSL26SEP1400CE")


def test_a_map_names_the_exchange() -> None:
    names = parse_symbols("tradingsymbol,name,exchange\nCDSL26SEP1400CE,CDSL,NFO\n")
    assert names_of([CDSL], names).resolve(CDSL) == "NFO:CDSL26SEP1400CE"


def test_two_exchanges_with_the_symbol_leave_it_unknown() -> None:
    names = parse_symbols("tradingsymbol,name,exchange\nCDSL26SEP1400CE,CDSL,NFO\nCDSL26SEP1400CE,CDSL,BFO\n")
    assert names_of([CDSL], names).resolve(CDSL) is None


def test_the_ledgers_instrument_names_the_exchange() -> None:
    assert names_of([CDSL], {}).resolve(CDSL) is None
    exchange, _ = Exchange.objects.get_or_create(code="NFO", defaults={"zone": "Asia/Kolkata"})
    Instrument.objects.create(exchange=exchange, symbol="CDSL26SEP1400CE", currency="INR")
    assert names_of([CDSL], {}).resolve(CDSL) == "NFO:CDSL26SEP1400CE"
