"""Market files to columns: what is read, what is refused and why, on which line."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeseries.errors import InvalidValue
from timeseries.values import parse_time
from trading.feeds import csv_file, lines
from trading.feeds.csv_file import read_csv
from trading.feeds.lines import UnusableFile
from trading.feeds.names import FileSymbols, stem_of
from trading.feeds.numbers import Numbers, read_numbers
from trading.feeds.ticks import REASONS, FeedFile, whole
from trading.feeds.times import CellTimes, read_times

KOLKATA = ZoneInfo("Asia/Kolkata")
NOW = int(datetime(2021, 4, 13, tzinfo=UTC).timestamp()) * 10**9
SECOND = 10**9
NINE_FIFTEEN = int(datetime(2021, 4, 12, 9, 15, tzinfo=KOLKATA).timestamp()) * SECOND


def read(folder: Path, content: str | bytes, name: str = "RELIANCE_12_April.csv", **options) -> FeedFile:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    options = {"zone": KOLKATA, "now_ns": NOW, "names": FileSymbols.parse(options.pop("symbol", []))} | options
    return whole(list(read_csv(path, **options)))


def reasons(file: FeedFile) -> list[tuple[int, str]]:
    return [(reject.line, reject.reason) for reject in file.rejects]


def at(text: str) -> int:
    """The ns of a wall time of 12 April 2021 in Kolkata."""
    return (
        NINE_FIFTEEN
        + (sum(int(part) * unit for part, unit in zip(text.split(":"), (3600, 60, 1), strict=True)) - 33300) * SECOND
    )


def test_a_real_looking_file_is_read_as_it_stands(tmp_path):
    file = read(
        tmp_path, "timestamp,ltp,volume\n2021-04-12 09:15:08,1958.05,138633\n2021-04-12 09:15:09,1957.0,144681\n"
    )
    assert file.rows_read == 2
    assert file.rejects == ()
    assert file.ticks.symbols == ("RELIANCE",)
    assert file.ticks.time.tolist() == [at("09:15:08"), at("09:15:09")]
    assert file.ticks.close.tolist() == [1958.05, 1957.0]
    assert file.ticks.volume.tolist() == [138633, 144681]
    assert np.isnan(file.ticks.open).all()


def test_duplicates_and_several_values_of_one_second_are_all_kept_in_their_order(tmp_path):
    rows = ["09:15:08,1.05", "09:15:08,1.05", "09:15:08,1.1", "09:15:07,2", "09:15:08,1.05"]
    file = read(tmp_path, "timestamp,ltp\n" + "".join(f"2021-04-12 {row}\n" for row in rows))
    assert file.ticks.close.tolist() == [1.05, 1.05, 1.1, 2, 1.05]
    assert file.ticks.time.tolist() == [at(row[:8]) for row in rows]


@pytest.mark.parametrize(
    ("cell", "instant"),
    [
        ("2021-04-12 09:15:08", at("09:15:08")),
        ("2021-04-12T09:15:08", at("09:15:08")),
        ("2021-04-12 09:15", at("09:15:00")),
        ("2021-04-12", at("00:00:00")),
        ("2021-04-12 09:15:08.5", at("09:15:08") + 500_000_000),
        ("2021-04-12 09:15:08.123456789", at("09:15:08") + 123_456_789),
        ("2021-04-12 09:15:08,123", at("09:15:08") + 123_000_000),
        ("2021-04-12T03:45:08Z", at("09:15:08")),
        ("2021-04-12T03:45:08.000000001Z", at("09:15:08") + 1),
        ("2021-04-12T09:15:08+05:30", at("09:15:08")),
        ("2021-04-12T09:15:08+0530", at("09:15:08")),
        ("2021-04-11 23:45:08-04", at("09:15:08")),
        ("1618199108", at("09:15:08")),
        ("1618199108.25", at("09:15:08") + 250_000_000),
        ("1618199108123", at("09:15:08") + 123_000_000),
        ("1618199108123456", at("09:15:08") + 123_456_000),
        ("1618199108123456789", at("09:15:08") + 123_456_789),
        ("  2021-04-12 09:15:08\t", at("09:15:08")),
    ],
)
def test_a_time_is_read_whatever_its_form(tmp_path, cell, instant):
    quoted = f'"{cell}"' if "," in cell else cell
    # Beside a plain row, so that the row is one of several forms in a column.
    file = read(tmp_path, f"timestamp,ltp\n{quoted},5\n2021-04-12 09:15:09,6\n")
    assert reasons(file) == []
    assert file.ticks.time.tolist() == [instant, at("09:15:09")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2021-04-12 09:15:08", "unreadable"),
        ("2021-04-12 09:15:08,5,6,7,8", "unreadable"),
        ("2021-04-12 09:15:08,five,1", "unreadable"),
        ("2021-04-12 09:15:08,1_000,1", "unreadable"),
        ("2021-04-12 09:15:08,٥,1", "unreadable"),
        ("2021-04-12 09:15:08,0x10,1", "unreadable"),
        ("2021-04-12 09:15:08,5,many", "unreadable"),
        ('2021-04-12 09:15:08,"5,1', "unreadable"),
        ('2021-04-12 09:15:08,"1,958.05",1', "unreadable"),
        ("2021-04-12 09:15:08,5\0,1", "unreadable"),
        ("\0\0\0\0", "unreadable"),
        ("2021-04-31 09:15:08,5,1", "unreadable"),
        ("2021-04-12 24:00:00,5,1", "unreadable"),
        ("2021-04-12 09:15:60,5,1", "unreadable"),
        ("12-04-2021 09:15:08,5,1", "unreadable"),
        ("2021-04-12 09:15:08 IST,5,1", "unreadable"),
        ("2021-04-12T09:15:08+99:00,5,1", "unreadable"),
        ("1.6e9,5,1", "unreadable"),
        (",,", "no_time"),
        (",5,1", "no_time"),
        ("2021-04-12 09:15:08,,1", "no_price"),
        ("2021-04-12 09:15:08,nan,1", "price_not_finite"),
        ("2021-04-12 09:15:08,-Infinity,1", "price_not_finite"),
        ("2021-04-12 09:15:08,1e999,1", "price_not_finite"),
        ("2021-04-12 09:15:08,0,1", "price_not_positive"),
        ("2021-04-12 09:15:08,-0.0,1", "price_not_positive"),
        ("2021-04-12 09:15:08,-5,1", "price_not_positive"),
        ("1999-12-31 23:59:59,5,1", "time_too_old"),
        ("0001-01-01 00:00:00,5,1", "time_too_old"),
        ("12345,5,1", "time_too_old"),
        ("-1618199108,5,1", "time_too_old"),
        ("2021-04-14 05:30:01,5,1", "time_in_future"),
        ("9999-12-31 23:59:59,5,1", "time_in_future"),
        ("9" * 30 + ",5,1", "time_in_future"),
        ("2021-04-12 09:15:08,5,-1", "volume_negative"),
        ("2021-04-12 09:15:08,5,inf", "volume_not_finite"),
        ("1999-01-01 00:00:00,-5,1", "price_not_positive"),  # of several reasons the first
    ],
)
def test_a_row_that_cannot_be_true_is_named_with_its_line_reason_and_text(tmp_path, row, reason):
    good = "2021-04-12 09:15:07,4,1"
    file = read(tmp_path, f"timestamp,ltp,volume\n{good}\n{row}\n{good}\n")
    assert [(reject.line, reject.reason, reject.text) for reject in file.rejects] == [
        (3, reason, row.replace("\0", "\\x00"))
    ]
    assert reason in REASONS
    assert file.rows_read == 3
    assert file.ticks.close.tolist() == [4, 4]


@pytest.mark.parametrize(
    ("row", "price", "volume"),
    [
        ("2021-04-12 09:15:08,1958.05,3", 1958.05, 3),
        ("2021-04-12 09:15:08,0.1,", 0.1, None),
        ("2021-04-12 09:15:08,+5,0", 5, 0),
        ("2021-04-12 09:15:08,.5,1", 0.5, 1),
        ("2021-04-12 09:15:08,5.,1", 5, 1),
        ("2021-04-12 09:15:08,1.5e3,1e3", 1500, 1000),
        ("2021-04-12 09:15:08,100.12345678901234567,1", 100.12345678901235, 1),
        ('"2021-04-12 09:15:08","5","1"', 5, 1),
        (" 2021-04-12 09:15:08 , 5 , 1 ", 5, 1),
        ("2021-04-14 05:29:59,5,1", 5, 1),
        ("2000-01-01 05:30:00,5,1", 5, 1),
    ],
)
def test_a_row_that_can_be_true_is_kept(tmp_path, row, price, volume):
    file = read(tmp_path, f"timestamp,ltp,volume\n{row}\n")
    assert reasons(file) == []
    assert file.ticks.close.tolist() == [price]
    kept = file.ticks.volume.tolist()[0]
    assert (None if np.isnan(kept) else kept) == volume


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    content = "\ntimestamp,ltp\r\n\r\n2021-04-12 09:15:08,1\r\n   \r\nbad\r\n2021-04-12 09:15:09,2"
    file = read(tmp_path, content)
    assert file.rows_read == 3
    assert reasons(file) == [(6, "unreadable")]
    assert file.rejects[0].text == "bad"
    assert file.ticks.close.tolist() == [1, 2]


def test_a_byte_order_mark_case_blanks_and_order_of_the_header_do_not_matter(tmp_path):
    file = read(tmp_path, '\ufeffVolume , "LTP", note,TimeStamp\n3,5,"a, b",2021-04-12 09:15:08\n')
    assert file.ticks.close.tolist() == [5]
    assert file.ticks.volume.tolist() == [3]
    assert file.notes == ("RELIANCE_12_April.csv: not read: note",)


def test_bytes_that_are_no_text_cost_their_own_row_only_where_they_matter(tmp_path):
    head = b"timestamp,ltp,symbol,note\n"
    rows = [
        b"2021-04-12 09:15:08,1,A,\xff",
        b"2021-04-12 09:15:08,2\xff,A,",
        b"2021-04-12 09:15:08,3,\xff,",
        b"2021-04-12 09:15:08,4,A,",
    ]
    file = read(tmp_path, head + b"\n".join(rows))
    assert file.ticks.close.tolist() == [1, 4]
    assert reasons(file) == [(3, "unreadable"), (4, "symbol_not_valid")]
    assert file.rejects[0].text == "2021-04-12 09:15:08,2\\xff,A,"


def test_a_huge_line_costs_nothing_but_itself(tmp_path):
    file = read(
        tmp_path,
        "timestamp,ltp\n" + "x" * 5_000_000 + '\n2021-04-12 09:15:08,1\n2021-04-12 09:15:08,"' + "1" * 300_000 + '"\n',
    )
    assert file.ticks.close.tolist() == [1]
    assert reasons(file) == [(2, "unreadable"), (4, "unreadable")]
    assert len(file.rejects[0].text) < 5_000


@pytest.mark.parametrize("header", ["ltp", "last_price", "price", "close", "Close"])
def test_a_last_price_goes_by_four_names(tmp_path, header):
    assert read(tmp_path, f"timestamp,{header}\n2021-04-12 09:15:08,5\n").ticks.close.tolist() == [5]


def test_bars_have_four_prices(tmp_path):
    file = read(tmp_path, "timestamp,open,high,low,close,volume\n2021-04-12 09:16:00,2,3,1,2.5,10\n")
    ticks = file.ticks
    assert [ticks.open[0], ticks.high[0], ticks.low[0], ticks.close[0], ticks.volume[0]] == [2, 3, 1, 2.5, 10]


@pytest.mark.parametrize(
    ("bar", "reason"),
    [
        ("2,3,1,3.5", "bar_not_enclosing"),
        ("0.5,3,1,2", "bar_not_enclosing"),
        ("2,1,3,2", "bar_not_enclosing"),
        ("2,3,,2", "no_price"),
        ("2,3,0,2", "price_not_positive"),
        ("2,inf,1,2", "price_not_finite"),
    ],
)
def test_a_bar_whose_prices_do_not_fit_is_refused(tmp_path, bar, reason):
    file = read(tmp_path, f"timestamp,open,high,low,close\n2021-04-12 09:16:00,{bar}\n")
    assert reasons(file) == [(2, reason)]


def test_a_last_price_beside_another_close_is_ambiguous_and_the_days_range_is_not_read(tmp_path):
    head = "timestamp,ltp,open,high,low,close\n"
    file = read(
        tmp_path, head + "2021-04-12 09:16:00,5,9,9,9,4\n2021-04-12 09:16:00,5,9,9,9,5\n2021-04-12 09:16:00,5,,,,\n"
    )
    assert reasons(file) == [(2, "price_ambiguous")]
    assert file.ticks.close.tolist() == [5, 5]
    assert np.isnan(file.ticks.open).all()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n\n \n", "is empty"),
        (b"2021-04-12 09:15:08,1958.05,138633\n", "no header"),
        (b"timestamp,volume\n", "no header"),
        (b"timestamp,open,high,low\n", "no header"),
        (b"ltp,volume\n", "no header"),
        (b"timestamp;ltp\n", "no header"),
        (b"timestamp,ltp,LTP\n", "ltp twice"),
        ("timestamp,ltp\n".encode("utf-16"), "no header|is empty"),
        (b"\x1f\x8b not gzip at all", "damaged gzip"),
        (gzip.compress(b"timestamp,ltp\n", mtime=0)[:-8] + b"\0\0\0\0\0\0\0\0", "damaged gzip"),
    ],
)
def test_a_file_that_is_no_feed_is_refused_as_a_whole(tmp_path, content, words):
    with pytest.raises(UnusableFile, match=words):
        read(tmp_path, content)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(UnusableFile, match="cannot be read"):
            list(read_csv(path, zone=KOLKATA, now_ns=NOW, names=FileSymbols()))


def test_a_header_alone_is_a_feed_without_rows(tmp_path):
    file = read(tmp_path, "timestamp,ltp\n")
    assert (file.rows_read, len(file.ticks), file.rejects) == (0, 0, ())


def test_gzip_is_told_by_its_content_and_reads_the_same(tmp_path):
    content = b"timestamp,ltp\n2021-04-12 09:15:08,1\n2021-04-12 09:15:09,2\n"
    for name in ("A_1.csv", "A_1.csv.gz", "A_1.data"):
        file = read(tmp_path, gzip.compress(content) if name != "A_1.csv" else content, name)
        assert file.ticks.close.tolist() == [1, 2]
    assert read(tmp_path, gzip.compress(content), "A_1.csv").ticks.symbols == ("A",)


def test_a_gzip_file_that_ends_early_gives_what_is_whole_and_names_the_rest(tmp_path):
    rows = "".join(f"2021-04-12 09:15:08,{number}.5,94{number}\n" for number in range(20_000))
    whole = gzip.compress(f"timestamp,ltp,volume\n{rows}".encode())
    file = read(tmp_path, whole[: len(whole) // 2], "A.csv.gz")
    kept = len(file.ticks)
    assert 1_000 < kept < 19_000
    assert file.ticks.close.tolist() == [number + 0.5 for number in range(kept)]
    assert reasons(file) == [(kept + 2, "unreadable")]
    assert file.rows_read == kept + 1


def test_the_line_in_which_a_gzip_file_ends_is_refused_even_when_it_reads_like_a_row(tmp_path):
    whole = gzip.compress(b"timestamp,ltp\n2021-04-12 09:15:08,1\n2021-04-12 09:15:08,1958.05", compresslevel=0)
    file = read(tmp_path, whole[:-10], "A.csv.gz")  # the price ends after 1958
    assert file.rejects[0].text.startswith("2021-04-12 09:15:08,195")
    assert file.ticks.close.tolist() == [1]


# -- symbols -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("RELIANCE_12_April.csv", "RELIANCE"),
        ("BAJAJ_AUTO_12_April.csv.gz", "BAJAJ_AUTO"),
        ("Nifty_Bank_12_April.csv", "Nifty_Bank"),
        ("M&M_2021.CSV.GZ", "M&M"),
        ("INFY.csv", "INFY"),
        ("NIFTY50_1.csv", "NIFTY50"),
        ("A.B_C.csv", "A.B_C"),
    ],
)
def test_a_file_without_more_is_named_by_its_stem(name, symbol):
    assert stem_of(Path(name)) == symbol


def test_symbols_come_from_the_option_for_the_stem_then_the_option_for_all_then_the_name(tmp_path):
    content = "timestamp,ltp\n2021-04-12 09:15:08,5\n"

    def symbol(*options):
        return read(tmp_path, content, "MM_12_April.csv", symbol=options).ticks.symbols

    assert symbol() == ("MM",)
    assert symbol("M&M") == ("M&M",)
    assert symbol("MM=M&M", "X") == ("M&M",)
    assert symbol("MM_12_April=M&M", "X") == ("M&M",)
    assert symbol("MM_12_April.csv=M&M") == ("M&M",)
    assert symbol("RELIANCE=R") == ("MM",)
    assert symbol("MM=A=B") == ("A=B",)


@pytest.mark.parametrize("options", [["A", "B"], ["X=A", "X=B"], ["=A"], ["X="], [""]])
def test_options_that_say_two_things_or_nothing_are_refused(options):
    with pytest.raises(InvalidValue):
        FileSymbols.parse(options)


def test_a_column_names_the_symbol_of_each_row_and_what_it_leaves_open_is_the_options(tmp_path):
    rows = ["M&M,1", ",2", " TCS ,3", "a\\b,4"]
    content = "timestamp,symbol,ltp\n" + "".join(f"2021-04-12 09:15:08,{row}\n" for row in rows)
    file = read(tmp_path, content)
    assert [file.ticks.symbols[place] for place in file.ticks.symbol] == ["M&M", "TCS"]
    assert reasons(file) == [(3, "no_symbol"), (5, "symbol_not_valid")]
    named = read(tmp_path, content, symbol=["INFY"])
    assert [named.ticks.symbols[place] for place in named.ticks.symbol] == ["M&M", "INFY", "TCS"]


def test_a_symbol_in_another_script_reads_back_letter_by_letter(tmp_path):
    file = read(tmp_path, "timestamp,symbol,ltp\n2021-04-12 09:15:08,रिलायंस,1\n2021-04-12 09:15:08,é,2\n")
    assert file.ticks.symbols == ("रिलायंस", "é")


def test_a_file_whose_name_gives_no_symbol_has_rows_without_one(tmp_path):
    assert reasons(read(tmp_path, "timestamp,ltp\n2021-04-12 09:15:08,5\n", "_12_April.csv")) == [(2, "no_symbol")]


# -- zones -------------------------------------------------------------------------------------------------------------


def test_wall_times_that_the_zone_skips_or_repeats_are_refused_and_those_beside_them_are_not(tmp_path):
    times = [
        "2021-03-14 01:59:59",
        "2021-03-14 02:30:00",
        "2021-03-14 03:00:00",
        "2020-11-01 00:59:59",
        "2020-11-01 01:30:00",
        "2020-11-01 02:00:00",
        "2020-11-01T01:30:00-05:00",
    ]
    file = read(
        tmp_path, "timestamp,ltp\n" + "".join(f"{time},5\n" for time in times), zone=ZoneInfo("America/New_York")
    )
    assert reasons(file) == [(3, "time_skipped"), (6, "time_repeated")]
    told = [datetime.fromtimestamp(time // SECOND, UTC).strftime("%d %H:%M:%S") for time in file.ticks.time.tolist()]
    assert told == ["14 06:59:59", "14 07:00:00", "01 04:59:59", "01 07:00:00", "01 06:30:00"]


ZONES = [ZoneInfo(name) for name in ("Asia/Kolkata", "America/New_York", "Europe/London", "Australia/Lord_Howe", "UTC")]
MOMENTS = st.datetimes(datetime(2000, 1, 2), datetime(2021, 4, 12))
NEAR_CHANGES = st.builds(
    lambda change, shift: change + shift,
    st.sampled_from(
        [
            datetime(2021, 3, 14, 2),
            datetime(2020, 11, 1, 1),
            datetime(2021, 3, 28, 1),
            datetime(2020, 10, 4, 2),
            datetime(2021, 4, 4, 2),
        ]
    ),
    st.timedeltas(timedelta(hours=-2), timedelta(hours=3)),
)


@given(st.lists(st.one_of(MOMENTS, NEAR_CHANGES), min_size=1, max_size=30), st.sampled_from(ZONES))
@settings(deadline=None, max_examples=60)
def test_columns_of_times_mean_what_the_one_parser_says(moments, zone):
    found = read_times(pa.array([moment.isoformat(" ") for moment in moments]), zone=zone, now_ns=NOW)
    refused = found.skipped | found.repeated
    for place, moment in enumerate(moments):
        try:
            expected = parse_time(moment, zone, NOW, "at")
        except InvalidValue:
            assert refused[place]
        else:
            assert not refused[place]
            assert found.time[place] == expected


# -- the fast way and the slow way are one -----------------------------------------------------------------------------

CELLS = st.sampled_from(
    [
        "2021-04-12 09:15:08",
        "2021-04-12T03:45:08Z",
        "1618199108",
        "",
        "5",
        "1958.05",
        "-1",
        "nan",
        "1e3",
        "é",
        '"5"',
        '"',
        "a,b",
        " 7 ",
        "7\t",
        "0",
        "\r",
        "\0",
        "RELIANCE",
    ]
)


@given(st.lists(st.lists(CELLS, min_size=1, max_size=5).map(",".join), max_size=12), st.sampled_from(["\n", "\r\n"]))
@settings(deadline=None, max_examples=150)
def test_a_line_means_the_same_by_itself_and_among_others(tmp_path_factory, rows, ending):
    folder = tmp_path_factory.mktemp("feed")
    content = ending.join(["timestamp,ltp,volume,symbol", *rows])
    together = read(folder, content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_is_plain", lambda lines, *, commas: np.zeros(len(lines), dtype=bool))
        alone = read(folder, content)
    assert together.rejects == alone.rejects
    assert together.rows_read == alone.rows_read == len(together.ticks) + len(together.rejects)
    assert told(together) == told(alone)


def told(file: FeedFile) -> list[tuple]:
    ticks = file.ticks
    names = [ticks.symbols[place] for place in ticks.symbol.tolist()]
    return list(zip(names, ticks.time.tolist(), ticks.close.tolist(), map(str, ticks.volume.tolist()), strict=True))


@given(
    st.lists(
        st.decimals(min_value="0.00000001", max_value="92233720368", places=8).map(lambda number: f"{number:f}"),
        min_size=1,
    )
)
@settings(deadline=None, max_examples=60)
def test_a_price_is_the_float_nearest_to_its_text(texts):
    assert read_numbers(pa.array(texts)).value.tolist() == [float(text) for text in texts]


NUMBER_TEXTS = st.one_of(
    st.decimals(min_value=0, max_value=10**12, places=3).map(lambda number: f"{number:f}"),
    st.integers(0, 10**40).map(str),
    st.text("0123456789.", max_size=40),
    st.sampled_from(["", ".", "1.", ".5", "1..2", "1.2.3", "-1", "+1", "1e5", "nan", "inf", "0x10", "1,0", "1_0", "½"]),
)


@given(st.lists(NUMBER_TEXTS, max_size=12), st.integers(0, 3))
@settings(deadline=None, max_examples=200)
def test_a_number_is_read_alike_by_itself_and_among_others(texts, left_out):
    together = read_numbers(pa.array(texts, pa.string()).slice(left_out))
    for place, text in enumerate(texts[left_out:]):
        alone = read_numbers(pa.array([text, "x"]))
        for name in Numbers.__slots__:
            assert repr(getattr(together, name)[place]) == repr(getattr(alone, name)[0]), (name, text)
        if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
            assert together.value[place] == float(text)


WALL = "2021-04-12 09:15:08"
NEARLY_WALLS = st.builds(
    lambda place, character: f"{WALL[:place]}{character}{WALL[place + 1 :]}",
    st.integers(0, len(WALL) - 1),
    st.sampled_from("0123456789-:+TZ t./a,"),
)


@given(NEARLY_WALLS | st.sampled_from([WALL[:10], WALL[:13], WALL[:16], f"{WALL}.5", f"{WALL}Z"]), st.integers(0, 3))
@settings(deadline=None, max_examples=200)
def test_a_time_is_read_alike_by_itself_and_among_others(cell, others):
    clock = {"zone": KOLKATA, "now_ns": NOW}
    together, alone = (read_times(pa.array(cells), **clock) for cells in ([cell, *[WALL] * others], [cell, "x"]))
    for name in CellTimes.__slots__:
        assert getattr(together, name)[0] == getattr(alone, name)[0], (name, cell)


def test_a_hundred_thousand_rows_are_all_read(tmp_path):
    rows = (
        "".join(
            f"2021-04-12 {9 + s // 3600:02}:{s // 60 % 60:02}:{s % 60:02},{1900 + s % 97}.05,{s}\n"
            for s in range(20_000)
        )
        * 5
    )
    file = read(tmp_path, f"timestamp,ltp,volume\n{rows}")
    assert len(file.ticks) == 100_000


def test_every_reason_that_a_row_can_be_refused_for_is_listed_in_order():
    assert REASONS[:8] == (
        "unreadable",
        "no_symbol",
        "no_time",
        "no_price",
        "price_not_finite",
        "price_not_positive",
        "time_too_old",
        "time_in_future",
    )
    assert csv_file.REASONS is REASONS


ODD_LINES = st.sampled_from(
    [
        b"2021-04-12 09:15:08,1",
        b'"2021-04-12 09:15:09","2"',
        b"",
        b" ",
        b"no row",
        b"2021-04-12 09:15:10,\xff",
        b"1,2,3",
    ]
)


@given(st.lists(ODD_LINES, max_size=12), st.integers(1, 60), st.booleans(), st.sampled_from([b"\n", b"\r\n"]))
def test_the_size_of_the_blocks_in_which_a_file_is_read_changes_nothing(
    tmp_path_factory, content, size, is_packed, end
):
    folder = tmp_path_factory.mktemp("blocks")
    octets = b"\xef\xbb\xbf" + end.join([b"timestamp,ltp", *content])
    octets = (
        gzip.compress(octets[: len(octets) // 2]) + gzip.compress(octets[len(octets) // 2 :]) if is_packed else octets
    )
    for cut in (len(octets), len(octets) - 9):  # whole, and torn where it is a gzip file
        expected = answer(folder, octets[:cut])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lines, "BLOCK_BYTES", size)
            assert answer(folder, octets[:cut]) == expected


def answer(folder: Path, content: bytes) -> object:
    try:
        file = read(folder, content)
    except UnusableFile as error:
        return str(error)
    return file.rows_read, file.rejects, file.ticks.time.tolist(), file.ticks.close.tolist(), file.is_date.tolist()
