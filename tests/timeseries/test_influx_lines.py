"""Line protocol from columns: what the client's own encoding says, wherever that one is right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influxdb_client import Point

from tests.timeseries.batches import at, batch, indicators, prices
from timeseries.measurements import EXECUTIONS
from timeseries.stores.influx.lines import encode
from timeseries.stores.influx.names import coded, coded_key, coded_text, decoded, decoded_key, decoded_text

OPEN = at("2021-04-12 09:15")


def test_lines_are_those_of_the_clients_points() -> None:
    points = prices("NIFTY 50", [OPEN, OPEN + 1], [0.1 + 0.2, 17250.05], volume=[float("nan"), 1e-7])
    lines = encode(batch(points))
    for number, (tags, instant, fields) in enumerate(points):
        point = Point("ticks").tag("account", "main").tag("source", "default").tag("symbol", tags["symbol"])
        point.field("exchange_time", instant).field("received_time", 7)
        point.field("present", 0b11 if fields["volume"] != fields["volume"] else 0b100011)
        for name, value in fields.items():
            point.field(name, value)
        line = lines.line(number).decode()
        head, fields_text, time = line.replace("\\ ", "~").split(" ")
        theirs, their_fields, their_time = point.time(instant).to_line_protocol().replace("\\ ", "~").split(" ")
        assert (head, time) == (theirs, their_time)
        assert numbers(fields_text) == numbers(their_fields)


def numbers(fields: str) -> dict[str, object]:
    pairs = (field.split("=") for field in fields.split(","))
    return {name: value if value[-1] in 'i"' else float(value) for name, value in pairs}


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_every_float_is_written_exactly(closes: list[float]) -> None:
    lines = encode(batch(prices("A", [OPEN + n for n in range(len(closes))], closes)))
    for number, close in enumerate(closes):
        text = lines.line(number).decode().split("close=")[1].split(" ")[0]
        assert float(text).hex() == close.hex()


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
def test_every_name_and_text_comes_back(name: str) -> None:
    assert decoded(coded(name)) == name
    assert decoded_key(coded_key(name)) == name
    assert decoded_text(coded_text(name)) == name
    for text in (coded(name), coded_key(name)):
        assert text
        assert not set(text) & set("\n\r\t\\")


@pytest.mark.parametrize("name", ["time", "present", "exchange_time", "received_time", "_value", "values.time", ""])
def test_a_named_number_never_stands_in_the_place_of_a_field_of_every_point(name: str) -> None:
    line = encode(indicators("A", [OPEN], [{name: 1.0}])).line(0).decode()
    keys = [pair.split("=")[0] for pair in line.split(" ")[1].split(",")]
    assert keys[:2] == ["exchange_time", "received_time"]
    assert keys[2] not in ("time", "present", *keys[:2])
    assert decoded_key(coded_key(name)) == name


def test_texts_keep_quotes_backslashes_and_line_breaks() -> None:
    fields = {"trade_id": 'a"b\\c', "fill_id": None, "order_id": "x\r\ny%", "trade_pk": -3}
    line = encode(batch([({"symbol": "A", "strategy": "s"}, OPEN, fields)], measurement=EXECUTIONS)).line(0).decode()
    assert 'trade_id="a\\"b%5Cc"' in line
    assert 'order_id="x%0D%0Ay%25"' in line
    assert "fill_id" not in line
    assert "trade_pk=-3i" in line


def test_lines_of_one_time_stay_in_order_of_arrival() -> None:
    lines = encode(batch(prices("B", [OPEN, OPEN], [1, 2]) + prices("A", [OPEN], [3]) + prices("B", [OPEN], [4])))
    assert [int(n) for n in lines.sequences] == [1, 2, 4, 3]
    assert b"".join(lines.line(n) + b"\n" for n in range(4)) == lines.body(0, 4)
