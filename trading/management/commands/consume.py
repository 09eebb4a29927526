"""`manage.py consume`: record the ticks of Kafka topics, each that a topic holds exactly once."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings

from timeseries import wiring
from timeseries.bus.partition import MessageClock
from timeseries.recording.recorder import Recorder
from timeseries.spool import hand_overs
from timeseries.spool.hand_overs import HandOver
from timeseries.values import parse_name, utc
from trading import summon
from trading.errors import InvalidValue
from trading.management import kafka
from trading.management.base import VeloxCommand, refuse_idle
from trading.management.files import read_text, write_file
from trading.management.output import Report, Table, add_format_arguments
from trading.queries.accounts import get_account
from trading.signed_prices import SignedPrices
from trading.symbol_names import SymbolNames


class Command(VeloxCommand):
    help = (
        "Record the ticks of Kafka topics as a member of a group until it is told to stop. Each tick that a topic "
        "holds is recorded exactly once, through kills of members and brokers. What cannot be read, and what is "
        "refused, goes to TOPIC.dead with the reason. Exit 1 where a partition stood still at the end. --hand-over "
        "writes a file with which another host goes on with one partition, by --take-over."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("topics", nargs="+", metavar="TOPIC")
        parser.add_argument("--group", default="velox", help="the group of members that share the partitions")
        parser.add_argument(
            "--source", default="", help="who records; each partition adds its number (default: the topic's name)"
        )
        parser.add_argument("--account", default="main", help="whose ticks they are (default: main)")
        parser.add_argument(
            "--partition", type=int, action="append", default=[], metavar="N", help="these alone, apart from the group"
        )
        parser.add_argument("--hand-over", type=Path, metavar="FILE", help="hand --partition N over to --to, and end")
        parser.add_argument("--to", default="", metavar="SOURCE", help="the source that goes on, one that nobody used")
        parser.add_argument(
            "--take-over", type=Path, metavar="FILE", help="go on from what --hand-over wrote elsewhere"
        )
        parser.add_argument("--until-end", action="store_true", help="end where the topics ended at the start")
        parser.add_argument(
            "--skip-lost", action="store_true", help="go on behind messages that the topic's retention took unread"
        )
        add_format_arguments(parser, formats=("table", "json"))

    def answer(
        self,
        *,
        topics: list[str],
        group: str,
        source: str,
        account: str,
        partition: list[int],
        hand_over: Path | None,
        to: str,
        take_over: Path | None,
        until_end: bool,
        skip_lost: bool,
    ) -> bool:
        if (source or partition or hand_over or take_over) and len(topics) > 1:
            raise InvalidValue("--source and --partition name one topic's.", field="source", hint="Start one for each.")
        if hand_over is None:
            refuse_idle("without --hand-over", {"--to": to})
        else:
            refuse_idle("beside --hand-over", {"--until-end": until_end, "--skip-lost": skip_lost})
        if take_over is not None and hand_over is None:
            refuse_idle("beside --take-over, whose file says it", {"--partition": partition, "--source": source})
        code = get_account(account).code
        opener = _opener(code)
        if hand_over is not None:
            if len(partition) != 1 or not to or take_over is not None:
                raise InvalidValue("--hand-over takes one --partition, and --to SOURCE.", field="partition")
            handed = kafka.hand_over(topics[0], partition[0], parse_name(to, "to"), opener, source=source)
            write_file(hand_over, handed.pack())
            self._tell(handed)
            return True
        if take_over is not None:
            taken = HandOver.unpack(read_text(take_over, field="take_over").encode())
            topic, number, source = taken.place()
            if topic != topics[0]:
                raise InvalidValue(f"{take_over} hands a partition of {topic} over.", field="take_over")
            hand_overs.take_over(wiring.open_spool(), taken)
            partition = [number]
        consumer = kafka.consumer_class()(
            kafka.kafka_settings(), topics, group, opener, source=source, partitions=partition, skip_lost=skip_lost
        )

        end = kafka.end_of_process()
        counts = consumer.run(lambda _: end.is_set(), until_end=until_end)
        stopped, handed_over = (
            {f"{topic}/{number}": why for (topic, number), why in places.items()}
            for places in (counts.stopped, counts.handed_over)
        )
        figures = {name: count for name, count in vars(counts).items() if type(count) is int}
        body = {"topics": topics, "group": group, "account": code, **figures, "stopped": stopped}
        columns = ["Messages", "Accepted", "Rejected", "Dead letters"]
        table = Table(f"Kafka {' '.join(topics)}", columns, [list(figures.values())], "INR")
        notes = [f"{place} stands still: {why}" for place, why in stopped.items()]
        notes += [f"{place} is recorded elsewhere: {why}" for place, why in handed_over.items()]
        self.emit(Report("Kafka", body | {"handed_over": handed_over}, [table], notes))
        return not stopped

    def _tell(self, handed: HandOver) -> None:
        topic, number, _ = handed.place()
        body: dict[str, str | int] = {
            "topic": topic,
            "partition": number,
            "offset": handed.offset,
            "passed": handed.passed,
            "at": utc(handed.at_ns).isoformat(),
            "source": handed.source,
            "taker": handed.taker,
        }
        columns = ["Partition", "Next offset", "Rows of it that are recorded", "At", "From source", "To source"]
        self.emit(Report("Hand-over", body, [Table(f"Kafka {topic}", columns, [list(body.values())[1:]])]))


def _opener(account: str) -> Callable[[str, MessageClock], Recorder]:
    """Return what opens the recorder of a source of the desk."""
    names, signed_prices = SymbolNames(), SignedPrices()
    zone, history = ZoneInfo(settings.TIME_ZONE), wiring.open_reader().next_ordinal
    return lambda name, clock: Recorder(
        settings.SPOOL_DIR,
        source=name,
        account=account,
        zone=zone,
        on_storage_fault="raise",
        max_bytes=settings.VELOX_SPOOL_MAX_BYTES,
        clock=clock,
        history=history,
        look_after=summon.summon,
        may_be_negative=signed_prices,
        parse_symbol=names,
    )
