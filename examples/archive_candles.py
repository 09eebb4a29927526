"""Candles of the archive by polars alone: `python examples/archive_candles.py URL SYMBOL FIRST LAST [EVERY]`.

URL is that of the archive (`VELOX_ARCHIVE_URL`) or of the folder of the desk's own tables; polars is installed beside
VELOX (`pip install polars`). It shows the rules of the tables in one page: of two rows of one series and time the one
with the higher `written` counts; of a day the source with its first tick; volume is what the day's volume grew by. It
is for trading days whose volume starts anew at midnight and whose candles are counted from 09:15, and for sources that
none took over from.
"""

from __future__ import annotations

import argparse
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
from deltalake import DeltaTable

SERIES = ["symbol", "source", "time"]
EVERY = {"1m": 60, "5m": 300, "1h": 3600}  # seconds
NS = 10**9
INDIA, OPENS_AT = ZoneInfo("Asia/Kolkata"), timedelta(hours=9, minutes=15)


def candles(
    ticks: pl.LazyFrame, first: date, last: date, every: str, *, account: str = "main", zone: ZoneInfo = INDIA
) -> pl.DataFrame:
    """Return candles of the days from first to last: symbol, time (its start, ns UTC), OHLC, volume, ticks."""
    near = pl.col("day").is_between(first, last) & (pl.col("account") == account)
    once = ticks.filter(near).sort("written").unique(SERIES, keep="last")
    of_first = pl.col("source") == pl.col("source").sort_by("time", "source").first().over("symbol", "day")
    is_bar = pl.col("kind") == "bar"
    told = once.filter(of_first).with_columns(
        instant=pl.col("exchange_time") - is_bar.cast(pl.Int64),  # a bar is stamped at its end
        **{name: pl.when(is_bar).then(name).otherwise("close") for name in ("open", "high", "low")},
    )
    bars = told.filter(is_bar).sort(
        pl.col("volume").fill_null(-1), pl.col("day_volume").fill_null(-1), pl.col("high") - pl.col("low"), "time"
    )
    whole = pl.concat(
        [told.filter(~is_bar), bars.unique(["symbol", "exchange_time"], keep="last", maintain_order=True)]
    )
    sessions = pl.LazyFrame([_session(first + timedelta(days=n), zone) for n in range((last - first).days + 1)])
    within = whole.sort("instant").join_asof(sessions, left_on="instant", right_on="start")
    seconds = EVERY[every] * NS
    label = pl.col("anchor") + (pl.col("instant") - pl.col("anchor")).floordiv(seconds) * seconds
    rows = within.sort("symbol", "instant", "time").with_columns(
        label=pl.max_horizontal(label, "start"),
        reached=pl.col("day_volume").fill_null(0).cum_max().over("symbol", "start"),
        is_cumulative=pl.col("day_volume").is_not_null().any().over("symbol", "start"),
        is_told=pl.col("volume").is_not_null().any().over("symbol", "start"),
    )
    grouped = rows.group_by("symbol", "start", "label", maintain_order=True).agg(
        pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(),
        pl.col("reached").last(), pl.col("volume").sum(), pl.col("is_cumulative", "is_told").first(),
        ticks=pl.len().cast(pl.Int64),
    )  # fmt: skip
    grown = pl.col("reached") - pl.col("reached").shift(1, fill_value=0).over("symbol", "start")
    volume = pl.when("is_cumulative").then(grown).when("is_told").then("volume")
    names = ["symbol", pl.col("label").alias("time"), "open", "high", "low", "close", volume.alias("volume"), "ticks"]
    return grouped.select(names).collect()


def _session(day: date, zone: ZoneInfo) -> dict[str, int]:
    begins, ends = (datetime(each.year, each.month, each.day, tzinfo=zone) for each in (day, day + timedelta(days=1)))
    instants = {"start": begins, "stop": ends, "anchor": begins + OPENS_AT}
    return {name: int(at.timestamp()) * NS for name, at in instants.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Candles of the archive by polars alone.")
    parser.add_argument("url", help="of the archive, or the folder of the desk's own tables")
    parser.add_argument("symbol")
    parser.add_argument("first", type=date.fromisoformat, help="a day, such as 2026-11-27")
    parser.add_argument("last", type=date.fromisoformat, help="a day")
    parser.add_argument("every", nargs="?", choices=EVERY, default="5m", help="default: 5m")
    asked = parser.parse_args()
    ticks = pl.scan_delta(DeltaTable(f"{asked.url.rstrip('/')}/ticks")).filter(pl.col("symbol") == asked.symbol)
    print(candles(ticks, asked.first, asked.last, asked.every))


if __name__ == "__main__":
    main()
