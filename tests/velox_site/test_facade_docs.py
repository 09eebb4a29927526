"""docs/facade.md: current, with every method of the facade and what it answers and raises."""

from __future__ import annotations

import inspect
import re
from decimal import Decimal
from pathlib import Path

import pytest

from trading.domain import display
from velox_site import facade_docs
from velox_site.desk import DataManager, money_text
from velox_site.facade_docs import markdown

DOCUMENT = Path(__file__).parents[2] / "docs" / "facade.md"
METHODS = [name for name in vars(DataManager) if not name.startswith("_")]
# What raises nothing of its own, whatever is asked of it.
CALM = {"for_replay", "health", "close", "get_latest_tick", "get_latest_ticks", "get_indicators_of"}


def test_it_is_what_the_docstrings_say() -> None:
    assert DOCUMENT.read_text() == markdown(), "make it anew: python -m velox_site.facade_docs > docs/facade.md"


@pytest.mark.parametrize("name", METHODS)
def test_every_method_tells_its_signature_what_it_returns_and_what_it_raises(name: str) -> None:
    section = re.split(r"^###? ", DOCUMENT.read_text().split(f"\n### {name}\n", 1)[1], flags=re.M)[0]
    code, text = re.fullmatch(r"\n```python\n(.*?)```\n(.*)", section, re.S).groups()  # type: ignore[union-attr]
    for argument in list(inspect.signature(getattr(DataManager, name)).parameters)[1:]:
        assert re.search(rf"\b{argument}: ", code), argument
    assert text.strip()
    assert ("aises" in text) or name in CALM


def test_it_tells_the_values_and_the_errors() -> None:
    document = DOCUMENT.read_text()
    for kind in ("Position", "Trade", "Signal", "TickBatch", "Indicators", "StrategyCounters", "MarketDay"):
        assert f"\n### {kind}\n" in document
    for error in ("InvalidValue", "TradeClosed", "LedgerBusy", "FlushTimeout", "CurrencyMismatch"):
        assert f"| `{error}` | `" in document


def test_contracts_are_those_of_methods() -> None:
    assert set(facade_docs.CONTRACTS) <= set(METHODS)


@pytest.mark.parametrize(
    ("amount", "currency", "signed", "shown"),
    [
        ("1234567.5", "INR", False, "₹12,34,567.50"),
        ("-643.84285714", "INR", True, "−₹643.84"),
        ("150", "USD", True, "+$150.00"),
        ("0.00000012", "INR", False, "₹0.00000012"),
        (None, "INR", False, display.UNDEFINED),
    ],
)
def test_a_script_writes_money_as_the_pages_do(amount: str | None, currency: str, signed: bool, shown: str) -> None:
    assert money_text(None if amount is None else Decimal(amount), currency, signed=signed) == shown
