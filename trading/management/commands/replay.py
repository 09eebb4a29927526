"""`manage.py replay`: record market files as ticks, and let a strategy trade on them."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from timeseries.wiring import open_reader
from trading import replay
from trading.bookkeeping.references import must_be_bookable
from trading.data_manager import DataManager
from trading.errors import InvalidValue, LedgerBusy
from trading.feeds import stamps, volume
from trading.feeds.feed import Feed, Reading, read_feed
from trading.feeds.names import FileSymbols
from trading.feeds.rejects import Rejects
from trading.management.base import BROKEN_OFF, VeloxCommand
from trading.management.files import write_file
from trading.management.output import Report, Table, add_format_arguments
from trading.operations.measure_excursions import measure_excursions
from trading.queries.accounts import get_account
from trading.queries.instruments import may_be_negative, split_symbol
from trading.queries.period import desk_zone
from trading.queries.sessions import calendar_of_symbol
from trading.small_memory import stay_small
from trading.strategies.loading import NONE, load_strategy

REPLAY = "replay"  # the account and the source that stand for it


class Command(VeloxCommand):
    help = (
        "Record market files (CSV or CSV.gz with a header) as ticks, and let a strategy trade on them. Files are "
        "merged by time. May be repeated: a replay meets its own points and trades. Exit 1 with --strict when rows "
        "were rejected."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument(
            "--symbol",
            action="append",
            default=[],
            metavar="S | STEM=S",
            help="the symbol of every file, or of the files of this stem (default: the file's name up to _<digits>)",
        )
        parser.add_argument("--strategy", default=NONE, metavar="NAME", help="ema_cross, opening_range, module:Class")
        parser.add_argument("--source", default=REPLAY, help="who records (default: replay)")
        parser.add_argument("--account", default=REPLAY, help="which account trades (default: replay)")
        parser.add_argument(
            "--volume",
            choices=volume.MODES,
            default=volume.AUTO,
            help="what a tick's volume is: its own, or the day's so far (default: auto, by evidence)",
        )
        parser.add_argument(
            "--stamp",
            choices=stamps.MODES,
            default=stamps.AUTO,
            help="at which end of its period a bar is stamped (default: auto: the end, unless it fits the session's "
            "starts); a date is its day",
        )
        parser.add_argument("--speed", type=_speed, metavar="N", help="N times real time (default: as fast as it goes)")
        parser.add_argument("--rejects", type=Path, metavar="FILE", help="where to write the rows that cannot be true")
        parser.add_argument("--strict", action="store_true", help="exit 1 when rows were rejected")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(
        self,
        *,
        files: list[Path],
        symbol: list[str],
        strategy: str,
        source: str,
        account: str,
        volume: str,
        stamp: str,
        speed: float | None,
        rejects: Path | None,
        strict: bool,
    ) -> bool:
        stay_small()
        book, trader, began, zone = get_account(account), load_strategy(strategy), time.perf_counter(), desk_zone()
        reading = Reading(
            FileSymbols.parse(symbol),
            zone,
            cache(calendar_of_symbol),
            volume=volume,
            stamp=stamp,
            may_be_negative=may_be_negative,
            folder=settings.DATA_DIR,
        )
        feed = read_feed(files, reading, now_ns=time.time_ns())
        for note in feed.notes:
            self.say(note)
        for name in feed.spans:  # all of it before anything is stored, not midway
            split_symbol(name)
        if trader is not None:
            must_be_bookable(feed.spans, book)
        with DataManager.for_replay(source=source, account=book.code, volume="per_tick") as dm:
            todo = replay.missing(dm, feed, source=source)
            rejects_file = _write_rejects(rejects, feed.rejects, files, source)
            try:
                with _progress(feed.size) as advance:
                    replay.run(dm, feed, trader, todo=todo, pace=replay.Pace(speed), advance=advance)
            except KeyboardInterrupt:
                hint = "Run it again: it goes on from there."
                raise CommandError(f"Stopped midway. {hint}", returncode=BROKEN_OFF) from None
            replay.flush(dm, feed)
            elapsed = time.perf_counter() - began
            data = {
                "source": source,
                "account": book.code,
                "strategy": strategy,
                "rows_read": feed.rows_read,
                "accepted": feed.size,
                "rejected": feed.rejects.counts(),
                "rejects_file": rejects_file,
                **replay.outcome(dm, feed, trader, source=source, zone=zone),
                "elapsed_seconds": round(elapsed, 3),
                "ticks_per_second": round(feed.size / elapsed),
            }
            self._keep_gaps(book.code, feed)
        self.emit(_report(data, book.currency))
        return not (strict and feed.rejects)

    def _keep_gaps(self, account: str, feed: Feed) -> None:
        """Keep the gaps of the feed's days; a ledger that is busy now is no reason to call the replay failed."""
        days = replay.days(feed, cache(lambda symbol: calendar_of_symbol(symbol).zone))
        try:
            measure_excursions(account, open_reader(), days=days, limit=0)
        except LedgerBusy as error:
            self.say(f"The gaps of the feeds were not kept ({error}); `manage.py excursions` keeps them.")


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number above 0")
    return speed


@contextmanager
def _progress(total: int) -> Iterator[replay.Advance]:
    """Yield a function that shows on a terminal how many ticks were replayed; on stderr: stdout stays one object."""
    console = Console(file=sys.stderr)
    columns = (TextColumn("ticks"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.advance(task, count)


def _write_rejects(asked: Path | None, rejects: Rejects, files: Sequence[Path], source: str) -> str | None:
    """Write the rejected rows to the file asked for, else to one of the source; return it, None where none is needed.

    Raises: OutputFailed; InvalidValue, for a file that is replayed.
    """
    if asked is None and not rejects:
        return None
    path = asked or settings.DATA_DIR / "rejects" / f"{quote(source, safe=' ')}.csv"
    if any(path.exists() and path.samefile(file) for file in files):
        raise InvalidValue(f"{path} is one of the files to replay.", field="rejects")
    if asked is None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
    write_file(path, rejects.write)
    return str(path.absolute())


def _report(data: Mapping[str, Any], currency: str) -> Report:
    """Return a replay's counts as two tables: its symbols, and the replay as a whole."""
    columns = {
        "rows": "Rows",
        "stored": "Stored",
        "low": "Low",
        "high": "High",
        "last_day_volume": "Day volume",
        "first_at": "From",
        "last_at": "To",
        "volume": "Volume is",
        "stamp": "Stamp is",
    }
    rows = [[symbol, *(counts[name] for name in columns)] for symbol, counts in data["symbols"].items()]
    whole = {
        "Rows": data["rows_read"],
        "Accepted": data["accepted"],
        "Rejected": data["rejected"]["total"],
        "Stored": data["ticks_stored"],
        "Strategy": data["strategy"],
        "Trades": data["trades_opened"],
        "Closed": data["trades_closed"],
        "Open": data["trades_open"],
        "P&L": data["total_pnl"],
        "Ticks/s": data["ticks_per_second"],
    }
    title = f"{data['source']} · {data['account']}"
    tables = [
        Table(f"Ticks · {title}", ["Symbol", *columns.values()], rows, currency=currency),
        Table(f"Replay · {title}", list(whole), [list(whole.values())], currency, coloured=frozenset({"P&L"})),
    ]
    by_reason = ", ".join(f"{count} {reason}" for reason, count in data["rejected"]["by_reason"].items())
    notes = [f"Rejected: {by_reason}; see {data['rejects_file']}"] if by_reason else []
    return Report(f"Replay {title}", data, tables, notes)
