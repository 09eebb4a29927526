"""docs/faults.md is the table of faults, and each fault says what an operator needs."""

from __future__ import annotations

from pathlib import Path

from trading.health.faults import BY_KEY, FAULTS
from velox_site.fault_docs import markdown

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
PROMISES = DOCUMENT.with_name("promises.md")


def test_the_document_is_made_from_the_table() -> None:
    assert DOCUMENT.read_text() == markdown(), "make it anew: python -m velox_site.fault_docs > docs/faults.md"


def test_each_fault_has_a_key_of_its_own_a_cure_and_a_place_in_the_promises() -> None:
    assert len(BY_KEY) == len(FAULTS) >= 30
    assert all(fault.cure.endswith(".") and fault.status in ("degraded", "down") for fault in FAULTS)
    promised = PROMISES.read_text()
    assert [fault.code for fault in FAULTS if f"`{fault.code}`" not in promised] == []
