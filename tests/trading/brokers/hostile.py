"""Files that mean no good, made by code: each is to be refused by an error of its own kind and to hurt no library."""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from collections.abc import Iterator

import pypdf
import xlwt

from tests.trading.brokers.pdf_writer import pdf_of_lines
from tests.trading.brokers.workbooks import archive, biff_records, xls, xlsx, xlsx_by_hand
from trading.brokers.containers.limits import Allowance
from trading.brokers.containers.ole import container_of
from trading.brokers.containers.xls import _workbook_stream

HEADER = "symbol,isin,trade_date,exchange,segment,series,trade_type,auction,quantity,price,trade_id,order_id"
ROW = "RELIANCE,INE002A01018,2026-06-02,NSE,EQ,EQ,buy,false,10,2453.05,{n},11000000{n:08d}"
ENTITIES = '<!DOCTYPE a [<!ENTITY e0 "ha"><!ENTITY e1 "&e0;&e0;&e0;">]>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY e0 SYSTEM "file:///dev/null">]>'
CIPHERS = ("RC4-40", "RC4-128", "AES-128", "AES-256")
BARE_TYPE = '<!DOCTYPE a SYSTEM "a.dtd">'
TITLES = [*HEADER.split(","), "order_execution_time"]
OPTIONS: dict[str, dict[str, str]] = {
    "wrong_broker": {"broker": "dhan"},
    "wrong_layout": {"layout": "groww-orders"},
    "no_layout": {"layout": "nobodys"},
}
CELLS = '<row r="1"><c r="A1" t="inlineStr"><is><t>symbol</t></is></c></row>'


def files() -> Iterator[tuple[str, bytes]]:
    """Yield each file's name and content."""
    for maker in (csvs, archives, sheets, old_workbooks, pdfs, trees, books):
        for number, (name, content) in enumerate(maker()):
            yield f"{maker.__name__}-{number:03d}-{name}", content


def csvs() -> Iterator[tuple[str, bytes]]:
    """Yield texts that are no tables."""
    whole = "\n".join([HEADER, *(ROW.format(n=n) for n in range(50))])
    yield "empty", b""
    yield "blanks", b" \r\n\t" * 100
    yield "zeros", bytes(5000)
    yield "zeros_inside", whole.encode().replace(b"NSE", b"N\0E")
    yield "undefined_letters", whole.encode().replace(b"NSE", b"N\x81E")
    yield "half_a_letter", whole.encode("utf-16")[:-1] + b"\xd8"
    yield "open_quote", whole.encode().replace(b"RELIANCE", b'"RELIANCE', 1)
    yield "letters_after_a_quote", whole.encode().replace(b"RELIANCE", b'"REL"IANCE')
    yield "long_line", b"a" * 1_200_000
    yield "long_cell", f"{HEADER}\n{'a' * 140_000},1\n".encode()
    yield "wide_row", b"," * 1_500
    yield "beyond_the_limit", HEADER.encode() + b"\n" * (33 << 20)
    yield "a_million_blank_rows", b"," * 11 + b"\n" + (b"," * 11 + b"\n") * 1_000_000
    yield "all_different", ("\n".join(f"a{n},b{n},c{n},d{n},e{n},f{n}" for n in range(420_000))).encode()
    yield "different_within_bounds", ("\n".join(f"a{n},b{n},c{n},d{n},e{n},f{n}" for n in range(150_000))).encode()
    yield "wide_letters_within_bounds", ("\n".join(f"é{n},\U0001f600{n},c{n}" for n in range(250_000))).encode()
    for n, formula in enumerate(("=1+1", "=HYPERLINK(A1)", '="a"&B2', "=cmd|' /C x'!A0", "=A1", '="a""b"')):
        row = '"' + formula.replace('"', '""') + '"'
        yield f"formula_{n}", f"{HEADER}\n{row},,,,,,,,,,,\n".encode()
    yield "nobodys_layout", b"when,what,how many\n2026-06-02,RELIANCE,10\n"
    yield "a_brokers_columns_misspelled", whole.replace("trade_id", "tradeid").replace("isin", "is in").encode()
    source = random.Random(1)
    for n in range(25):
        yield f"noise_{n}", source.randbytes(2_000 + n)


