"""The schedule of charges that ships: every row with its source, no two at once; and faults that the check names."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from trading.domain.charge_heads import Head, Segment
from trading.domain.charge_schedule import Base, Sure, faults, market_of, parse_schedule, weakest

FILE = Path(__file__).parents[2] / "trading" / "data" / "charge_schedule.json"
TEXT = FILE.read_text(encoding="utf-8")
ROW = {
    "line": "stt", "segment": "futures", "exchange": "*", "base": "turnover", "side": "sell", "rate": "0.01",
    "from": "2020-01-01", "source": "act", "sure": "S",
}  # fmt: skip


def text_of(*rows: dict[str, object]) -> str:
    return json.dumps({"sources": {"act": "An Act", "empty": " "}, "rows": rows})


def test_the_schedule_that_ships_is_without_a_fault() -> None:
    assert list(faults(parse_schedule(TEXT))) == []


def test_every_source_of_it_is_used() -> None:
    body = json.loads(TEXT)
    assert set(body["sources"]) == {row["source"] for row in body["rows"]}


def test_every_kind_of_fill_has_every_line_today() -> None:
    schedule, day = parse_schedule(TEXT), date(2026, 11, 27)
    for segment in Segment:
        market = "MCX" if segment in (Segment.COMMODITY_FUTURES, Segment.COMMODITY_OPTIONS) else "NSE"
        for product in ("delivery", "intraday") if segment == Segment.EQUITY else ("",):
            for head in (Head.STT, Head.EXCHANGE, Head.IPFT, Head.SEBI, Head.STAMP, Head.GST):
                base = Base.HEADS if head == Head.GST else Base.TURNOVER
                base = Base.DAY_AVERAGE if head == Head.STT and segment == Segment.EQUITY else base
                row, _ = schedule.in_force(head, base, day, segment=segment, exchange=market, product=product)
                assert row is not None, (segment, head)
                assert row.rate is not None, (segment, head)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([ROW, ROW], "do not ascend"),
        ([ROW, {**ROW, "from": "2019-12-31"}], "do not ascend"),
        ([{**ROW, "source": "empty"}], "no source"),
        ([{**ROW, "rate": "-1"}], "no charge has"),
        ([{**ROW, "rate": "101"}], "no charge has"),
        ([{**ROW, "floor": "5", "cap": "4"}], "above its cap"),
        ([{**ROW, "base": "heads"}], "names none"),
        ([{**ROW, "exchange": "NYSE"}], "unknown"),
        ([ROW, {**ROW, "exchange": "NSE", "from": "2021-01-01"}], "two kinds of rows"),
        ([{**ROW, "of": ["A"]}, {**ROW, "of": ["A", "B"]}], "two kinds of rows"),
    ],
)
def test_a_fault_is_named(rows: list[dict[str, object]], fault: str) -> None:
    assert any(fault in text for text in faults(parse_schedule(text_of(*rows))))


@pytest.mark.parametrize(
    "row",
    [
        {**ROW, "line": "tax"},
        {**ROW, "segment": "bonds"},
        {**ROW, "from": "1 April"},
        {**ROW, "rate": "a tenth"},
        {**ROW, "source": "hearsay"},
        {**ROW, "sure": "very"},
        {name: text for name, text in ROW.items() if name != "source"},
    ],
)
def test_a_row_that_says_nothing_of_sense_is_refused_by_its_number(row: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="row 2 of the schedule"):
        parse_schedule(text_of(ROW, row))


def test_a_group_has_its_own_row_and_an_unknown_group_leaves_it_open() -> None:
    schedule = parse_schedule(text_of(ROW, {**ROW, "of": ["X"], "rate": "1"}))
    terms = {"segment": Segment.FUTURES, "exchange": "NSE"}
    rates = []
    for group in ("X", "A", None):
        row, is_open = schedule.in_force(Head.STT, Base.TURNOVER, date(2020, 1, 1), group=group, **terms)
        assert row is not None
        rates.append((row.rate, is_open))
    assert rates == [(Decimal(1), False), (Decimal("0.01"), False), (Decimal("0.01"), True)]


def test_the_rows_on_a_day_are_the_newest_of_their_kind() -> None:
    schedule = parse_schedule(text_of(ROW, {**ROW, "from": "2021-01-01", "rate": "0.02"}))
    assert [row.rate for row in schedule.on(date(2020, 12, 31))] == [Decimal("0.01")]
    assert [row.rate for row in schedule.on(date(2021, 1, 1))] == [Decimal("0.02")]
    assert schedule.on(date(2019, 12, 31)) == []


def test_markets_and_marks() -> None:
    assert [market_of(code) for code in ("NSE", "NFO", "CDS", "BFO", "BCD", "MCX", "BINANCE")] == [
        *("NSE", "NSE", "NSE", "BSE", "BSE", "MCX"), None,
    ]  # fmt: skip
    assert weakest(Sure.RECOMPUTED, Sure.UNSETTLED, Sure.SINGLE) == Sure.UNSETTLED
