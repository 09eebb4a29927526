"""What a file holds comes out the same, whatever container it came in."""

from __future__ import annotations

import codecs
import io
import logging
import traceback
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pypdf
import pytest
import xlwt
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from tests.trading.brokers.pdf_writer import pdf_of_lines, pdf_of_texts
from tests.trading.brokers.workbooks import TestCell, xls, xlsx, xlsx_by_hand
from trading.brokers.containers.limits import HEAD_ROWS
from trading.brokers.containers.opening import open_document, open_head
from trading.errors import FileLocked, UnreadableFile

LINES = ["name;day;amount", "Ünïcode;02-06-2026;1,52,250.00", "'quoted';03-06-2026;-4"]
SHEET: list[list[TestCell]] = [
    ["Client ID", "AB1234"],
    [],
    [None, None, "Price", "When", "Day", "Clock"],
    [None, "RELIANCE", 2453.05, datetime(2026, 6, 2, 9, 21, 55), date(2026, 6, 2), time(9, 15)],
    [None, "₹ 1,52,250.00 ", -5, datetime(2026, 6, 2, 23, 59, 59), date(2024, 2, 29), time(0, 0, 1)],
    [True, "", 1234567890123, 0.1],
]


class TestCsv:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
    def test_every_delimiter_and_encoding(self, encoding: str, delimiter: str, ending: str) -> None:
        rows = [line.split(";") for line in LINES]
        quoted = [[f'"{cell}"' if "," in cell else cell for cell in row] for row in rows]
        text = ending.join(delimiter.join(row) for row in quoted)
        document = open_document(text.encode(encoding), "a.csv")
        assert [list(row) for row in document.sheets[0].rows] == rows
        assert (document.container, document.delimiter) == ("csv", delimiter)

    def test_windows_letters(self) -> None:
        document = open_document("a,b\n€ 5,naïve\n".encode("cp1252"), "a.csv")
        assert document.sheets[0].rows[1] == ("€ 5", "naïve")

    def test_a_spreadsheets_hint_of_the_delimiter_is_obeyed_and_is_no_row(self) -> None:
        document = open_document(b"sep=;\na,1;b\n", "a.csv")
        assert list(document.sheets[0].rows) == [(), ("a,1", "b")]

    def test_a_preamble_of_other_widths_does_not_hide_the_delimiter(self) -> None:
        text = "Report, for you\nFrom, 1 April\n" + "a;b;c;d\n" + "1,5;2,5;3,5;4,5\n" * 3
        assert open_document(text.encode(), "a.csv").sheets[0].rows[3] == ("1,5", "2,5", "3,5", "4,5")

    def test_an_id_kept_as_a_formula_of_a_text_is_its_text(self) -> None:
        assert open_document(b'id,n\n"=""0123456789012345""",1\n', "a.csv").sheets[0].rows[1][0] == "0123456789012345"

    def test_rows_keep_their_numbers_across_blank_ones_and_quoted_line_breaks(self) -> None:
        rows = open_document(b'a,b\n\n,\n"x\ny",2\n,,\n', "a.csv").sheets[0].rows
        assert list(rows) == [("a", "b"), (), (), ("x\ny", "2")]


