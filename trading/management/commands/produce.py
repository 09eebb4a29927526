"""`manage.py produce`: write the ticks of market files, or those that the desk records, onto a Kafka topic."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
from django.conf import settings

from timeseries import wiring
from timeseries.bus.live import LiveTicks
from trading.errors import InvalidValue
from trading.feeds import stamps, volume
from trading.feeds.feed import Reading, read_feed
from trading.feeds.names import FileSymbols
from trading.feeds.volume import AUTO
from trading.management.base import VeloxCommand, refuse_idle
from trading.management.kafka import end_of_process, producer_of
from trading.management.output import Report, Table, add_format_arguments
from trading.queries.instruments import may_be_negative
from trading.queries.period import desk_zone
from trading.queries.sessions import calendar_of_symbol

LOOK_SECONDS = 0.2


class Command(VeloxCommand):
    help = (
        "Write ticks onto a Kafka topic: those of market files (as `replay` reads them), or with --live those that "
        "sources of this desk record from now on. Each symbol goes to one partition, in order. Files that are written "
        "twice are on the topic twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
        parser.add_argument("--topic", required=True)
        parser.add_argument(
            "--live", action="append", default=[], metavar="SOURCE", help="send what this source records"
        )
        parser.add_argument(
            "--create", type=int, metavar="N", help="make the topic with N partitions where it is not there"
        )
        parser.add_argument(
            "--form", choices=("arrow", "json"), default="arrow", help="of the messages (default: arrow)"
        )
        parser.add_argument("--rows", type=int, default=1000, metavar="N", help="ticks of one message (default: 1000)")
        parser.add_argument("--symbol", action="append", default=[], metavar="S | STEM=S", help="as in `replay`")
        parser.add_argument("--volume", choices=volume.MODES, default=volume.AUTO, help="as in `replay`")
        parser.add_argument("--stamp", choices=stamps.MODES, default=stamps.AUTO, help="as in `replay`")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(
        self,
        *,
        files: list[Path],
        topic: str,
        live: list[str],
        create: int | None,
        form: str,
        rows: int,
        symbol: list[str],
        volume: str,
        stamp: str,
    ) -> bool:
        if bool(files) == bool(live):
            raise InvalidValue("Give market files, or --live with a source.", field="files")
        if rows < 1 or (create is not None and create < 1):
            raise InvalidValue("--rows and --create are numbers from 1 on.", field="rows")
        if live:
            refuse_idle("beside --live", {"--symbol": symbol, "--volume": volume != AUTO, "--stamp": stamp != AUTO})
        producer = producer_of(topic, partitions=create)
        if live:
            ticks, end, count = LiveTicks(wiring.open_spool(), live), end_of_process(), 0
            while not end.is_set():
                sent = sum(producer.table(table, form=form, rows=rows) for table in ticks.read())
                count += sent
                producer.flush()
                end.wait(0 if sent else LOOK_SECONDS)
            left_out = ticks.missed
        else:
            reading = Reading(
                FileSymbols.parse(symbol),
                desk_zone(),
                lru_cache(calendar_of_symbol),
                volume=volume,
                stamp=stamp,
                may_be_negative=may_be_negative,
                folder=settings.DATA_DIR,
            )
            feed, count = read_feed(files, reading, now_ns=time.time_ns()), 0
            for note in feed.notes:
                self.say(note)
            for batch in (batch for ticks in feed.stretches() for batch in ticks.batches()):
                ticks_of = pa.table(batch) if isinstance(batch, dict) else pa.Table.from_pylist(batch)
                count += producer.table(ticks_of, form=form, rows=rows)
            producer.flush()
            left_out = feed.rejects.counts()["total"]
        body = {"topic": topic, "ticks": count, "left_out": left_out}
        table = Table(f"Kafka {topic}", ["Ticks", "Left out"], [[count, left_out]], "INR")
        self.emit(Report("Kafka", body, [table], []))
        return not left_out
