"""The workbook of trades: exact numbers, real times, no text that runs, and the rows of the CSV."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.test import Client
from openpyxl import load_workbook

from tests import page_desk
from trading.domain import workbook as writing
from trading.domain.workbook import workbook
from trading.errors import InvalidValue

LARGE = Decimal("-92233720368.54775807")
AT = datetime(2024, 3, 15, 9, 30, 5, 123456, UTC)
HARM = ["=1+1", " +cmd|' /C calc'!A0", "@SUM(A1)", "-2", "＝1", "<b> & \x01\r\n_x0041_ देर", "x" * 40_000]


def cells(content: bytes) -> list[list[object]]:
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def test_numbers_keep_every_digit_and_times_are_times() -> None:
    content = workbook(
        "Trades", ["a", "b", "c", "d", "e", "f"], [[LARGE, Decimal("2450.05"), 7, AT, date(2024, 3, 15), None]]
    )
    sheet = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
    assert f"<v>{LARGE}</v>" in sheet and "<v>2450.05</v>" in sheet
    _, (_, price, count, at, day, nothing) = cells(content)
    assert (price, count, nothing) == (2450.05, 7, None)
    assert (at, day) == (datetime(2024, 3, 15, 9, 30, 5, 123000), datetime(2024, 3, 15))  # openpyxl reads milliseconds
    (serial,) = re.findall(r'<c s="3"><v>([\d.]+)', sheet)
    assert abs((Decimal(serial) - 45366) * 86400 - Decimal("34205.123456")) < Decimal("0.000001")


def test_no_text_runs_and_each_stays_as_it_is() -> None:
    content = workbook("Trades", ["text"], [[text] for text in HARM])
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    read = [row[0] for row in sheet.iter_rows(min_row=2)]
    assert {cell.data_type for cell in read} == {"inlineStr"} or {cell.data_type for cell in read} == {"s"}
    assert [cell.quotePrefix for cell in read] == [True] * 5 + [False] * 2
    assert [cell.value for cell in read[:5]] == HARM[:5]
    raw = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in raw and "&lt;b&gt; &amp; _x0001__x000D_\n_x005F_x0041_ देर" in raw
    assert len(str(read[6].value)) == 32_767


def test_more_rows_than_a_sheet_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "ROWS_MAX", 2)
    with pytest.raises(InvalidValue, match="CSV"):
        workbook("Trades", ["n"], ([number] for number in range(3)))


@pytest.mark.usefixtures("ledger")
def test_the_page_downloads_what_its_csv_has(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    page_desk.trades(6)
    client.force_login(page_desk.member("viewer"))
    assert "/trades/xlsx/?side=LONG" in client.get("/trades/?side=LONG").content.decode()
    answer = client.get("/trades/xlsx/?side=LONG&sort=pnl")
    assert answer["Content-Disposition"] == 'attachment; filename="trades.xlsx"'
    header, *rows = cells(answer.content)
    lines = list(csv.DictReader(io.StringIO(client.get("/trades/csv/?side=LONG&sort=pnl").content.decode())))
    assert len(rows) == len(lines) == 3
    for row, line in zip((dict(zip(header, row, strict=True)) for row in rows), lines, strict=True):
        for name in ("trade_id", "symbol", "side", "result"):
            assert str(row[name]).lstrip("'") == line[name].lstrip("'")
        for name in ("gross_pnl", "entry_price", "charges", "initial_risk", "entry_quantity"):
            assert ("" if row[name] is None else f"{Decimal(str(row[name])).normalize():f}") == line[name], name
        assert f"{row['opened_at']:%Y-%m-%dT%H:%M:%S}" == line["opened_at"][:19]
    monkeypatch.setattr(writing, "ROWS_MAX", 1)
    refusal = client.get("/trades/xlsx/")
    assert refusal.status_code == 400 and "CSV" in refusal.content.decode()
