"""What a symbol proves of a contract, and what it does not."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from trading.domain.contract_symbols import (
    FUTURE,
    OPTION,
    Contract,
    contract_in_words,
    contract_of,
    expires_by,
    in_words,
    symbol_of,
)


@pytest.mark.parametrize(
    ("symbol", "contract"),
    [
        ("NIFTY26N2624500CE", Contract(OPTION, "NIFTY", date(2026, 11, 26), Decimal(24500))),
        ("NIFTY25N2024000CE", Contract(OPTION, "NIFTY", date(2025, 11, 20), Decimal(24000))),
        ("SENSEX2681377500PE", Contract(OPTION, "SENSEX", date(2026, 8, 13), Decimal(77500))),
        ("NIFTYNXT5026D0868000PE", Contract(OPTION, "NIFTYNXT50", date(2026, 12, 8), Decimal(68000))),
        ("USDINR26N2784.5CE", Contract(OPTION, "USDINR", date(2026, 11, 27), Decimal("84.5"))),
        ("USDINR26N27FUT", Contract(FUTURE, "USDINR", date(2026, 11, 27))),
        ("BANKNIFTY26DECFUT", Contract(FUTURE, "BANKNIFTY")),
        ("CRUDEOIL26DECFUT", Contract(FUTURE, "CRUDEOIL")),
        ("NIFTYNXT5026DECFUT", Contract(FUTURE, "NIFTYNXT50")),
        ("M&M26DECFUT", Contract(FUTURE, "M&M")),
        ("BAJAJ-AUTO26DEC9000PE", Contract(OPTION, "BAJAJ-AUTO", None, Decimal(9000))),
        ("RELIANCE26NOV1500PE", Contract(OPTION, "RELIANCE", None, Decimal(1500))),
        ("CRUDEOIL26DEC5300CE", Contract(OPTION, "CRUDEOIL", None, Decimal(5300))),
        ("BANKNIFTY18JAN23500CE", Contract(OPTION, "BANKNIFTY", None, Decimal(23500))),
        ("NIFTY08SEP2623900PE", Contract(OPTION, "NIFTY", date(2026, 9, 8), Decimal(23900))),
        ("CDSL26SEP1400CE", Contract(OPTION, "CDSL", None, Decimal(1400))),
        ("TATASTEEL26SEP207.5CE", Contract(OPTION, "TATASTEEL", None, Decimal("207.5"))),
        ("360ONE26NOV1100CE", Contract(OPTION, "360ONE", None, Decimal(1100))),
        ("SENSEX502682077000CE", Contract(OPTION, "SENSEX50", date(2026, 8, 20), Decimal(77000))),
        ("GUARSEED1026DECFUT", Contract(FUTURE, "GUARSEED10")),
        # Each of these is also a series of digits that begins one or two places later.
        ("NIFTY2410421500CE", Contract(OPTION, "NIFTY", date(2024, 1, 4), Decimal(21500))),
        ("SENSEX2682077600CE", Contract(OPTION, "SENSEX", date(2026, 8, 20), Decimal(77600))),
        ("NIFTY23O0521650CE", Contract(OPTION, "NIFTY", date(2023, 10, 5), Decimal(21650))),
    ],
)
def test_the_forms_of_the_exchanges(symbol: str, contract: Contract) -> None:
    assert contract_of(symbol) == contract


@pytest.mark.parametrize(
    ("symbol", "day"),
    [
        ("NIFTY2660224500CE", date(2026, 6, 2)),
        ("RELIANCE26JUN1500CE", date(2026, 6, 30)),
        ("NIFTY26DECFUT", date(2026, 12, 31)),
        ("RELIANCE28FEB1500PE", date(2028, 2, 29)),
        ("RELIANCE", None),
    ],
)
def test_the_day_by_whose_end_a_contract_has_expired(symbol: str, day: date | None) -> None:
    assert expires_by(symbol) == day


@pytest.mark.parametrize(
    "symbol",
    [
        "RELIANCE", "BAJFINANCE", "NIFTY 50", "NIFTYFUT", "26DECFUT", "NIFTY26XXXFUT", "NIFTY26N3124500CE", "EURUSD",
        "nifty26decfut", "NIFTY26DEC0CE", "ESZ6", "X:NIFTY26DECFUT", "NIFTY2", "CE", "20MICRONS", "NIFTY26DECFUT ", "",
    ],
)  # fmt: skip
def test_nothing_is_made_of_other_names(symbol: str) -> None:
    assert contract_of(symbol) is None


@pytest.mark.parametrize(
    ("words", "symbol"),
    [
        ("OPT TATASTEEL 29 Sep 2026 207.5 CE", "TATASTEEL26SEP207.5CE"),
        ("OPT LTM 28 Jul 2026 4400 CE", "LTM26JUL4400CE"),
        ("OPTSTK ICICIBANK Sep 29 2026 1550.00 CE (BT)", "ICICIBANK26SEP1550CE"),
        ("OPTIDX NIFTY Aug 25 2026 24150.00 PE (BT)", "NIFTY26AUG24150PE"),
        ("BSXOPT SENSEX Aug 27 2026 77600.00 CE (BT)", "SENSEX26AUG77600CE"),
        ("OPT SENSEX 20 Aug 2026 77600 CE", "SENSEX2682077600CE"),
        ("OPT NIFTY 07 Apr 2026 23000 CE", "NIFTY2640723000CE"),
        ("OPT NIFTY 5 Jun 2025 24750 PE", "NIFTY2560524750PE"),
        ("OPT NIFTY 21 Nov 2024 24000 CE", "NIFTY24N2124000CE"),
        ("FUT WIPRO 28 Apr 2026", "WIPRO26APRFUT"),
        ("NIFTY 19650 CE 15 FEB 24", "NIFTY2421519650CE"),
        ("NIFTY FUT 29 FEB 24", "NIFTY24FEBFUT"),
        # The last Thursday was a holiday: Wednesday's expiry is still the month's last one.
        ("OPT NIFTY 28 Jun 2023 19000 PE", "NIFTY23JUN19000PE"),
    ],
)
def test_a_contract_in_words_has_the_exchanges_symbol(words: str, symbol: str) -> None:
    contract = contract_in_words(words)
    assert contract is not None
    assert symbol_of(contract) == symbol


@pytest.mark.parametrize(
    "words",
    [
        "OPT WIPRO 28 Apr 2026", "FUT WIPRO 28 Apr 2026 300 CE", "OPT WIPRO 31 Apr 2026 300 CE",
        "OPT WIPRO 28 Apr 2026 0 CE", "OPT WIPRO 28 Xyz 2026 300 CE", "OPT WIPRO 28 Apr 26 300 CE",
        "WIPRO", "Sun Pharma 28 Apr 2026", "",
    ],
)  # fmt: skip
def test_other_words_are_no_contract(words: str) -> None:
    assert contract_in_words(words) is None


@pytest.mark.parametrize("words", ["OPT BANKNIFTY 13 Nov 2024 50000 CE", "OPT SENSEX 12 May 2022 54000 CE"])
def test_no_symbol_is_made_where_the_expiry_does_not_tell_week_from_month(words: str) -> None:
    contract = contract_in_words(words)
    assert contract is not None
    assert symbol_of(contract) is None


def test_every_symbol_of_the_weekly_indices_is_read_back() -> None:
    expiry = date(2023, 5, 20)
    while expiry < date(2030, 1, 1):
        for underlying, strike in (("NIFTY", 15000 + expiry.day * 450), ("SENSEX", 60000 + expiry.day * 1300)):
            contract = in_words(underlying, expiry, Decimal(strike), "CE")
            symbol = None if contract is None else symbol_of(contract)
            if symbol is not None:
                terms = contract_of(symbol)
                assert terms in (
                    Contract(OPTION, underlying, expiry, Decimal(strike)),
                    Contract(OPTION, underlying, None, Decimal(strike)),
                ), symbol
        expiry += timedelta(days=1)
