"""Every Flux of every panel, asked of the InfluxDB 2 that VELOX_TEST_INFLUX_URL names: rows, and true ones.

Where none is named, `flux_language` still has them read by the language server of Flux.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from io import StringIO
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command

from tests.conftest import Ledger
from tests.grafana_desk import BOOKS, answer
from tests.ops.flux_texts import CHOSEN, OF_INFLUX, written_out
from tests.timeseries.batches import MINUTE, SECOND, at, batch
from tests.timeseries.influx_real import influx_store
from timeseries.measurements import POSITION_SNAPSHOTS, STRATEGY_METRICS, TICKS, TRAILING_SL
from timeseries.stores.influx.store import InfluxStore
from trading.data_manager import DataManager

OPEN = at("2021-04-12 09:15")
TIMES = {"first": "2021-04-12T00:00:00Z", "last": "2021-04-13T00:00:00Z"}
SYMBOL, STRATEGY = {"symbol": CHOSEN["symbol"]}, {"strategy": CHOSEN["strategy"]}
WRITTEN: tuple[tuple[Any, Mapping[str, str], Mapping[str, Any], Mapping[str, Any]], ...] = (
    (TICKS, SYMBOL, {"kind": "price", "close": 2450.05}, {"kind": "price", "close": 2451.35}),
    (TRAILING_SL, {**SYMBOL, **STRATEGY}, {"stop_price": 2440.5, "trade_pk": 1}, {"stop_price": 2441.0, "trade_pk": 1}),
    (STRATEGY_METRICS, STRATEGY, {"day_pnl": 12.5}, {"day_pnl": -7.25}),
    (POSITION_SNAPSHOTS, {**SYMBOL, **STRATEGY}, {"pnl": 3.5}, {"pnl": 4.75}),
)
# Of another source, earlier in time than the first of those, and after them as the server keeps series.
OF_ANOTHER_SOURCE: tuple[tuple[Any, Mapping[str, str], Mapping[str, Any]], ...] = (
    (TRAILING_SL, {**SYMBOL, **STRATEGY}, {"stop_price": 2439.0, "trade_pk": 2}),
    (POSITION_SNAPSHOTS, {**SYMBOL, **STRATEGY}, {"pnl": -1.0}),
)
EXPECTED = {
    "velox-symbol: Price 1": [2450.05, 2451.35],
    "velox-symbol: Price 2": [2439.0, 2440.5, 2441.0],
    "velox-strategy: The day so far": [12.5, -7.25],
    "velox-strategy: Open P&L": [3.5, 4.75],
    "velox-telemetry: Points of the account in the store": [2, 1, 1, 1, 1, 1, 2, 1],
}


def test_each_has_the_rows_that_were_written_and_no_other_accounts() -> None:
    with influx_store() as store:
        for measurement, tags, *fields in WRITTEN:
            points = [(tags, OPEN + 30 * SECOND + number * MINUTE, values) for number, values in enumerate(fields)]
            others = [({**tags, "account": "second"}, instant, values) for tags, instant, values in points]
            assert store.write(batch([*points, *others], measurement=measurement)) == []
        for measurement, tags, values in OF_ANOTHER_SOURCE:
            assert store.write(batch([(tags, OPEN, values)], measurement=measurement, source="zulu")) == []
        for title, text in OF_INFLUX:
            rows = store.query_flux(written_out(text, bucket=store.bucket, **TIMES), {}).to_pylist()
            shown = [row["_value"] for row in sorted(rows, key=lambda row: row["_measurement"])]  # else as they came
            (expected,) = [values for name, values in EXPECTED.items() if title.startswith(name)]
            assert shown == expected, title


class DemoDesk(NamedTuple):
    """The demo's book in a store."""

    store: InfluxStore

    def shown(self, panel: str) -> list[dict[str, Any]]:
        """Return what a panel shows of all its days, by time."""
        ((_, text),) = [row for row in OF_INFLUX if row[0].startswith(panel)]
        for chosen, name in (("strategy", BOOKS["demo"].strategy), ("symbol", BOOKS["demo"].symbol)):
            text = text.replace(f"${{{chosen}:doublequote}}", f'"{name}"')
        times = {"first": f"{BOOKS['demo'].first}T00:00:00Z", "last": f"{BOOKS['demo'].last}T23:59:59Z"}
        rows = self.store.query_flux(written_out(text, bucket=self.store.bucket, **times), {}).to_pylist()
        return sorted(rows, key=lambda row: row["_time"])


@pytest.fixture
def demo(ledger: Ledger, settings: Any) -> Iterator[DemoDesk]:
    with influx_store() as store:
        settings.INFLUXDB_V2_URL, settings.INFLUXDB_V2_BUCKET = store.server.url, store.bucket
        settings.INFLUXDB_V2_ORG, settings.INFLUXDB_V2_TOKEN = store.server.org, os.environ["VELOX_TEST_INFLUX_TOKEN"]
        BOOKS["demo"].make()
        call_command("ship", stdout=StringIO())
        yield DemoDesk(store)


def test_of_the_demo_they_show_what_the_reports_say(demo: DemoDesk) -> None:
    shown, day = demo.shown, str(BOOKS["demo"].last)
    strategy, symbol = BOOKS["demo"].strategy, BOOKS["demo"].symbol
    first, last = (datetime.fromisoformat(f"{day}T{clock}+00:00") for clock in ("00:00:00", "23:59:59"))
    report = answer("strategy_report", "--from", day, "--to", day)["strategies"]
    (gross,) = [float(row["gross_pnl"]) for row in report if row["strategy_id"] == strategy]
    so_far = shown("velox-strategy: The day so far")
    assert so_far[-1]["_value"] == pytest.approx(gross)
    assert {row["strategy"] for row in [*so_far, *shown("velox-strategy: Open P&L")]} == {strategy}
    with DataManager(source="reader") as dm:
        ticks, held = dm.get_ticks(symbol, first, last), dm.get_position_history(strategy, symbol, first, last)
        ours = [trade.trade_id for trade in dm.get_trades(symbol=symbol)]
        trails = [dm.get_trailing_sl_history(trade_id) for trade_id in ours if trade_id]
    assert shown("velox-symbol: Price 1")[-1]["_value"] == ticks["close"][-1].as_py()
    stops = [stop for trail in trails for stop in trail["stop_price"].to_pylist()]
    assert sorted(row["_value"] for row in shown("velox-symbol: Price 2")) == pytest.approx(sorted(stops))
    pnl = [row["_value"] for row in shown("velox-strategy: Open P&L") if row["symbol"] == symbol]
    assert pnl[-1] == pytest.approx(held["pnl"][-1].as_py())
    counted = sum(row["_value"] for row in shown("velox-telemetry: Points of the account in the store"))
    assert counted == answer("health")["points"]["stored"]
