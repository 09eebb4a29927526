"""Trades as files: byte for byte what the row-wise writer before them wrote (recorded in `exported/`), in any block."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from timeseries.values import instant_text
from trading.domain.cell_pieces import decimal_pieces, time_pieces
from trading.domain.display import plain
from trading.domain.money import MAX_UNITS, divide_half_even, from_units
from trading.domain.position import in_risks
from trading.domain.row_texts import CellFrame, CellPiece, joined
from trading.domain.unit_columns import decimal_column, divided_half_even, unit_columns
from trading.models import Excursion, Review, Trade, User
from trading.operations.add_fill import add_fill
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.record_signal import record_signal
from trading.operations.review_trade import review_trade
from trading.operations.void import void
from trading.pages.export_text import csv_header
from trading.queries import trade_columns, trade_export

RECORDED = Path(__file__).parent / "exported"
AT = datetime(2024, 3, 15, 4, 0, tzinfo=UTC)
REVIEWED_AT = datetime(2024, 3, 16, 5, 30, 0, 250_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def opened(trade_id: str, *, strategy: str = "ema cross", symbol: str = "RELIANCE", **facts: Any) -> Trade:
    facts = {"entry_price": "100.05", "quantity": 10, "entry_time": AT, **facts}
    open_position("main", trade_id, strategy, symbol, **facts)
    return Trade.objects.get(trade_id=trade_id)


def closed(trade_id: str, price: Any, *, strategy: str = "ema cross", symbol: str = "RELIANCE", **facts: Any) -> None:
    facts = {"exit_time": AT + 7 * MINUTE, **facts}
    close_position("main", trade_id, strategy, symbol, exit_price=price, **facts)


@pytest.fixture
def trades(ledger: Any) -> Iterator[None]:
    """One trade of each kind that is written in a way of its own."""
    opened("plain", stop_price="98", target_price=110, charges=1)
    closed("plain", "104.5", charges="1.5", exit_reason="target", pnl="44.1")
    opened("open, not closed", side="SHORT", stop_price=101, entry_time=AT + MINUTE)
    opened('=1+1,"quoted"', strategy="-breakout", entry_time=AT + timedelta(microseconds=120))
    closed('=1+1,"quoted"', 100, strategy="-breakout", exit_reason="+stop\nagain", charges="-0.25")
    opened("tiny", quantity="0.00000003", entry_price="1.13889", entry_time=AT + 2 * MINUTE)
    closed("tiny", "1.14")
    opened("parts", quantity="2.5", entry_price="0.00000005", stop_price="0.00000001", entry_time=AT + 3 * MINUTE)
    add_fill("main", "parts", "BUY", "3.33333333", "0.75", AT + 4 * MINUTE)
    closed("parts", "7.77777777")
    opened("vast", quantity="40000", entry_price="1234567.87654321", stop_price="1234567", entry_time=AT + 5 * MINUTE)
    closed("vast", "2234567", charges="123456789.12345678")
    voided = opened("void", side="SHORT", entry_time=AT + 6 * MINUTE)
    closed("void", "99", charges=3)
    void(voided.pk, by="asha", reason="never was")
    shown = {"ema": {"fast": 1.5}, "ok": True, "words": 'a "word" with é', "small": 0.00001, "long": 0.1234567890123456}
    opened("seen", signal_conditions=shown, entry_time=AT + 7 * MINUTE, charges=0)
    opened("simple", signal_conditions={"rsi": 55.25, "ok": False, "n": 3, "none": "—"}, entry_time=AT + 8 * MINUTE)
    record_signal(
        "main", "ema cross", "RELIANCE", AT + 8 * MINUTE, {"late": True, "rsi": 1.0}, decision="SKIPPED", reason="x"
    )
    reviewer = User.objects.create_user("asha")
    for name, tags, notes in (("plain", ("late", "news"), 'two\r\nlines, quoted "so"'), ("tiny", (), "")):
        trade = Trade.objects.get(trade_id=name)
        review_trade(trade.pk, by=reviewer, rating=4, tags=tags, notes=notes, mistakes="=none")
    Review.objects.update(reviewed_at=REVIEWED_AT)
    for name, quiet in (("plain", 31.4), ("parts", None)):
        Excursion(
            trade=Trade.objects.get(trade_id=name), mae=Decimal("-3.5"), mae_price=Decimal("99.7"), mae_at=AT + MINUTE,
            mfe=Decimal("50.00000001"), mfe_price=Decimal("105.05"), mfe_at=AT + timedelta(seconds=61, milliseconds=5),
            ticks=1204, quiet_seconds=quiet, measured_at=AT,
        ).save()  # fmt: skip
    yield


def told(form: str, *options: str) -> str:
    out = io.StringIO()
    call_command("trade_export", *options, "--format", form, stdout=out)
    return out.getvalue()


def without_order(form: str, content: str) -> Any:
    """Return a file's cells with its conditions sorted by name: PostgreSQL gives them an order of its own."""
    if form == "json":
        return json.loads(content)
    rows = csv.reader(io.StringIO(content, newline=""))
    return [[sorted(json.loads(cell).items()) if cell.startswith("{") else cell for cell in row] for row in rows]


