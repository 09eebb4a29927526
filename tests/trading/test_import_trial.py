"""What a trial of files tells is what their import then does, however they overlap; and a trial writes nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from random import Random
from typing import Any

import pytest

from tests.trading.book import opened, snapshot
from tests.trading.statements import DAY, OPEN, future, line, statement
from tests.trading.test_import_charges import charge
from trading.bookkeeping import incoming_fills
from trading.bookkeeping.import_trial import ImportTrial
from trading.brokers.values import Broker, FillKind, Head, Segment, Statement
from trading.domain.strategy_rules import StrategyRule
from trading.errors import InvalidValue, VeloxError, WrongClient
from trading.models import Trade
from trading.operations.amend import amend
from trading.operations.import_charges import import_charges
from trading.operations.import_fills import import_fills

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("proved")]
Answer = tuple[Any, ...]


def same(*statements: Statement, **names: Any) -> list[Answer]:
    """Try files, import them, and return what both answered: of each its outcome and how many lines of charges are new,
    or the error."""
    before, trial = snapshot(), ImportTrial("main")
    tried = [answer(trial.add, trial.charges, each, names) for each in statements]
    assert snapshot() == before
    imported = [answer(import_into_main, charge_main, each, names) for each in statements]
    assert tried == imported
    return imported


def import_into_main(each: Statement, **names: Any) -> Any:
    return import_fills("main", each, **names)


def charge_main(each: Statement) -> int:
    return import_charges("main", each)


def answer(fills: Callable[..., Any], charges: Callable[..., int], each: Statement, names: dict[str, Any]) -> Answer:
    try:
        outcome = fills(each, **names)
    except VeloxError as error:
        return type(error), str(error)
    outcome.findings.sort()
    outcome.refused.sort(key=repr)
    try:
        return outcome, charges(each)
    except InvalidValue as error:
        return outcome, str(error)


A_FEW = [
    future("1", "BUY", 50, 100), future("2", "SELL", 80, 110), future("3", "BUY", 30, 90, day=1),
    line("4", "SELL", 5, 120, day=1), line("5", "BUY", 5, 100, day=2), line("6", "SELL", 7, 130, day=3),
    future("7", "SELL", 10, 90, day=3), future("8", "BUY", 10, 80, day=4),
]  # fmt: skip


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_overlapping_files_in_any_order(order: tuple[int, ...]) -> None:
    files = [statement(A_FEW[:5]), statement(A_FEW[2:7]), statement(A_FEW[4:])]
    answers = same(*(files[number] for number in order))
    assert sum(outcome.fills for outcome, _ in answers) == len(A_FEW)
    assert sum(outcome.already_known for outcome, _ in answers) == sum(len(each.fills) for each in files) - len(A_FEW)


@pytest.mark.parametrize("seed", range(6))
def test_any_files_over_a_ledger_that_has_some(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed >= 3:  # as large files are compared: some days at a time
        monkeypatch.setattr(incoming_fills, "COMPARED_AT_ONCE", 3)
    random = Random(seed)
    fills = [
        future(str(number), random.choice(["BUY", "SELL"]), random.randint(1, 4), 100 + number, day=number // 4)
        for number in range(24)
    ]
    import_fills("main", statement(random.sample(fills, 8)))
    if seed % 2 and (trade := Trade.objects.exclude(state="VOID").first()) is not None:
        amend(trade.pk, fill=1, price=99, by="asha", reason="misprint")
    same(*(statement(sorted(random.sample(fills, 9), key=fills.index)) for _ in range(4)))


def test_the_same_file_twice_and_two_that_contradict_each_other() -> None:
    fills = statement(A_FEW)
    other = statement([replace(A_FEW[0], price=A_FEW[0].price + 1)])
    answers = same(fills, fills, other)
    assert answers[1][0].already_known == len(A_FEW)
    assert [remark.reason for remark in answers[2][0].refused] == ["id_conflict"]


def test_rows_without_ids_beside_those_with_ids_and_orders_before_their_fills() -> None:
    rows = [future(None, "BUY", 10, minute=1), future(None, "SELL", 10, 105, minute=2)]
    order = future(None, "BUY", 50, 100, minute=1, day=2, order_id="O1", kind=FillKind.ORDER)
    filled = [future("21", "BUY", 20, 100, day=2, order_id="O1"), future("22", "BUY", 20, 100, day=2, order_id="O1")]
    with_ids = [future("31", "BUY", 10, minute=1)]
    files = [statement(rows), statement(rows[:1]), statement(with_ids), statement([order]), statement(filled)]
    answers = same(*files)
    assert [remark.reason for remark in answers[2][0].refused] == ["rows_known"]
    assert any("order O1 is of 50" in text for text in answers[4][0].findings)


def test_strategies_by_rule_and_names_that_an_earlier_file_tells() -> None:
    isin = {"isin": "INE002A01018"}
    told = line("1", "BUY", 5, tag="a", order_id="O1", instrument=isin)
    nameless = line("2", "SELL", 5, 110, order_id="O1", instrument={**isin, "symbol": None, "exchange": None})
    rules = [StrategyRule("alpha", tag="a"), StrategyRule("beta")]
    answers = same(statement([told]), statement([nameless]), rules=rules)
    assert answers[1][0].fills == 1
    assert Trade.objects.get().strategy.code == "alpha"


def test_what_a_strategy_booked_and_what_no_instrument_can_have() -> None:
    opened(fill_id="77", entry_time=OPEN)
    known = line("77", "BUY", 10, "2450.05", minute=0)
    gold = {"exchange": "MCX", "symbol": "GOLD26AUGFUT"}
    no_multiplier = line("3", "BUY", 1, instrument=gold)
    first = line("4", "BUY", 1, instrument={**gold, "multiplier": Decimal(100)})
    answers = same(statement([known, no_multiplier]), statement([first]), statement([no_multiplier]))
    assert (answers[0][0].already_known, len(answers[0][0].refused)) == (1, 1)
    assert answers[2][0].fills == 1


def test_files_of_another_client_and_charges_of_another_broker() -> None:
    stated = (charge(Head.STT, "3", Segment.FUTURES),)
    mine = statement(A_FEW[:1], client="AB1234", charges=stated)
    yours = statement(A_FEW[1:3], client="XY9999")
    theirs = statement(A_FEW[6:], broker=Broker.DHAN, charges=stated)
    month = {"day": DAY, "last_day": DAY + timedelta(days=9)}
    more = statement([], sha256="d" * 64, charges=(charge(Head.GST, "9", Segment.FUTURES, **month),))
    answers = same(mine, mine, yours, theirs, more)
    assert answers[2][0] is WrongClient
    assert [each[1] for each in (answers[0], answers[1], answers[4])] == [1, 0, 1]
    assert "from a file of zerodha, and this is one of dhan" in answers[3][1]


def test_a_trial_without_room_says_where_to_make_some(monkeypatch: pytest.MonkeyPatch) -> None:
    before, trial = snapshot(), ImportTrial("main")
    trial.tried.fills._base.execute("PRAGMA max_page_count = 8")
    with pytest.raises(InvalidValue, match=r"full.*TMPDIR"):
        trial.add(statement([future(str(number), "BUY", 50, 100) for number in range(200)]))
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null/none")
    with pytest.raises(InvalidValue, match="TMPDIR"):
        ImportTrial("main")
    assert snapshot() == before
