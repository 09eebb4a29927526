"""`manage.py consume`: record the ticks of Kafka topics, each that a topic holds exactly once."""

from __future__ import annotations

from argparse import ArgumentParser
from zoneinfo import ZoneInfo

from django.conf import settings

from timeseries import wiring
from timeseries.recording.recorder import Recorder
from trading import summon
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.kafka import consumer_class, end_of_process, kafka_settings
from trading.management.output import Report, Table, add_format_arguments
from trading.queries.accounts import get_account
from trading.signed_prices import SignedPrices
from trading.symbol_names import SymbolNames


class Command(VeloxCommand):
    help = (
        "Record the ticks of Kafka topics as a member of a group until it is told to stop. Each tick that a topic "
        "holds is recorded exactly once, through kills of members and brokers. What cannot be read, and what is "
        "refused, goes to TOPIC.dead with the reason. Exit 1 where a partition stood still at the end."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("topics", nargs="+", metavar="TOPIC")
        parser.add_argument("--group", default="velox", help="the group of members that share the partitions")
        parser.add_argument(
            "--source", default="", help="who records; each partition adds its number (default: the topic's name)"
        )
        parser.add_argument("--account", default="main", help="whose ticks they are (default: main)")
        parser.add_argument("--until-end", action="store_true", help="end where the topics ended at the start")
        parser.add_argument(
            "--skip-lost", action="store_true", help="go on behind messages that the topic's retention took unread"
        )
        add_format_arguments(parser, formats=("table", "json"))

    def answer(
        self, *, topics: list[str], group: str, source: str, account: str, until_end: bool, skip_lost: bool
    ) -> bool:
        if source and len(topics) > 1:
            raise InvalidValue("--source names one topic's partitions.", field="source", hint="Start one for each.")
        code, names, signed_prices = get_account(account).code, SymbolNames(), SignedPrices()
        zone, history = ZoneInfo(settings.TIME_ZONE), wiring.open_reader().next_ordinal
        consumer = consumer_class()(
            kafka_settings(),
            topics,
            group,
            lambda name, clock: Recorder(
                settings.SPOOL_DIR,
                source=name,
                account=code,
                zone=zone,
                on_storage_fault="raise",
                max_bytes=settings.VELOX_SPOOL_MAX_BYTES,
                clock=clock,
                history=history,
                look_after=summon.summon,
                may_be_negative=signed_prices,
                parse_symbol=names,
            ),
            source=source,
            skip_lost=skip_lost,
        )
        end = end_of_process()
        counts = consumer.run(lambda _: end.is_set(), until_end=until_end)
        stopped = {f"{topic}/{number}": why for (topic, number), why in counts.stopped.items()}
        figures = {name: count for name, count in vars(counts).items() if name != "stopped"}
        body = {"topics": topics, "group": group, "account": code, **figures, "stopped": stopped}
        columns = ["Messages", "Accepted", "Rejected", "Dead letters"]
        table = Table(f"Kafka {' '.join(topics)}", columns, [list(figures.values())], "INR")
        self.emit(Report("Kafka", body, [table], [f"{place} stands still: {why}" for place, why in stopped.items()]))
        return not stopped
