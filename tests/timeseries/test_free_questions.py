"""query_sql on the embedded store: one SELECT over a view per measurement, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.timeseries.batches import INDIA, SECOND, at, batch, indicators, prices
from tests.timeseries.influx_server import faulty_influx
from timeseries.errors import InvalidValue, QueryTimeout, WrongLanguage
from timeseries.measurements import MEASUREMENTS
from timeseries.stores.delta.store import DeltaStore
from timeseries.stores.influx.server import InfluxServer
from timeseries.stores.influx.store import InfluxStore
from velox_site.measurement_docs import markdown

OPEN = at("2021-04-12 09:15")


@pytest.fixture
def store(tmp_path: Path) -> DeltaStore:
    return DeltaStore(tmp_path / "it's" / "delta", zone=INDIA)


def test_every_measurement_is_a_view_before_its_first_point(store: DeltaStore) -> None:
    for name in MEASUREMENTS:
        assert store.query_sql(f"SELECT * FROM {name}", {}).num_rows == 0


def test_a_select_with_parameters_sees_each_point_once(store: DeltaStore) -> None:
    store.write(batch(prices("M&M", [OPEN, OPEN + SECOND], [1, 2]) + prices("TCS", [OPEN], [3])))
    store.write(batch(prices("M&M", [OPEN], [5]), first=4))
    store.write(indicators("TCS", [OPEN], [{"ema": 1.5}]))
    found = store.query_sql(
        "SELECT symbol, max(close) AS high, count(*) AS n FROM ticks WHERE symbol = $symbol GROUP BY ALL",
        {"symbol": "M&M"},
    )
    assert found.to_pylist() == [{"symbol": "M&M", "high": 5.0, "n": 2}]
    assert store.query_sql("SELECT \"values\"['ema'] AS ema FROM indicators", {}).to_pylist() == [{"ema": 1.5}]


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM ticks", "SELECT 1; SELECT 2", "", "ATTACH 'x.db'", "SET enable_external_access = true",
        "COPY (SELECT 1) TO '{folder}/out.csv'", "SELECT * FROM read_csv('/etc/passwd')", "INSTALL httpfs",
        "SELECT * FROM '{folder}/a.csv'", "SELECT * FROM glob('/*')", "SELECT content FROM read_text('{folder}/a.csv')",
        "PRAGMA version", "SELECT * FROM store", "SELECT nothing FROM ticks", "CREATE TABLE x AS SELECT 1",
        "EXPORT DATABASE '{folder}'",
    ],
)  # fmt: skip
def test_whatever_is_no_select_of_the_views_is_refused(store: DeltaStore, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    store.write(batch(prices("M&M", [OPEN], [1])))
    with pytest.raises(InvalidValue):
        store.query_sql(text.replace("{folder}", str(tmp_path)), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "it's"]


ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 1"


def test_a_question_is_broken_off_after_its_time_and_the_next_is_answered(store: DeltaStore) -> None:
    store.write(batch(prices("M&M", [OPEN], [1])))
    with pytest.raises(QueryTimeout) as caught:
        store.query_sql(ENDLESS, {}, timeout=0.2)
    assert caught.value.code == "query_timeout"
    assert "0.2 s" in caught.value.message
    assert "--timeout" in caught.value.hint
    assert store.query_sql("SELECT close FROM ticks", {}).to_pylist() == [{"close": 1.0}]


def test_a_question_in_flux_is_broken_off_after_its_time() -> None:
    with faulty_influx() as server:
        server.behaviour.answer = b",result,table,_value\r\n,_result,0,1\r\n\r\n"
        store = InfluxStore(InfluxServer(server.url, org="o", token="t"), bucket="b", zone=INDIA)
        assert store.query_flux("from(bucket: bucket)", {}, timeout=60).to_pylist() == [{"_value": 1}]
        server.behaviour.drip_seconds = 0.2
        with pytest.raises(QueryTimeout):
            store.query_flux("from(bucket: bucket)", {}, timeout=0.5)
        store.server.close()


def test_each_store_names_the_method_of_the_other(store: DeltaStore) -> None:
    with pytest.raises(WrongLanguage) as caught:
        store.query_flux("from(bucket: bucket)", {})
    assert "query_sql" in caught.value.hint
    influx = InfluxStore(InfluxServer("http://127.0.0.1:9", org="o", token="t"), bucket="b", zone=INDIA)
    with pytest.raises(WrongLanguage) as caught:
        influx.query_sql("SELECT 1", {})
    assert "query_flux" in caught.value.hint


def examples() -> list[str]:
    """Return the questions that stand in the document, as they stand there."""
    return re.findall(r"```sql\n(.*?)```", markdown(), re.DOTALL)


def test_the_documents_questions_put_the_last_nanosecond_of_a_minute_and_of_a_day_where_it_belongs(
    store: DeltaStore,
) -> None:
    last, midnight = OPEN + 60 * SECOND - 1, at("2021-04-13 00:00")
    store.write(batch(prices("RELIANCE", [OPEN, last, last + 1, midnight - 1, midnight], [2, 1, 3, 4, 5])))
    minutes, days, instants = (store.query_sql(text, {}).to_pylist() for text in examples())
    shown = [(f"{row['minute']:%d %H:%M}", row["open"], row["low"], row["close"], row["ticks"]) for row in minutes]
    assert shown == [
        ("12 03:45", 2.0, 1.0, 1.0, 2),
        ("12 03:46", 3.0, 3.0, 3.0, 1),
        ("12 18:29", 4.0, 4.0, 4.0, 1),
        ("12 18:30", 5.0, 5.0, 5.0, 1),
    ]
    assert [(f"{row['day']}", row["ticks"]) for row in days] == [("2021-04-12", 4), ("2021-04-13", 1)]
    assert [(row["at"], row["close"]) for row in instants] == [
        ("2021-04-12 03:45:00", 2.0),
        ("2021-04-12 03:45:59.999999999", 1.0),
    ]


def test_the_document_of_the_measurements_is_that_of_the_schemas() -> None:
    assert (Path(__file__).parents[2] / "docs/measurements.md").read_text(encoding="utf-8") == markdown()
