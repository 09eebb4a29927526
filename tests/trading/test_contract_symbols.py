"""What a symbol proves of a contract, and what it does not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from trading.domain.contract_symbols import FUTURE, OPTION, Contract, contract_of


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
    ],
)
def test_the_forms_of_the_exchanges(symbol: str, contract: Contract) -> None:
    assert contract_of(symbol) == contract


@pytest.mark.parametrize(
    "symbol",
    [
        "RELIANCE", "BAJFINANCE", "NIFTY 50", "NIFTYFUT", "26DECFUT", "NIFTY26XXXFUT", "NIFTY26N3124500CE", "EURUSD",
        "nifty26decfut", "NIFTY26DEC0CE", "ESZ6", "X:NIFTY26DECFUT", "NIFTY2", "CE", "20MICRONS", "NIFTY26DECFUT ", "",
    ],
)  # fmt: skip
def test_nothing_is_made_of_other_names(symbol: str) -> None:
    assert contract_of(symbol) is None
