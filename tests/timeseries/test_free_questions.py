"""query_sql on the embedded store: one SELECT over a view per measurement, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.timeseries.batches import INDIA, SECOND, at, batch, indicators, prices
from timeseries.errors import InvalidValue, WrongLanguage
from timeseries.measurement_docs import markdown
from timeseries.measurements import MEASUREMENTS
from timeseries.stores.delta import DeltaStore
from timeseries.stores.influx import InfluxStore
from timeseries.stores.influx_server import InfluxServer

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


def test_each_store_names_the_method_of_the_other(store: DeltaStore) -> None:
    with pytest.raises(WrongLanguage) as caught:
        store.query_flux("from(bucket: bucket)", {})
    assert "query_sql" in caught.value.hint
    influx = InfluxStore(InfluxServer("http://127.0.0.1:9", org="o", token="t"), bucket="b", zone=INDIA)
    with pytest.raises(WrongLanguage) as caught:
        influx.query_sql("SELECT 1", {})
    assert "query_flux" in caught.value.hint


def test_the_document_of_the_measurements_is_that_of_the_schemas() -> None:
    assert (Path(__file__).parents[2] / "docs/measurements.md").read_text(encoding="utf-8") == markdown()
