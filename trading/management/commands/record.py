"""`manage.py record`: record what a broker's socket sends, as it comes."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from timeseries.values import parse_name
from trading.data_manager import DataManager
from trading.errors import InvalidValue
from trading.feeds.live import replaying
from trading.feeds.live.child_line import command_of, must_have_sdk
from trading.feeds.live.connection import FROZEN_SECONDS, ConnectionPatience
from trading.feeds.live.credentials import read_credentials
from trading.feeds.live.feeds import FEEDS, connection_of
from trading.feeds.live.frame_files import FrameFile
from trading.feeds.live.listing import parse_listing, ticks_of
from trading.feeds.live.order_booking import OrderBooking
from trading.feeds.live.order_log import OrderLog
from trading.feeds.live.recorder_process import alone, record_until_told
from trading.feeds.live.recording import FeedRecorder
from trading.feeds.live.socket_line import must_be_safe
from trading.feeds.live.trades_of_day import TRADES, fetch_trades
from trading.management.base import Option, VeloxCommand, refuse_idle
from trading.management.files import read_text, strategy_rules
from trading.management.output import Report, Table, add_format_arguments
from trading.queries.accounts import get_account

FILE, KAFKA, DHAN = "file", "kafka", "dhan"


class Command(VeloxCommand):
    help = (
        "Record what a broker's socket sends: quotes into the spool, fills of order updates into the ledger, each "
        "once. It connects while a session is on, connects again when it is cut, silent or frozen, and ends on "
        "SIGTERM. Credentials come from the environment, or from files that NAME_FILE names. --feed file decodes "
        "again what --frames has kept. --feed kafka TOPIC... is `manage.py consume`, which has more options."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "files", nargs="*", type=Path, metavar="FILE", help="of --frames, for --feed file; topics for kafka"
        )
        parser.add_argument("--feed", required=True, choices=[*FEEDS, FILE, KAFKA])
        parser.add_argument("--instruments", type=Path, metavar="CSV", help="key, symbol, price_tick; kafka needs none")
        parser.add_argument("--account", default="main", help="the account (default: main)")
        parser.add_argument("--source", help="who records (default: the feed's name)")
        parser.add_argument("--strategy", metavar="ID", help="the strategy of all fills (default: imported)")
        parser.add_argument("--strategy-rule", type=Path, metavar="CSV", help="strategies by symbol, tag, from, to")
        parser.add_argument("--frames", type=Path, metavar="FILE", help="keep the raw stream, in files of this name")
        parser.add_argument("--times", choices=["utc", "india"], help="from when Dhan's times count")
        parser.add_argument("--url", help="another address of the socket: wss://, or ws:// of this machine")
        parser.add_argument("--trades-url", help="another address of the day's trades; - asks for none")
        parser.add_argument("--python", metavar="FILE", help="fyers, ib: the interpreter that has the SDK")
        parser.add_argument("--silent-seconds", type=float, help="silence that ends a connection (kite 10, others 30)")
        parser.add_argument(
            "--frozen-seconds", type=float, help=f"the same, with messages but no move (default: {FROZEN_SECONDS:g})"
        )
        parser.add_argument("--any-time", action="store_true", help="also while the exchange is closed")
        parser.add_argument("--once", action="store_true", help="end with the session")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(
        self,
        *,
        files: list[Path],
        feed: str,
        instruments: Path | None,
        account: str,
        source: str | None,
        strategy: str | None,
        strategy_rule: Path | None,
        frames: Path | None,
        times: str | None,
        url: str | None,
        trades_url: str | None,
        python: str | None,
        silent_seconds: float | None,
        frozen_seconds: float | None,
        any_time: bool,
        once: bool,
    ) -> bool:
        options = {
            "--instruments": instruments,
            "--strategy": strategy,
            "--strategy-rule": strategy_rule,
            "--times": times,
            "--python": python,
            "--url": url,
            "--trades-url": None if trades_url == "-" else trades_url,  # none is what most feeds ask for anyhow
            "--frames": frames,
            "--silent-seconds": silent_seconds,
            "--frozen-seconds": frozen_seconds,
            "--any-time": any_time,
            "--once": once,
        }
        if feed == KAFKA:
            _refuse_idle(feed, feed, options)
            if not files:
                raise InvalidValue("Name the topics: record --feed kafka TOPIC...", field="files")
            of_consume = {"account": account, "source": source or "", "until_end": once, "format": self.form}
            call_command("consume", *map(str, files), **of_consume, output=self.output, stdout=self.stdout)
            return True
        if instruments is None:
            raise InvalidValue("--instruments CSV names what is subscribed to.", field="instruments")
        book = get_account(account)
        rules = strategy_rules(strategy, strategy_rule, field="strategy_rule")
        name = replaying.feed_of_all(files) if feed == FILE else feed
        if bool(files) != (feed == FILE):
            raise InvalidValue("Files of frames go with --feed file.", field="files")
        source = parse_name(source or feed, "source")
        _refuse_idle(feed, name, options)
        listing = parse_listing(read_text(instruments, field="instruments"), name)
        booking = OrderBooking(book.code, rules, ticks_of(listing))
        if feed == FILE:
            with DataManager.for_replay(source=source, account=book.code) as dm:
                recorder = replaying.replay_frames(dm, FEEDS[name].decoder(times), listing, files, booking)
                self._tell(recorder, booking, source)
            return True
        of_feed, folder = FEEDS[name], settings.DATA_DIR / "feeds"
        must_be_safe(url or "wss://")
        patience = ConnectionPatience(
            silent_seconds=silent_seconds or of_feed.silent_seconds,
            frozen_seconds=FROZEN_SECONDS if frozen_seconds is None else frozen_seconds,
        )
        if of_feed.is_child:
            must_have_sdk(name, python)
        read_credentials(of_feed.credentials)  # what is missing is told before anything is waited for
        if name in TRADES and trades_url != "-":
            booking.fetch_trades = lambda: fetch_trades(name, read_credentials(of_feed.credentials), trades_url)
        with ExitStack() as stack:
            stack.enter_context(alone(folder, name, book.code))
            dm = stack.enter_context(DataManager(source=source, account=book.code))
            booking.log = OrderLog(folder, source)
            connection = connection_of(
                of_feed, dm, listing, booking, times=times, any_time=any_time, command=command_of(name, python)
            )
            connection.url, connection.patience, connection.is_once = url, patience, once
            if frames is not None:
                connection.frames = stack.enter_context(closing(FrameFile(frames, name)))
            booking.begin()
            is_broken_off = asyncio.run(record_until_told(connection, booking))
            self._tell(connection.recorder, booking, source, connections=connection.connections)
        if is_broken_off:
            raise KeyboardInterrupt
        return True

    def _tell(self, recorder: FeedRecorder, booking: OrderBooking, source: str, *, connections: int = 0) -> None:
        counts = recorder.counts()
        body = {
            "feed": recorder.feed,
            "source": source,
            "account": recorder.dm.account,
            "connections": connections,
            **counts,
            "fills": booking.booked,
            "fills_refused": booking.refused,
        }
        plain = [[key, count] for key, count in body.items() if isinstance(count, str | int)]
        for key in ("damaged", "left_out", "refused"):
            plain += [[f"{key}: {reason}", count] for reason, count in counts[key].items()]
        gaps = [[gap["start"], gap["stop"], gap["reason"]] for gap in counts["gaps"]]
        tables = [Table(f"Recorded · {recorder.feed}", ["What", "Count"], plain)]
        tables += [Table("Gaps", ["From", "To", "Reason"], gaps)] if gaps else []
        self.emit(Report(f"Feed {recorder.feed}", body, tables))


def _refuse_idle(feed: str, name: str, options: Mapping[str, Option]) -> None:
    """Refuse options that do nothing for a feed; ``name`` is that of the broker. Raises: InvalidValue."""
    served = set()
    if feed != KAFKA:
        served |= {"--instruments", "--strategy", "--strategy-rule"}
    if feed != FILE:
        served.add("--once")
    if name == DHAN:
        served.add("--times")
    if name in TRADES and feed != FILE:
        served.add("--trades-url")
    if feed in FEEDS:
        served |= {"--frames", "--silent-seconds", "--frozen-seconds", "--any-time"}
        served.add("--python" if FEEDS[name].is_child else "--url")
    where = f"with --feed {feed}" if feed == name else f"with --feed {feed} of {name}"
    refuse_idle(where, {option: setting for option, setting in options.items() if option not in served})
