"""Ticks over HTTP as nobody should send them: so much is kept as the answer says, and nothing is a fault."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.trading.test_api import Caller, caller
from tests.trading.test_api_ticks import (
    ARROW,
    CSV,
    JSON,
    NDJSON,
    NS,
    TIME,
    _own_sources,  # noqa: F401 - each test uses it
    arrow,
    post,
    stored,
)
from trading.api import access

pytestmark = pytest.mark.usefixtures("alone")
GOOD = {"symbol": ["TCS", "INFY"], "ltp": [5.5, 6.5], "timestamp": [NS, NS + 1]}
LARGEST, SMALLEST = 2**63 - 1, -(2**63)


@pytest.fixture
def sender() -> Caller:
    return caller("record", "read")


ODD_COLUMNS: dict[str, dict[str, Any]] = {
    "NaN": {"ltp": [float("nan"), 6.5]},
    "infinite": {"ltp": [float("inf"), -float("inf")]},
    "negative zero": {"ltp": [-0.0, 6.5]},
    "subnormal": {"ltp": [5e-324, 6.5]},
    "largest": {"ltp": [1.7976931348623157e308, 6.5]},
    "half": {"ltp": pa.array(np.array([5.5, 6.5], dtype=np.float16))},
    "single": {"ltp": pa.array([5.5, 6.5], pa.float32())},
    "bytes as price": {"ltp": pa.array([5, 6], pa.int8())},
    "unsigned": {"ltp": pa.array([2**64 - 1, 6], pa.uint64())},
    "decimals": {"ltp": pa.array([Decimal("5.5"), Decimal("6.5")])},
    "truth": {"ltp": [True, False]},
    "nothing": {"ltp": pa.nulls(2)},
    "gaps": {"ltp": [None, 6.5]},
    "texts as prices": {"ltp": ["5.5", "6.5"]},
    "lists": {"ltp": [[5.5], [6.5]]},
    "records": {"ltp": [{"of": 5.5}, {"of": 6.5}]},
    "dictionary of prices": {"ltp": pa.array([5.5, 6.5]).dictionary_encode()},
    "run-end encoded": {"ltp": pa.RunEndEncodedArray.from_arrays([1, 2], [5.5, 6.5])},
    "text views": {"symbol": pa.array(["TCS", "INFY"], pa.string_view())},
    "large texts": {"symbol": pa.array(["TCS", "INFY"], pa.large_string())},
    "binary names": {"symbol": pa.array([b"TCS", b"INFY"], pa.binary())},
    "names of bytes that are no text": {"symbol": pa.array([b"\xff\xfe", b"INFY"]).view(pa.string())},
    "dictionary with a gap": {"symbol": pa.array(["TCS", None]).dictionary_encode()},
    "dictionary whose word is a gap": {"symbol": pa.DictionaryArray.from_arrays([0, 1], pa.array(["TCS", None]))},
    "numbers as names": {"symbol": [1, 2]},
    "a name with a line break": {"symbol": ["TCS\nINFY", "INFY"]},
    "a name of nothing": {"symbol": ["", " "]},
    "a name with NUL": {"symbol": ["TCS\0", "INFY"]},
    "days": {"timestamp": [date(2024, 3, 15)] * 2},
    "spans": {"timestamp": [timedelta(1)] * 2},
    "times of the clock": {"timestamp": pa.array([1, 2], pa.time64("ns"))},
    "seconds": {"timestamp": pa.array([NS // 10**9] * 2, pa.timestamp("s", "UTC"))},
    "seconds without end": {"timestamp": pa.array([LARGEST, SMALLEST], pa.timestamp("s", "UTC"))},
    "nanoseconds without end": {"timestamp": pa.array([LARGEST, SMALLEST + 1], pa.timestamp("ns", "Asia/Kolkata"))},
    "a zone that is none": {"timestamp": pa.array([NS, NS], pa.timestamp("ns", "Mars/Olympus"))},
    "integers without end": {"timestamp": [LARGEST, SMALLEST]},
    "unsigned times": {"timestamp": pa.array([2**64 - 1, NS], pa.uint64())},
    "floats of time": {"timestamp": [float(NS), float("nan")]},
    "times with gaps": {"timestamp": pa.array([None, NS], pa.timestamp("ns", "UTC"))},
    "texts of time": {"timestamp": [TIME, TIME]},
    "huge volumes": {"volume": pa.array([2**63 - 1, 0], pa.int64())},
    "negative volumes": {"volume": [-1.0, 0.0]},
}  # fmt: skip


def kept(answer: dict[str, Any]) -> int:
    return int(answer.get("accepted", 0))


@pytest.mark.parametrize("name", ODD_COLUMNS)
def test_a_table_of_an_odd_type_is_recorded_as_its_answer_says_or_refused_whole(
    name: str,
    sender: Caller,
    settings: Any,
) -> None:
    body = arrow(GOOD | ODD_COLUMNS[name])
    status, told = post(sender, body, ARROW)
    assert status in (200, 422), told
    assert len(stored(settings)) == kept(told)
    if status == 200:
        assert told["rows"] == 2 == told["accepted"] + told["rejected_count"]
    assert post(sender, body, ARROW) == (status, told)
    assert len(stored(settings)) == kept(told)


def streams(*tables: dict[str, Any]) -> bytes:
    """Return tables of several schemas as one stream, whose second schema comes midway."""
    return b"".join(arrow(table)[:-8] for table in tables)


ODD_BODIES: dict[str, tuple[str, bytes]] = {
    "no rows": (ARROW, arrow({name: pa.array(cells)[:0] for name, cells in GOOD.items()})),
    "another schema midway": (ARROW, streams(GOOD, {"ltp": ["x"]})),
    "the same schema midway": (ARROW, streams(GOOD, GOOD)),
    "a stream behind the stream": (ARROW, arrow(GOOD) + arrow(GOOD)),
    "a column twice": (ARROW, arrow(GOOD).replace(b"symbol", b"ltp\0\0\0")),
    "a million rows": (ARROW, arrow({"ltp": np.full(10**6, 5.5), "timestamp": np.arange(NS, NS + 10**6)}, rows=10**6)),
    "more rows than a message may have": (ARROW, arrow({"ltp": np.full((1 << 20) + 1, 5, np.int8)})),
    "numbers beyond all": (NDJSON, b'{"symbol":"TCS","ltp":1e999,"timestamp":%d}' % NS),
    "a time beyond all": (NDJSON, b'{"symbol":"TCS","ltp":5,"timestamp":%d}' % 10**30),
    "negative time": (NDJSON, b'{"symbol":"TCS","ltp":5,"timestamp":-1}'),
    "a name with a line break": (NDJSON, b'{"symbol":"TCS\\n","ltp":5,"timestamp":%d}' % NS),
    "a key twice": (NDJSON, b'{"symbol":"TCS","ltp":5,"ltp":6,"timestamp":%d}' % NS),
    "half a surrogate": (NDJSON, b'{"symbol":"\\ud800","ltp":5}'),
    "rows of nothing": (NDJSON, b"{}\n{}"),
    "rows of what means nothing": (NDJSON, b'{"colour":"red"}'),
    "two in a line": (NDJSON, b'{"symbol":"TCS","ltp":5}{"symbol":"TCS","ltp":6}'),
    "two in a line of two": (NDJSON, b'{"symbol":"TCS","ltp":5},{"symbol":"TCS","ltp":6}\n7'),
    "one over two lines": (NDJSON, b'{"symbol":"TCS",\n"ltp":5}'),
    "a text over two lines": (NDJSON, b'{"symbol":"T\n{S","ltp":5}'),
    "lines of Windows": (NDJSON, b'{"symbol":"TCS","ltp":5}\r\n{"symbol":"TCS","ltp":6}\r\n'),
    "a mark of order": (NDJSON, b'\xef\xbb\xbf{"symbol":"TCS","ltp":5}'),
    "NUL": (NDJSON, b"\0" * 100),
    "braces": (NDJSON, b"{" * 100_000),
    "cells with a quote": (CSV, b'symbol,ltp\n"TCS\n",5\n'),
    "no line": (CSV, b"\n\n\n"),
    "a header alone": (CSV, b"symbol,ltp,timestamp\n"),
    "numbers in words": (CSV, b"symbol,ltp\nTCS,inf\nTCS,nan\nTCS,0x1p3\nTCS,1_000\nTCS,\xd9\xa1\n"),
    "floats that are names": (JSON, b'[{"symbol":5.5,"ltp":5}]'),
    "a list of lists": (JSON, b"[[[[]]]]"),
    "true": (JSON, b"true"),
}


@pytest.mark.parametrize("name", ODD_BODIES)
def test_an_odd_body_is_recorded_as_its_answer_says_or_refused_and_the_same_again_adds_nothing(
    name: str,
    sender: Caller,
    settings: Any,
) -> None:
    kind, body = ODD_BODIES[name]
    query: dict[str, Any] = {} if b"symbol" in body else {"symbol": "TCS"}
    status, told = post(sender, body, kind, **query)
    assert status in (200, 413, 422), told
    assert len(stored(settings)) == kept(told)
    again, repeated = post(sender, body, kind, **query)
    assert (again, kept(repeated)) == (status, kept(told)), repeated
    assert len(stored(settings)) == kept(told)


@pytest.mark.parametrize("seed", range(4))
def test_lines_are_read_alike_however_they_are_cut(seed: int, sender: Caller, settings: Any) -> None:
    """By blocks and one by one: a line of its own makes the whole block be looked at line by line."""
    chance = np.random.default_rng(seed)
    parts = ['{"symbol":"TCS","ltp":5}', '{"symbol":"TCS","ltp":5', "}", "{", "[1]", '"', ",", "\\", '"x":{}', " ", "7"]
    for sequence in range(40):
        access.rates = access.Rates()
        text = "\n".join("".join(chance.choice(parts, chance.integers(1, 4))) for _ in range(3)).encode()
        together = post(sender, text, NDJSON, sequence=sequence, stream="a")
        alone = post(sender, b"[]\n" + text, NDJSON, sequence=sequence, stream="b")
        assert (together[0], alone[0], alone[1]["rows"]) == (200, 200, together[1]["rows"] + 1)
        assert [row["index"] + 1 for row in together[1]["rejected"]] == [row["index"] for row in alone[1]["rejected"]][
            1:
        ]
        assert together[1]["accepted"] == alone[1]["accepted"], text
