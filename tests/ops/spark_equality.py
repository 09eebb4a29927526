"""Candles and excursions by Spark beside the desk's own: run by `make spark`, in Spark's environment.

One desk in a folder of its own: its ticks as they were written, archived, and archived with repeats; its trades long
and short, scaled in and out, over night. How long each took is printed.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

MONEY = ("mae", "mae_price", "mfe", "mfe_price")


def main() -> int:
    """Return 0 where all is equal, 1 where it is not."""
    with tempfile.TemporaryDirectory(prefix="velox-spark-") as name:
        folder = Path(name)
        os.environ["VELOX_DATA_DIR"] = str(folder / "data")
        os.environ.setdefault("VELOX_ARCHIVE_URL", (folder / "the archive").as_uri())
        return _compared(folder)


def _compared(folder: Path) -> int:
    from django.conf import settings
    from django.core.management import call_command

    from ops.spark.__main__ import TickTable, candles_between, excursions_of
    from ops.spark.session import open_session
    from tests.ops.candle_desk import EVERY, FIRST, LAST, asked_of, states
    from trading import summon
    from trading.domain.periods import parse_period
    from velox_site.desk import DataManager

    summon.summon = lambda: None
    call_command("migrate", verbosity=0)
    dm = DataManager()
    _trade(dm)
    spark = open_session(Path(os.environ["SPARK_JARS"]), settings.ARCHIVE_ACCESS, master="local[2]")
    differences = 0
    for state, url in states(dm):
        ticks = TickTable(spark, url, "main")
        for every in EVERY:
            began = time.perf_counter()
            rows = candles_between(ticks, FIRST, LAST, parse_period(every, every)).toArrow()
            rows = rows.set_column(1, "time", rows["time"].cast("int64")).sort_by(
                [("symbol", "ascending"), ("time", "ascending")]
            )
            by_spark = [{**row, "time": row["time"] * 1000} for row in rows.to_pylist()]
            differences += _told(f"{len(by_spark)} candles of {every}", state, by_spark, asked_of(dm, every), began)
        began = time.perf_counter()
        fills, ours = _measured(folder)
        excursions = excursions_of(ticks, spark.read.parquet(str(fills))).toArrow().to_pylist()
        by_trade = {
            row["trade_id"]: {**row, **{name: Decimal(row[name]).normalize() for name in MONEY}} for row in excursions
        }
        differences += _told(f"{len(by_trade)} excursions", state, by_trade, ours, began)
    spark.stop()
    dm.close()
    return int(differences > 0)


def _told(what: str, state: str, by_spark: Any, ours: Any, began: float) -> bool:
    word = "equal" if by_spark == ours else "DIFFERENT"
    print(f"{what}, {state}: {word}, {time.perf_counter() - began:.1f} s", flush=True)
    if by_spark != ours:
        print(str(by_spark)[:2000], str(ours)[:2000], sep="\n", flush=True)
    return bool(by_spark != ours)


def _trade(dm: Any) -> None:
    """Trade: long with an entry more and a part taken out, short over night, and one that saw no tick."""
    open_at = datetime(2021, 4, 26, 9, 20)
    dm.open_position("T1", "ema", "A", 100.05, 10, open_at)
    dm.add_fill("T1", "BUY", 99.5, 5, open_at + timedelta(minutes=30))
    dm.add_fill("T1", "SELL", 101.25, 4, open_at + timedelta(minutes=70))
    dm.close_position("T1", "ema", "A", 102.0, open_at + timedelta(hours=3))
    dm.open_position("T2", "ema", "M&M", 55.0, 7, open_at + timedelta(hours=4), side="SHORT")
    dm.close_position("T2", "ema", "M&M", 54.0, open_at + timedelta(days=2, hours=1))
    dm.open_position("T3", "ema", "Q", 10, 1, open_at)
    dm.close_position("T3", "ema", "Q", 11, open_at + timedelta(hours=1))


def _measured(folder: Path) -> tuple[Path, dict[str, dict[str, Any]]]:
    """Measure the trades anew and export their fills; return that file, and each trade's excursions."""
    from django.core.management import call_command

    from trading.models import Excursion
    from trading.queries.excursions import symbol_of

    call_command("excursions", "--rebuild", stdout=io.StringIO())
    file = folder / f"fills-{time.monotonic_ns()}.parquet"
    period = ["--from", "2021-04-01", "--to", "2021-04-30"]
    call_command("trade_export", "--fills", "--format", "parquet", "--output", str(file), *period, stdout=io.StringIO())
    rows = {}
    for row in Excursion.objects.select_related("trade__instrument__exchange"):
        money = {name: getattr(row, name).normalize() for name in MONEY}
        known = {"symbol": symbol_of(row.trade), "trade_id": row.trade.trade_id, **money}
        rows[row.trade.trade_id] = {**known, "mae_at": row.mae_at, "mfe_at": row.mfe_at, "ticks": row.ticks}
    return file, rows


if __name__ == "__main__":
    sys.exit(main())
