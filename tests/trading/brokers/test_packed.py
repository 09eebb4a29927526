"""Rows and fills of large files, kept packed: they come out as they went in, and take a tenth of their memory."""

from __future__ import annotations

import gc
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from trading.brokers.containers.opening import open_document
from trading.brokers.document import Document
from trading.brokers.files import read_statement
from trading.brokers.ordering import in_order_of_time
from trading.brokers.packed import BLOCK_ROWS, PackedRows, packed_texts
from trading.brokers.packed_fills import packed_fills
from trading.brokers.statement_draft import StatementDraft
from trading.brokers.values import Broker, FillKind, FillLine, Head, InstrumentName, Place, Segment
from trading.brokers.zones import with_zone

HEADER = (
    "symbol,isin,trade_date,exchange,segment,series,trade_type,auction,quantity,price,trade_id,order_id,"
    "order_execution_time"
)
AT = datetime(2026, 11, 1, 9, 15, 0, 250_000, tzinfo=ZoneInfo("Asia/Kolkata"))
FULL = FillLine(
    Place("a.csv", "Trades", 7), InstrumentName("NSE", "INFY", "INE009A01021", group="A"), Segment.EQUITY, "SELL",
    Decimal("1.50"), Decimal("2453.05000001"), AT.date(), AT, "INR", "00123", "11", "intraday", "tag €",
    FillKind.EXPIRY, {Head.STT: Decimal("-0.12"), Head.BROKERAGE: Decimal(20)}, Decimal("3679.5750"), "FO-1",
)  # fmt: skip
BARE = FillLine(
    Place("a.csv", "", 8), InstrumentName(company="ACME"), None, "BUY", Decimal(3), Decimal(0), AT.date(), None, "USD"
)
NAIVE = replace(BARE, at=datetime(2026, 11, 1, 1, 30))
TWICE = replace(BARE, at=datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo("America/New_York"), fold=1))
OFFSET = replace(BARE, at=datetime(2026, 11, 1, 1, 30, tzinfo=timezone(timedelta(hours=-5))))


def test_fills_come_out_as_they_went_in() -> None:
    fills = [FULL, BARE, NAIVE, TWICE, OFFSET, replace(FULL, at=AT.astimezone(UTC), is_uncharged=True)] * BLOCK_ROWS
    packed = packed_fills()
    packed.extend(fills)
    assert list(packed) == fills and list(reversed(packed)) == fills[::-1] and len(packed) == len(fills)
    unpacked = packed[3]
    assert unpacked.at is not None and TWICE.at is not None
    assert unpacked.at.utcoffset() == TWICE.at.utcoffset()  # the second of two 01:30
    assert packed[0].at is not None and packed[0].at.tzinfo == AT.tzinfo


def test_what_a_reader_gathers_is_packed_where_it_is_much_and_stays_so_in_a_zone() -> None:
    fill = replace(NAIVE, at=datetime(2026, 11, 2, 1, 30))
    few, many = (StatementDraft(Document("a.csv", "0" * 64, "csv")) for _ in range(2))
    few.fills.append(fill)
    many.fills.extend([fill] * (BLOCK_ROWS + 1))
    of = {"days": None, "client": None, "zone": ""}
    assert few.statement(Broker.IBKR, "flex", **of).fills == (fill,)
    statement = with_zone(many.statement(Broker.IBKR, "flex", **of), "America/New_York")
    assert isinstance(statement.fills, PackedRows) and len(statement.fills) == BLOCK_ROWS + 1
    assert statement.fills[-1] == replace(fill, at=datetime(2026, 11, 2, 6, 30, tzinfo=UTC))


def test_rows_are_a_sequence_as_any() -> None:
    rows = [(str(number), "", "é\ud800") for number in range(2 * BLOCK_ROWS + 3)]
    packed = packed_texts()
    packed.extend(rows)
    assert list(packed) == rows and [packed[0], packed[-1], packed[BLOCK_ROWS]] == [rows[0], rows[-1], rows[BLOCK_ROWS]]
    assert packed[BLOCK_ROWS - 1 : BLOCK_ROWS + 1] == rows[BLOCK_ROWS - 1 : BLOCK_ROWS + 1]
    assert list(islice(packed, 1, 3)) == rows[1:3] and packed[len(rows) :] == []
    with pytest.raises(IndexError):
        packed[len(rows)]


@pytest.mark.parametrize("is_newest_first", [False, True])
def test_many_fills_are_in_the_order_of_few(is_newest_first: bool) -> None:
    """Day by day while the days follow each other, and all at once where they do not."""
    fills = [
        replace(FULL, fill_id=str(number ^ 1), day=AT.date() + timedelta(days=number // 300),
                at=AT + timedelta(days=number // 300, seconds=number // 4))
        for number in range(1200)
    ]  # fmt: skip
    expected = sorted(fills, key=lambda fill: (fill.at, int(fill.fill_id or 0)))
    assert list(in_order_of_time(fills[::-1] if is_newest_first else fills)) == expected
    assert list(in_order_of_time([*fills[600:], *fills[:600]])) == expected


def test_of_a_large_tradebook_a_block_of_fills_is_in_memory() -> None:
    statement = read_statement(tradebook(3).encode(), "a.csv")
    gc.collect()
    assert sum(isinstance(each, FillLine) for each in gc.get_objects()) < 2 * BLOCK_ROWS
    assert len(statement.fills) == 3000 and not statement.rejected
    assert isinstance(open_document(tradebook(1).encode(), "a.csv").sheets[0].rows, PackedRows)


def tradebook(days: int) -> str:
    """Return a tradebook of a thousand fills a day."""
    lines = [HEADER]
    for number in range(days * 1000):
        day = date(2026, 1, 1) + timedelta(days=number // 1000)
        at = datetime.combine(day, AT.time().replace(microsecond=0)) + timedelta(seconds=number % 1000 // 50)
        side = "sell" if number % 2 else "buy"
        lines.append(
            f"INFY,INE009A01021,{day},NSE,EQ,EQ,{side},false,10,1450.{number % 90 + 10},{9_000_000 + number},"
            f"{12_000_000_000 + number // 2},{at.isoformat()}"
        )
    return "\n".join(lines) + "\n"


def test_rows_of_a_large_file_keep_their_numbers() -> None:
    document = open_document(f"\n\n{tradebook(1)}\n\n".encode(), "a.csv")
    rows = document.sheets[0].rows
    assert len(rows) == 1003 and rows[0] == rows[1] == () and rows[2][0] == "symbol" and rows[-1][10] == "9000999"
    assert read_statement(f"\n\n{tradebook(1)}".encode(), "a.csv").fills[-1].place.row == 1003
