"""A member of a group for tests, in a process of its own: it records a topic until it is killed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.timeseries.spools import INDIA
from timeseries.bus.connection import KafkaSettings
from timeseries.bus.consumer import OpenRecorder, TopicConsumer
from timeseries.bus.partition import MessageClock
from timeseries.recording.recorder import Recorder

SESSION_SECONDS = 2.0


def open_recorder_in(root: Path) -> OpenRecorder:
    def open_recorder(source: str, clock: MessageClock) -> Recorder:
        return Recorder(
            root / "spool", source=source, account="main", zone=INDIA, clock=clock, on_storage_fault="raise"
        )

    return open_recorder


def member(root: Path, servers: str, topic: str, *, source: str = "", partitions: Sequence[int] = ()) -> TopicConsumer:
    settings = KafkaSettings(servers, session_seconds=SESSION_SECONDS)
    return TopicConsumer(settings, [topic], "desk", open_recorder_in(root), source=source, partitions=partitions)


if __name__ == "__main__":
    folder, servers, topic, *options = sys.argv[1:]
    source, numbers = options[0] if options else "", [int(number) for number in options[1:]]
    member(Path(folder), servers, topic, source=source, partitions=numbers).run(lambda _: False)