@pytest.mark.ledger
def test_a_file_has_the_bytes_that_it_always_had(
    trades: None, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recorded = {form: (RECORDED / f"trades.{form}").read_bytes().decode() for form in ("csv", "json")}
    for rows in (trade_columns.ROWS_AT_A_TIME, 3):
        monkeypatch.setattr(trade_columns, "ROWS_AT_A_TIME", rows)
        for form, content in recorded.items():
            written = told(form)
            assert without_order(form, written) == without_order(form, content), (form, rows)
            assert written == content or connection.vendor == "postgresql", (form, rows)
    client.force_login(User.objects.create_superuser("meera"))
    page = client.get("/trades/csv/").content.decode()
    assert sorted(map(repr, without_order("csv", page))) == sorted(map(repr, without_order("csv", recorded["csv"])))
    told("parquet", "--output", str(tmp_path / "trades.parquet"))
    table = pq.read_table(tmp_path / "trades.parquet").to_pylist()
    net = [row["net_pnl"] for row in json.loads(recorded["json"])["trades"]]
    assert [row["net_pnl"] for row in table] == [None if amount is None else Decimal(amount) for amount in net]


def test_no_trades_are_an_empty_file_of_each_kind(ledger: Any) -> None:
    assert told("csv") == csv_header(trade_export.HEADER)
    assert json.loads(told("json"))["trades"] == []


def test_an_export_that_is_broken_off_leaves_the_file_of_before(
    trades: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "trades.csv"
    target.write_text("of yesterday")
    monkeypatch.setattr(trade_columns, "ROWS_AT_A_TIME", 3)
    blocks = iter([None])

    def broken_off(block: Any) -> bytes:
        if next(blocks, block) is not None:  # Ctrl-C at the second block
            raise KeyboardInterrupt
        return b"half a file"

    monkeypatch.setattr("trading.management.commands.trade_export.csv_lines", broken_off)
    with pytest.raises(CommandError, match="was not written"):
        told("csv", "--output", str(target))
    assert target.read_text() == "of yesterday"
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == ["trades.csv"]


def texts_of(pieces: list[CellPiece], rows: int) -> list[str]:
    return str(joined([*pieces, "\n"], rows), "utf-8").splitlines()


AMOUNTS = st.one_of(st.integers(-(10**12), 10**12), st.integers(-MAX_UNITS, MAX_UNITS))


@given(st.lists(st.tuples(AMOUNTS, st.integers(1, MAX_UNITS)), min_size=1, max_size=20))
def test_columns_are_divided_as_single_numbers_are(pairs: list[tuple[int, int]]) -> None:
    (over, under), _ = unit_columns(list(zip(*pairs, strict=True)))
    assert divided_half_even(over, under).tolist() == [divide_half_even(*pair) for pair in pairs]
    ratios = divided_half_even(over * 100, under).tolist()
    assert [Decimal(ratio) / 100 for ratio in ratios] == [in_risks(Decimal(a), Decimal(b)) for a, b in pairs]


@given(st.lists(st.one_of(st.none(), AMOUNTS), min_size=1, max_size=20))
def test_a_column_of_money_is_written_as_each_amount_is(amounts: list[int | None]) -> None:
    (units,), (is_there,) = unit_columns([amounts])
    column = decimal_column(units, is_there, pa.decimal128(28, 8))
    if any(is_there):  # else there is nothing to write
        expected = ["null" if amount is None else f'"{plain(from_units(amount))}"' for amount in amounts]
        assert texts_of(decimal_pieces(column, CellFrame('"', "null")), len(amounts)) == expected


@given(
    st.lists(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)), min_size=1, max_size=10),
    st.sampled_from(["Asia/Kolkata", "America/New_York", "Pacific/Chatham", "UTC"]),
)
def test_instants_are_written_as_python_writes_them(instants: list[datetime], name: str) -> None:
    aware = [instant.replace(tzinfo=UTC) for instant in instants]
    times, none = pa.array(aware, pa.timestamp("us", "UTC")), pa.array([False] * len(aware))
    zone, rows = ZoneInfo(name), len(aware)
    assert texts_of(time_pieces(times, none, zone, zone), rows) == [at.astimezone(zone).isoformat() for at in aware]
    assert texts_of(time_pieces(times, none, None, zone), rows) == [instant_text(at) for at in aware]
