"""Every Flux of every panel, asked of the InfluxDB 2 that VELOX_TEST_INFLUX_URL names: rows, and true ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.ops.flux_texts import CHOSEN, OF_INFLUX, written_out
from tests.timeseries.batches import MINUTE, at, batch
from tests.timeseries.influx_real import influx_store
from timeseries.measurements import POSITION_SNAPSHOTS, STRATEGY_METRICS, TICKS, TRAILING_SL

OPEN = at("2021-04-12 09:15")
TIMES = {"first": "2021-04-12T00:00:00Z", "last": "2021-04-13T00:00:00Z"}
SYMBOL, STRATEGY = {"symbol": CHOSEN["symbol"]}, {"strategy": CHOSEN["strategy"]}
WRITTEN: tuple[tuple[Any, Mapping[str, str], Mapping[str, Any], Mapping[str, Any]], ...] = (
    (TICKS, SYMBOL, {"kind": "price", "close": 2450.05}, {"kind": "price", "close": 2451.35}),
    (TRAILING_SL, {**SYMBOL, **STRATEGY}, {"stop_price": 2440.5, "trade_pk": 1}, {"stop_price": 2441.0, "trade_pk": 1}),
    (STRATEGY_METRICS, STRATEGY, {"day_pnl": 12.5}, {"day_pnl": -7.25}),
    (POSITION_SNAPSHOTS, {**SYMBOL, **STRATEGY}, {"pnl": 3.5}, {"pnl": 4.75}),
)
EXPECTED = {
    "velox-symbol: Price 1": [2450.05, 2451.35],
    "velox-symbol: Price 2": [2440.5, 2441.0],
    "velox-strategy: The day so far": [12.5, -7.25],
    "velox-strategy: Open P&L": [3.5, 4.75],
    "velox-telemetry: Points of the account in the store": [1] * 8,
}


def test_each_has_the_rows_that_were_written_and_no_other_accounts() -> None:
    with influx_store() as store:
        for measurement, tags, *fields in WRITTEN:
            points = [(tags, OPEN + number * MINUTE, values) for number, values in enumerate(fields)]
            others = [({**tags, "account": "second"}, instant, values) for tags, instant, values in points]
            assert store.write(batch([*points, *others], measurement=measurement)) == []
        for title, text in OF_INFLUX:
            rows = store.query_flux(written_out(text, bucket=store.bucket, **TIMES), {}).to_pylist()
            shown = [row["_value"] for row in sorted(rows, key=lambda row: row["_time"])]
            (expected,) = [values for name, values in EXPECTED.items() if title.startswith(name)]
            assert shown == expected, title
