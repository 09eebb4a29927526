"""`manage.py state_charges`: what a person states, and what stands before it."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.trading.book import closed, opened, row, snapshot
from tests.trading.test_charge_commands import answer
from tests.trading.test_stated_charges import FILE, NOTE, line, state
from trading.domain.charge_heads import Head
from trading.models import Journal, StatedCharge

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved")]

WHO = ("--by", "asha", "--reason", "by telephone")


def stated(capsys: Any, *amounts: str, on: str = "2024-03-15", who: tuple[str, ...] = WHO) -> dict[str, Any]:
    call_command("state_charges", *amounts, "--on", on, *who, "--format", "json")
    return dict(json.loads(capsys.readouterr().out))


def day_of_a_trade() -> None:
    opened(order_id="A")
    closed(order_id="B")


def test_a_person_states_heads_and_the_trades_follow(capsys: Any) -> None:
    day_of_a_trade()
    body = stated(capsys, "stt=105", "brokerage=40", "other=-1.25")
    assert body["charges"] == {"stt": "105", "brokerage": "40", "other": "-1.25"}
    assert (body["from"], body["to"], body["lines_new"], body["trades_changed"]) == ("2024-03-15", "2024-03-15", 3, 1)
    assert row().charges == Decimal("143.75")
    assert set(StatedCharge.objects.values_list("source", "author", "text")) == {("person", "asha", "by telephone")}
    again = stated(capsys, "stt=105", "brokerage=40", "other=-1.25")
    assert (again["lines_new"], again["trades_changed"]) == (0, 0)
    assert stated(capsys, "stt=100")["lines_new"] == 1
    assert row().charges == Decimal("138.75")


@pytest.mark.parametrize("order", list(permutations(("note", "file", "person"))), ids=" ".join)
def test_head_by_head_a_note_is_before_a_file_and_a_file_before_a_person(order: tuple[str, ...], capsys: Any) -> None:
    day_of_a_trade()
    for source in order:
        if source == "note":
            state(line(Head.STT, "12", NOTE))
        elif source == "file":
            state(line(Head.STT, "11", FILE), line(Head.BROKERAGE, "41", FILE), document="b" * 64)
        else:
            stated(capsys, "stt=10", "brokerage=42", "stamp=3")
    (day,) = answer("charges", "--plan", "zerodha")["days"]
    heads = {head: (day["heads"][head], day["source"][head]) for head in ("stt", "brokerage", "stamp")}
    assert heads == {"stt": ("12", "note"), "brokerage": ("41", "file"), "stamp": ("3", "person")}
    assert day["source"]["gst"] == "estimate"
    assert row().charges == 12 + 41 + 3  # an estimate is no charge


def test_a_period_and_a_segment_may_be_stated(capsys: Any) -> None:
    day_of_a_trade()
    args = ("gst=9", "--to", "2024-03-31", "--segment", "equity", "--market", "NSE")
    assert stated(capsys, *args, on="2024-03-01")["trades_changed"] == 1
    charge = StatedCharge.objects.get()
    assert (str(charge.day), str(charge.last_day), charge.segment, charge.exchange) == (
        *("2024-03-01", "2024-03-31", "equity", "NSE"),
    )  # fmt: skip
    assert row().charges == 9


@pytest.mark.parametrize(
    "args",
    [
        ("stt",), ("tax=1",), ("stt=much",), ("stt=1", "stt=2"), ("stt=NaN",), ("stt=1", "--to", "2024-03-01"),
        ("stt=1", "--account", "nobody"), ("stt=1", "--reason", " "),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_cannot_be_kept_ends_with_2_and_writes_nothing(args: tuple[str, ...], capsys: Any) -> None:
    before, count = snapshot(), Journal.objects.count()
    amounts, options = [each for each in args if "=" in each or each == "stt"], [*args]
    options = [each for each in options if each not in amounts]
    with pytest.raises(CommandError) as refused:
        stated(capsys, *amounts, who=(*WHO, *options))
    assert (refused.value.returncode, Journal.objects.count(), snapshot()) == (2, count, before)
