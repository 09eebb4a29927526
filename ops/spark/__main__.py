"""`python -m ops.spark candles|excursions`: write those of years of ticks in the archive as a folder of Parquet files.

It runs where the desk's settings are (the archive's address, the ledger with the exchanges' hours, the recorder's
folder), in an environment of its own: docs/scale.md.
"""

from __future__ import annotations

import velox_site.desk  # noqa: F401  (sets Django up, which what follows needs)

# isort: split
import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

from django.conf import settings
from pyspark.sql import DataFrame, SparkSession

from ops.spark.candles import candles
from ops.spark.excursions import closed_trades, excursions
from ops.spark.session import open_session, table_url
from ops.spark.ticks import Span, Spans, archived_ticks
from timeseries.errors import StoreMisconfigured, VeloxError
from timeseries.measurements import TICKS
from timeseries.spool.hand_overs import SourceLines
from timeseries.stores.base import Session
from timeseries.values import day_of, midnight
from timeseries.wiring import open_spool
from trading.domain.periods import parse_period
from trading.queries.period import desk_zone
from trading.queries.sessions import candle_sessions_of

DAY = timedelta(days=1)
JARS = Path("var/engines/spark/jars")


class TickTable:
    """The archive's ticks of one account, read by Spark."""

    def __init__(self, spark: SparkSession, url: str, account: str) -> None:
        self.table, self.account = spark.read.format("delta").load(table_url(url, TICKS.name)), account

    def symbols(self, first: date, last: date) -> list[str]:
        """Return the symbols that have ticks on the days from first to last, or on the day before or after."""
        ticks = archived_ticks(self.table, self.account, first - DAY, last + DAY)
        return sorted(row["symbol"] for row in ticks.select("symbol").distinct().collect())

    def within(self, spans: Sequence[Spans]) -> DataFrame:
        """Return the ticks of the days that the sessions touch."""
        every = [span for each in spans for span in each.spans]
        first, last = min(span.begins for span in every), max(span.ends for span in every)
        return archived_ticks(self.table, self.account, day_of(first, desk_zone()), day_of(last, desk_zone()))


def spans_of(symbols: Sequence[str], start: int, stop: int, begins: Callable[[Session], int]) -> dict[str, Spans]:
    """Return each symbol's sessions that have a part in ``start <= time < stop`` (ns UTC); a calendar's are shared."""
    sessions = candle_sessions_of(symbols, start, stop)
    calendars = {id(days): Spans([Span(day, begins(day), day.stop) for day in days]) for days in sessions.values()}
    return {symbol: calendars[id(days)] for symbol, days in sessions.items()}


def candles_between(ticks: TickTable, first: date, last: date, every: int) -> DataFrame:
    """Return the candles of all symbols on the desk's days from first to last. Raises: StoreMisconfigured."""
    start, stop = midnight(first, desk_zone()), midnight(last + DAY, desk_zone())
    spans = spans_of(_some(ticks.symbols(first, last)), start, stop, lambda session: session.since)
    within = ticks.within([*spans.values()])
    return candles(within, spans, SourceLines.of_spool(open_spool()), every=every, start=start, stop=stop)


def excursions_of(ticks: TickTable, fills: DataFrame) -> DataFrame:
    """Return the excursions of the closed trades of an export's fills. Raises: StoreMisconfigured."""
    trades = closed_trades(fills.where(fills["account"] == ticks.account)).cache()
    symbols = _some(sorted(row["symbol"] for row in trades.select("symbol").distinct().collect()))
    [(first, last)] = trades.selectExpr("min(fills[0].micros)", "max(element_at(fills, -1).micros)").collect()
    spans = spans_of(symbols, first * 1000, last * 1000 + 1, lambda session: session.start)
    return excursions(trades, ticks.within([*spans.values()]), spans, SourceLines.of_spool(open_spool()))


def _some(symbols: list[str]) -> list[str]:
    if not symbols:
        raise StoreMisconfigured("There is nothing to count: no tick, or no closed trade.", field="account")
    return symbols


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ops.spark", description=__doc__)
    parser.add_argument("what", choices=("candles", "excursions"))
    parser.add_argument("--account", default="main")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DAY", help="of candles")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DAY", help="of candles, this one too")
    parser.add_argument("--every", default="5m", help="length of a candle: 1s to 1d")
    parser.add_argument("--fills", metavar="FILE", help="of excursions: trade_export --fills --format parquet")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="a new folder, for Spark to write")
    parser.add_argument("--master", default="local[*]", help="of Spark: this machine, or spark://host:7077")
    parser.add_argument("--jars", type=Path, default=JARS, help="folder of Delta's jars, and of S3's where it is one")
    asked = parser.parse_args(arguments)
    if not settings.VELOX_ARCHIVE_URL:
        parser.error("VELOX_ARCHIVE_URL is not set: Spark reads the archive")
    if asked.what == "candles" and not (asked.first and asked.last):
        parser.error("candles need --from and --to")
    if asked.what == "excursions" and not asked.fills:
        parser.error("excursions need --fills")
    spark = open_session(asked.jars, settings.ARCHIVE_ACCESS, master=asked.master)
    try:
        ticks = TickTable(spark, settings.VELOX_ARCHIVE_URL, asked.account)
        if asked.what == "candles":
            rows = candles_between(ticks, asked.first, asked.last, parse_period(asked.every, "every"))
        else:
            rows = excursions_of(ticks, spark.read.parquet(asked.fills))
        rows.sort(*rows.columns[:2]).write.parquet(asked.output)
    except VeloxError as error:
        parser.error(str(error))
    finally:
        spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