class TestWorkbooks:
    @pytest.mark.parametrize("write", [xlsx, xls])
    def test_every_kind_of_cell(self, write: Callable[..., bytes]) -> None:
        document = open_document(write({"Trades": SHEET, "Charges": [["x"]]}), "any name")
        assert document.sheet_names == ("Trades", "Charges")
        rows = [list(row) for row in document.sheets[0].rows]
        assert rows[0] == ["Client ID", "AB1234"]
        assert rows[1] == []
        assert rows[3] == [None, "RELIANCE", 2453.05, *SHEET[3][3:]]
        assert rows[4] == [None, "₹ 1,52,250.00 ", -5, *SHEET[4][3:]]
        assert rows[5] == [True, None, 1234567890123, 0.1]
        assert document.sheets[1].rows[0] == ("x",)

    def test_a_claimed_dimension_is_not_believed(self) -> None:
        book = openpyxl.Workbook()
        assert book.active is not None
        book.active.append(["symbol"])
        book.active.cell(3_292, 15).number_format = "0.00"
        out = io.BytesIO()
        book.save(out)
        assert list(open_document(out.getvalue(), "a.xlsx").sheets[0].rows) == [("symbol",)]

    @pytest.mark.parametrize("error", ["#DIV/0!", "#REF!", "#NUM!"])
    def test_an_error_in_a_cell_is_not_read_as_an_empty_one(self, error: str) -> None:
        book = xlwt.Workbook()
        sheet = book.add_sheet("P&L")
        sheet.write(0, 0, "profit")
        sheet.row(1).set_cell_error(0, error)
        out = io.BytesIO()
        book.save(out)
        with pytest.raises(UnreadableFile, match="an error instead of a value in row 2"):
            open_document(out.getvalue(), "a.xls")

    def test_rich_texts_are_joined_and_their_pronunciation_is_left_out(self) -> None:
        rich = "<si><r><t>Net </t></r><r><t>amount</t></r><rPh><t>netto</t></rPh></si><si><t>a_x000D_b</t></si>"
        rows = '<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>'
        assert list(open_document(xlsx_by_hand(rows, texts=rich), "a.xlsx").sheets[0].rows) == [("Net amount", "a\rb")]

    @pytest.mark.parametrize(
        ("pattern", "content"),
        [
            ("dd\\-mm\\-yyyy", date(2026, 6, 2)),
            ('"day" 0.00', 46175),
            ("[Red]0.00", 46175),
            ("General", 46175),
            ("0.00E+00", 46175),
            ("[h]:mm", datetime(2026, 6, 2)),
        ],
    )
    def test_a_number_is_a_day_by_its_style_alone(self, pattern: str, content: TestCell) -> None:
        escaped = pattern.replace('"', "&quot;")
        styles = (
            f'<numFmts><numFmt numFmtId="164" formatCode="{escaped}"/></numFmts><cellXfs><xf numFmtId="164"/></cellXfs>'
        )
        row = (
            open_document(xlsx_by_hand('<row><c s="0"><v>46175</v></c></row>', styles=styles), "a.xlsx")
            .sheets[0]
            .rows[0]
        )
        if pattern == "[h]:mm":  # shows hours, yet the day is the same
            assert row[0] in (date(2026, 6, 2), datetime(2026, 6, 2))
        else:
            assert row == (content,)

    @given(
        st.lists(
            st.lists(
                st.none()
                | st.text(
                    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"),
                    max_size=12,
                )
                | st.integers(-(10**14), 10**14)
                | st.floats(allow_nan=False, allow_infinity=False, width=32)
                | st.booleans(),
                max_size=6,
            ),
            max_size=6,
        )
    )
    @settings(max_examples=60)
    def test_rows_are_those_that_other_readers_see(self, rows: list[list[TestCell]]) -> None:
        texts = [
            [cell.replace("_x", "x").lstrip("=") if isinstance(cell, str) else cell for cell in row] for row in rows
        ]
        content = xlsx({"S": texts})
        others = (
            CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python(skip_empty_area=False)
        )
        assert _plain(open_document(content, "a.xlsx").sheets[0].rows) == _plain(others)