def archives() -> Iterator[tuple[str, bytes]]:
    """Yield ZIPs that are no workbooks, or damaged ones."""
    whole = xlsx({"Trades": [HEADER.split(","), *(ROW.format(n=n).split(",") for n in range(30))]})
    for n in range(20):
        yield f"cut_{n}", whole[: 4 + (len(whole) - 8) * n // 20]
    yield "no_workbook", archive({"readme.txt": "nothing"})
    yield "empty_archive", archive({})
    yield "no_relations", archive({"xl/workbook.xml": "<workbook/>"})
    yield "many_parts", archive({f"part{n}": "" for n in range(1_200)})
    yield "bomb", archive({"xl/worksheets/sheet1.xml": bytes(513 << 20)})
    yield "claims_a_gigabyte", _claiming(xlsx_by_hand(CELLS), 1 << 30)
    yield "claims_too_little", _claiming(xlsx_by_hand(CELLS * 1), 10)
    yield "locked_flag", _flagged(xlsx_by_hand(CELLS))
    yield "no_sheets", xlsx_by_hand(parts={"xl/workbook.xml": "<workbook><sheets/></workbook>"})
    yield (
        "sheet_is_missing",
        xlsx_by_hand(
            parts={
                "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="r1" Type="a/worksheet" '
                'Target="x"/></Relationships>'
            }
        ),
    )


def _claiming(packed: bytes, size: int) -> bytes:
    """Return a ZIP whose directory claims another unpacked size for its sheet."""
    changed = bytearray(packed)
    at = packed.rindex(b"xl/worksheets/sheet1.xml") - 46
    struct.pack_into("<I", changed, at + 24, size)
    return bytes(changed)


def _flagged(packed: bytes) -> bytes:
    changed = bytearray(packed)
    at = packed.rindex(b"xl/worksheets/sheet1.xml") - 46
    changed[at + 8] |= 1
    return bytes(changed)


def sheets() -> Iterator[tuple[str, bytes]]:
    """Yield workbooks whose parts are not to be trusted."""
    for name, head in (("entities", ENTITIES), ("external", EXTERNAL), ("type", BARE_TYPE)):
        yield name, xlsx_by_hand(CELLS, before_root=head)
        for part in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml", "xl/workbook.xml"):
            root = f'<?xml version="1.0"?>{head}<a>&e0;</a>'
            row = '<row><c t="s"><v>0</v></c></row>'
            yield f"{name}_in_a_part", xlsx_by_hand(row, parts={part: root})
            yield (
                f"{name}_in_utf_16",
                xlsx_by_hand(row, parts={part: f'<?xml version="1.0" encoding="utf-16"?>{head}<a/>'.encode("utf-16")}),
            )
    for n, cell in enumerate(
        (
            "<f>1+1</f>",
            "<f>1+1</f><v></v>",
            "<f>1+1</f><v/>",
            '<f t="shared" si="0"/>',
            '<f t="array" ref="A1">SUM(B1)</f>',
        )
    ):
        yield f"formula_{n}", xlsx_by_hand(f"<row><c>{cell}</c></row>")
    bad_rows = {
        "rows_go_back": '<row r="5"><c><v>1</v></c></row><row r="4"><c><v>2</v></c></row>',
        "row_twice": '<row r="5"><c><v>1</v></c></row><row r="5"><c><v>2</v></c></row>',
        "row_of_no_number": '<row r="five"><c><v>1</v></c></row>',
        "row_beyond_all": '<row r="1048577"><c><v>1</v></c></row>',
        "cells_go_back": '<row><c r="B1"><v>1</v></c><c r="A1"><v>2</v></c></row>',
        "cell_twice": '<row><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>',
        "cell_far_out": '<row><c r="XFD1"><v>1</v></c></row>',
        "cell_of_no_place": '<row><c r="11"><v>1</v></c></row>',
        "no_text_of_that_number": '<row><c t="s"><v>7</v></c></row>',
        "text_of_a_negative_number": '<row><c t="s"><v>-1</v></c></row>',
        "text_of_no_number": '<row><c t="s"><v>first</v></c></row>',
        "number_of_letters": "<row><c><v>12,5</v></c></row>",
        "no_day": '<row><c t="d"><v>2026-13-45</v></c></row>',
        "style_of_no_number": '<row><c s="bold"><v>1</v></c></row>',
        "cut_row": "<row><c><v>1</v>",
        "long_text": f'<row><c t="inlineStr"><is><t>{"a" * 200_000}</t></is></c></row>',
        "no_part_of_xml": "\x01\x02",
        "dates_from_1904": CELLS,
    }
    for name, rows in bad_rows.items():
        book = '<workbookPr date1904="1"/>' if name == "dates_from_1904" else ""
        yield name, xlsx_by_hand(rows, texts="<si><t>one</t></si>", book=book)
    yield "far_corner", xlsx_by_hand('<row r="1048576"><c r="A1048576"><v>1</v></c></row>')
    yield "a_million_blank_rows", xlsx_by_hand(b'<row><c s="0"/></row>' * 1_000_000)
    yield "millions_of_blank_cells", xlsx_by_hand((b"<row>" + b'<c s="0"/>' * 8 + b"</row>") * 320_000)
    yield "endless_blanks", xlsx_by_hand(b" " * (60 << 20) + CELLS.encode())
    yield "endless_attribute", xlsx_by_hand(b'<row x="' + b"a" * (60 << 20) + b'"/>')
    yield "endless_comment", xlsx_by_hand(b"<!--" + b"a" * (60 << 20) + b"-->")
    yield (
        "endless_text",
        xlsx_by_hand('<row><c t="s"><v>0</v></c></row>', texts=b"<si><t>" + b"a" * (60 << 20) + b"</t></si>"),
    )
    yield (
        "many_texts",
        xlsx_by_hand(
            '<row><c t="s"><v>1199999</v></c></row>',
            texts=b"".join(b"<si><t>%d</t></si>" % n for n in range(1_200_000)),
        ),
    )
    yield (
        "many_numbers",
        xlsx_by_hand(b"".join(b"<row>" + b"<c><v>%d.5</v></c>" % n * 12 + b"</row>" for n in range(190_000))),
    )


def old_workbooks() -> Iterator[tuple[str, bytes]]:
    """Yield XLS workbooks that claim, lack or hide something."""
    whole = xls({"Trades": [HEADER.split(","), *(ROW.format(n=n).split(",") for n in range(60))]})
    for n in range(1, 16):
        yield f"cut_{n}", whole[: len(whole) * n // 16]
    stream = bytes(_workbook_stream(whole, Allowance("")))
    for n in range(1, 12):
        yield f"records_cut_{n}", container_of(stream[: len(stream) * n // 14])
    far = [[None]] * 2_999 + [[*[None] * 255, 1.5]]  # a rectangle above the limit
    yield "far_corner", xls({"Trades": far})
    book = xlwt.Workbook()
    book.add_sheet("Trades").write(3, 0, xlwt.Formula("1+1"))
    out = io.BytesIO()
    book.save(out)
    yield "formula", out.getvalue()
    yield "file_pass", _with_record(stream, 0x2F, bytes(6), sheet=0)
    yield "dates_from_1904", _with_record(stream, 0x22, b"\x01\x00", sheet=0)
    yield "cell_of_no_size", _with_record(stream, 0x0203, b"\x00")
    yield "column_300", _with_record(stream, 0x0203, struct.pack("<HHHd", 0, 300, 0, 1.5))
    yield "claim_of_no_size", _with_record(stream, 0x0200, b"\x00\x00")
    yield "starts_nowhere", container_of(b"\x01\x02\x03\x04" * 2_000)
    yield "other_stream", container_of(stream).replace("Workbook".encode("utf-16-le"), "Notebook".encode("utf-16-le"))
    name = "EncryptedPackage".encode("utf-16-le")
    entry = container_of(stream)
    at = entry.index("Workbook".encode("utf-16-le"))
    yield "locked_workbook", entry[:at] + (name + b"\0\0").ljust(64, b"\0") + struct.pack("<H", 34) + entry[at + 66 :]


def _with_record(stream: bytes, kind: int, content: bytes, sheet: int = 1) -> bytes:
    """Return an XLS with one record more, the first of its sheet, or of the workbook's own where ``sheet`` is 0."""
    starts = [start + size for each, start, size in biff_records(stream) if each == 0x0809]
    at = starts[sheet]
    return container_of(stream[:at] + struct.pack("<HH", kind, len(content)) + content + stream[at:])


def pdfs() -> Iterator[tuple[str, bytes]]:
    """Yield PDFs that are locked, cut, endless or pictures."""
    whole = pdf_of_lines([f"{n}  RELIANCE  B  10  2453.05" for n in range(40)])
    for n in range(1, 11):
        yield f"cut_{n}", whole[: len(whole) * n // 20]
    for cipher in CIPHERS:
        writer = pypdf.PdfWriter(io.BytesIO(whole))
        writer.encrypt("ABCDE1234F", "owner", algorithm=cipher)
        out = io.BytesIO()
        writer.write(out)
        yield f"locked_{cipher}", out.getvalue()
    yield "no_text", pdf_of_lines([])
    yield "many_pages", pdf_of_lines(*[["page"]] * 320)
    yield "mark_alone", b"%PDF-1.7\n%%EOF\n"
    yield "noise", b"%PDF-1.7\n" + random.Random(2).randbytes(20_000)
    yield "beyond_the_limit", b"%PDF-1.7\n" + bytes(9 << 20)
    packed = zlib.compress(bytes(30 << 20))
    start = whole.index(b"<< /Length")
    end = whole.index(b"endstream")
    yield (
        "packed_page",
        whole[:start] + b"<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed) + packed + b"\n" + whole[end:],
    )
    yield "pages_in_a_ring", whole.replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]")


def trees() -> Iterator[tuple[str, bytes]]:
    """Yield XML and JSON that define, nest or repeat too much."""
    xml = f'<FlexQueryResponse queryName="a">{"<Trade symbol=@A@ quantity=@1@/>" * 40}</FlexQueryResponse>'.replace(
        "@", '"'
    )
    for n in range(1, 11):
        yield f"xml_cut_{n}", xml[: len(xml) * n // 11].encode()
    for name, head in (("entities", ENTITIES), ("external", EXTERNAL), ("type", BARE_TYPE)):
        yield f"xml_{name}", f'<?xml version="1.0"?>{head}<a>&e0;</a>'.encode()
        yield f"xml_{name}_unused", f"{head}{xml}".encode()
    yield "xml_deep", (b"<a>" * 100) + (b"</a>" * 100)
    yield "xml_many", b"<a>" + b"<b/>" * 1_500_000 + b"</a>"
    yield "xml_endless", b'<a b="' + b"a" * (20 << 20) + b'"/>'
    yield "page", b"<!doctype html><html><body><table><tr><td>1</td></tr></table></body></html>"
    yield "page_as_workbook", b"<table border=1><tr><td>Trade</td></tr></table>"
    body = json.dumps({"status": "success", "data": [{"trade_id": str(n), "price": 1.5} for n in range(40)]})
    for n in range(1, 11):
        yield f"json_cut_{n}", body[: len(body) * n // 11].encode()
    yield "json_deep", b"[" * 100_000
    yield "json_nan", b'{"price": NaN}'
    yield "json_infinity", b'{"price": -Infinity}'
    yield "json_twice", b'{"price": 1, "price": 2}'
    yield "json_digits", b'{"price": ' + b"1" * 6_000 + b"}"
    yield "json_many", b"[" + b"[]," * 3_000_000 + b"[]]"
    yield "json_many_within_bounds", b"[" + b"[]," * 520_000 + b"[]]"
    yield "json_keys_within_bounds", b"[" + b",".join(b'{"k%d":1}' % n for n in range(160_000)) + b"]"
    yield "xml_many_within_bounds", b"<a>" + b"<b/>" * 400_000 + b"</a>"
    yield "xml_attributes_within_bounds", b"<a>" + b"".join(b'<b c="%d"/>' % n for n in range(105_000)) + b"</a>"
    yield "json_nobodys", b'{"hello": [1, 2, 3]}'


def books() -> Iterator[tuple[str, bytes]]:
    """Yield files of a known layout that are not of the account, or not what a person says of them (`OPTIONS`)."""
    yield "wrong_client", tradebook(client="ZZ9999")
    for name in OPTIONS:
        yield name, tradebook()


def tradebook(client: str = "AB1234", first: int = 1) -> bytes:
    """Return a workbook of Zerodha's tradebook."""
    titles = ["Trade Date" if title == "trade_date" else title.replace("_", " ").title() for title in TITLES]
    rows = [
        ["RELIANCE", "INE002A01018", "2026-06-02", "NSE", "EQ", "EQ", "buy", False, 10, 2453.05, str(number), "11"]
        for number in range(first, first + 5)
    ]
    stamped = [[*row, "2026-06-02T09:21:55"] for row in rows]
    return xlsx({"Equity": [["Client ID", client], [], titles, *stamped]})
