"""The recorder's file of instruments, and the messages that are made of the published layout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trading.errors import InvalidValue
from trading.feeds import live
from trading.feeds.live.decoded import FeedInstrument
from trading.feeds.live.listing import parse_listing

pytestmark = pytest.mark.usefixtures("ledger")
KITE = "instrument_token,exchange_token,tradingsymbol,name,tick_size,segment,exchange\n"


def test_kites_own_file_names_instruments_ticks_and_indices() -> None:
    text = KITE + "408065,1,INFY,INFOSYS,0.05,NSE,NSE\n256265,2,NIFTY 50,NIFTY 50,0,INDICES,NSE\n"
    text += "412675,3,USDINR26JUNFUT,USDINR,0.0025,CDS-FUT,CDS\n"
    assert parse_listing(text, "kite") == {
        408065: FeedInstrument("INFY", 1, 20),
        256265: FeedInstrument("NIFTY 50", is_index=True),
        412675: FeedInstrument("CDS:USDINR26JUNFUT", 1, 400),
    }


@pytest.mark.parametrize(
    ("feed", "key", "name", "is_index"),
    [
        ("kite", "256265", 256265, True),
        ("kite", "408065", 408065, False),
        ("angel", "1:2885", "1:2885", False),
        ("angel", "1:99926000", "1:99926000", True),
        ("dhan", "01:1333", "1:1333", False),
        ("dhan", "0:13", "0:13", True),
        ("upstox", "NSE_EQ|INE002A01018", "NSE_EQ|INE002A01018", False),
        ("upstox", "NSE_INDEX|Nifty 50", "NSE_INDEX|Nifty 50", True),
        ("fyers", "NSE:SBIN-EQ", "NSE:SBIN-EQ", False),
    ],
)
def test_a_plain_file_names_them_by_the_feeds_own_keys(feed: str, key: str, name: int | str, is_index: bool) -> None:
    assert parse_listing(f"key,symbol,price_tick\n{key},X,0.05\n", feed) == {name: FeedInstrument("X", 1, 20, is_index)}
    assert parse_listing(f"\ufeffsymbol,kind,key\nX,INDEX,{key}\n", feed) == {name: FeedInstrument("X", is_index=True)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no file of instruments"),
        ("a,b\n1,2\n", "no file of instruments"),
        ("key,symbol\n", "has none"),
        ("key,symbol\n1,A\n1,B\n", "Line 3.*twice"),
        ("key,symbol\n1,A\n2,A\n", "Line 3.*twice"),
        ("key,symbol\nx,A\n", "Line 2.*no instrument token"),
        ("key,symbol\n-1,A\n", "no instrument token"),
        ("key,symbol\n99999999999,A\n", "no instrument token"),
        ("key,symbol\n1,\n", "Line 2"),
        ("key,symbol\n1,XX:A\n", "no exchange is called 'XX'"),
        ("key,symbol,price_tick\n1,A,five\n", "Line 2"),
        ("key,symbol,price_tick\n1,A,NaN\n", "Line 2"),
        ('key,symbol\n1,"A\nB"\n', "Line 3"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        parse_listing(text, "kite")


@pytest.mark.parametrize("key", ["", "1", "a:1", "1:", "1:x"])
def test_a_key_that_its_feed_does_not_have_is_refused(key: str) -> None:
    for feed in ("angel", "dhan"):
        with pytest.raises(InvalidValue, match="Line 2"):
            parse_listing(f"key,symbol\n{key},A\n", feed)


def test_the_messages_of_upstox_are_made_of_the_layout_that_stands_beside_them(tmp_path: Path) -> None:
    folder = Path(live.__file__).parent
    out = (f"--python_out={tmp_path}", f"--pyi_out={tmp_path}")
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", *out, "upstox_feed.proto"]
    subprocess.run(command, check=True)
    for name in ("upstox_feed_pb2.py", "upstox_feed_pb2.pyi"):
        assert (tmp_path / name).read_text() == (folder / name).read_text()