class TestPdf:
    def test_a_row_is_a_line_in_whatever_order_its_cells_were_drawn(self) -> None:
        cells = [
            (30, 40, "NIFTY 24000 CE"),
            (200, 40, "-500"),
            (300, 40, "101.25"),
            (30, 60, "RELIANCE"),
            (300, 60, "1.5"),
        ]
        lines = open_document(pdf_of_texts(list(reversed(cells))), "a.pdf").lines
        assert lines == ("NIFTY 24000 CE -500 101.25", "RELIANCE 1.5")

    def test_a_large_heading_does_not_join_the_cells_under_it(self) -> None:
        left, cells = 30.0, []
        for cell in ("09:15:03", "25", "1958.05", "48951.25"):
            cells.append((left, 60.0, cell))
            left += 4.8 * len(cell) + 5
        lines = open_document(pdf_of_texts(cells, heading="Contract note of the day for all"), "a.pdf").lines
        assert lines == ("Contract note of the day for all", "09:15:03 25 1958.05 48951.25")

    def test_the_head_is_the_first_page(self) -> None:
        content = pdf_of_lines(["one", "two"], ["three"])
        assert open_head(content, "a.pdf").lines == ("one", "two")
        assert open_document(content, "a.pdf").lines == ("one", "two", "three")

    @pytest.mark.parametrize("cipher", ["RC4-128", "AES-128", "AES-256"])
    def test_a_locked_note_opens_with_its_password_alone(
        self, cipher: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        content = locked(cipher)
        assert open_document(content, "note.pdf", password="ABCDE1234F").lines == ("obligation 5.00",)
        caplog.set_level(logging.DEBUG)
        for password, reason in ((None, "locked with a password"), ("ZZZZZ9999Z", "another password")):
            with pytest.raises(FileLocked, match=reason) as caught:
                open_head(content, "note.pdf", password=password)
            report = "".join(traceback.format_exception(caught.value))
            assert str(caught.value).count(". ") <= 2
            assert not {"ABCDE1234F", "ZZZZZ9999Z"} & set(report.replace("'", " ").split())
        printed = capfd.readouterr()
        assert "ZZZZZ9999Z" not in caplog.text + printed.out + printed.err

    def test_the_password_of_a_damaged_note_is_in_no_error(self) -> None:
        password = "ABCDE" + "1234F"
        with pytest.raises(UnreadableFile) as caught:
            open_document(locked("AES-256")[:-700], "note.pdf", password=password)
        assert password not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__cause__ is None

    def test_a_note_locked_for_printing_alone_needs_no_password(self) -> None:
        assert open_document(locked("AES-128", user=""), "note.pdf").lines == ("obligation 5.00",)


class TestTrees:
    def test_xml_and_json_are_whole(self) -> None:
        assert open_head(b'\xef\xbb\xbf<?xml version="1.0"?><a><b c="1"/></a>', "a").tree[0].attrib == {"c": "1"}  # type: ignore[index]
        assert open_head(b' {"a": [1, 2.5, null, "x"]}', "a").value == {"a": [1, 2.5, None, "x"]}


def test_the_head_of_a_large_file_is_its_first_rows_and_the_rest_is_not_looked_at() -> None:
    rows = "".join(f"<row><c><v>{n}</v></c></row>" for n in range(20_000))
    broken = xlsx_by_hand(rows + "<row><c><f>1+1</f></c></row>")
    assert len(open_head(broken, "a.xlsx").sheets[0].rows) == HEAD_ROWS
    with pytest.raises(UnreadableFile, match="formula without a value in row 20001"):
        open_document(broken, "a.xlsx")
    text = "a,b\n" * 500 + '"open'
    assert len(open_head(text.encode(), "a.csv").sheets[0].rows) == HEAD_ROWS
    with pytest.raises(UnreadableFile, match="line 501"):
        open_document(text.encode(), "a.csv")


def test_a_files_name_says_nothing_about_its_kind() -> None:
    assert open_head(xlsx({"S": [["a"]]}), "trades.csv").container == "xlsx"
    assert open_head(xls({"S": [["a"]]}), "trades.xlsx").container == "xls"
    assert open_head(codecs.BOM_UTF8 + b"a,b\n", "note.pdf").container == "csv"


def test_real_files_are_opened(market_data: Path) -> None:
    names = [path for kind in ("*.csv", "*.xml", "*.json") for path in sorted(market_data.rglob(kind))]
    assert len(names) > 30
    for path in names:
        document = open_document(path.read_bytes(), path.name)
        assert document.sheets or document.tree is not None or document.value


def locked(cipher: str, user: str = "ABCDE1234F") -> bytes:
    writer = pypdf.PdfWriter(io.BytesIO(pdf_of_lines(["obligation  5.00"])))
    writer.encrypt(user, "owner of it", algorithm=cipher)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _plain(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    """Return rows with blank cells as "", trailing ones left out."""
    plain = [["" if cell is None else cell for cell in row] for row in rows]
    for row in plain:
        while row and row[-1] == "":
            row.pop()
    while plain and not plain[-1]:
        plain.pop()
    return plain
