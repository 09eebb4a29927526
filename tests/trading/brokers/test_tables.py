"""A table is found by its columns wherever it begins, and a changed header is told by name."""

from __future__ import annotations

import pytest

from trading.brokers.cells import UnreadableCell, text
from trading.brokers.containers.opening import open_document
from trading.brokers.document import CellRow, Document, Sheet
from trading.brokers.tables import find_header, find_table, has_header
from trading.errors import UnknownLayout

NAMES = ("Symbol", "Trade Date", "Price")


def document(*rows: CellRow) -> Document:
    return Document("trades.xlsx", "0" * 64, "xlsx", (Sheet("Equity", rows),))


def table(file: Document, **options: object):
    return find_table(file, file.sheets[0], NAMES, **options)  # type: ignore[arg-type]


def test_a_header_is_found_below_a_preamble_and_off_the_first_column() -> None:
    file = document(
        ("Client ID", "AB1"), (), (None, "PRICE", "trade\n date", " Symbol ", None, "Extra"), (None, 5, "d", "X")
    )
    lines = list(table(file).lines())
    assert find_header(file.sheets[0], NAMES) == 2
    assert has_header(file, NAMES)
    assert [(line["Symbol"].content, line["Price"].content, line.place.row, line.place.sheet) for line in lines] == [
        ("X", 5, 4, "Equity")
    ]
    assert text(lines[0]["Extra"]) == text(lines[0].get("Absent")) == ""


def test_columns_without_a_name_and_repeated_ones_have_names_of_their_own() -> None:
    file = document(("Symbol", "Price", "", "Trade Date", "Price"), ("X", 1, 2, 3, 4))
    line = next(table(file).lines())
    assert [line[name].content for name in ("Price", "#3", "Price #2")] == [1, 2, 4]


def test_blank_rows_are_left_out_and_the_others_keep_their_numbers() -> None:
    file = document(NAMES, (), ("A",), (" ", None), ("B",))
    assert [line.place.row for line in table(file).lines()] == [3, 5]
    assert [line.place.row for line in table(file).lines(4)] == [5]


def test_no_cell_of_a_row_that_is_longer_than_its_header_is_trusted() -> None:
    file = document(NAMES, ("Larsen", " Toubro", "2026", 5), ("X", "2026", 5, "", None))
    longer, fitting = table(file).lines()
    with pytest.raises(UnreadableCell, match="row 2: the row has more cells than its header"):
        longer["Price"]
    assert fitting["Price"].content == 5


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_no_cell_that_a_broken_download_may_have_cut_is_trusted(encoding: str) -> None:
    whole = "Symbol,Trade Date,Price,Charges\r\nX,2026-08-03,5,1.25\r\nY,2026-08-03,15"
    first, cut = table(open_document(whole.encode(encoding), "book.csv")).lines()
    assert (first["Charges"].content, cut["Trade Date"].content) == ("1.25", "2026-08-03")
    for name in ("Price", "Charges"):
        with pytest.raises(UnreadableCell, match="row 3: the file ends within this row"):
            cut[name]
    for ended in (whole + "\r\n", whole + ",2", whole + "\n,,"):
        assert next(table(open_document(ended.encode(encoding), "book.csv")).lines(2))["Price"].content == "15"


def test_an_unknown_layout_names_the_new_and_the_missing_columns() -> None:
    file = document(("Report",), ("Symbol", "Tag", "Price", "Order Type"))
    with pytest.raises(UnknownLayout, match=r"'Equity': new columns 'Tag', 'Order Type'; missing columns 'Trade Date'"):
        table(file)


def test_a_new_column_alone_is_refused_where_the_layout_is_exact() -> None:
    file = document((*NAMES, "Tag"))
    assert not list(table(file).lines())
    assert not list(table(file, is_exact=True, optional=("Tag",)).lines())
    with pytest.raises(UnknownLayout, match="new columns 'Tag'; missing columns none"):
        table(file, is_exact=True)
