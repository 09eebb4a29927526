"""Members of a group for tests, in processes of their own: they record a topic until they are killed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.timeseries.spools import INDIA
from timeseries.bus.connection import KafkaSettings
from timeseries.bus.consumer import TopicConsumer
from timeseries.bus.partition import MessageClock, OpenRecorder
from timeseries.recording.recorder import Recorder

SESSION_SECONDS = 2.0  # a killed member's partitions stand still so long; on a busy machine less loses living ones
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])  # its modules are loaded once, and not by each member


def open_recorder_in(root: Path) -> OpenRecorder:
    def open_recorder(source: str, clock: MessageClock) -> Recorder:
        return Recorder(
            root / "spool", source=source, account="main", zone=INDIA, clock=clock, on_storage_fault="raise"
        )

    return open_recorder


def member(root: Path, servers: str, topic: str, *, source: str = "", partitions: Sequence[int] = ()) -> TopicConsumer:
    settings = KafkaSettings(servers, session_seconds=SESSION_SECONDS)
    return TopicConsumer(settings, [topic], "desk", open_recorder_in(root), source=source, partitions=partitions)


def start(
    root: Path, servers: str, topic: str, *, source: str = "", partitions: Sequence[int] = ()
) -> ForkServerProcess:
    """Start a member as a process of its own."""
    options = {"source": source, "partitions": partitions}
    process = _processes.Process(target=record, args=(root, servers, topic), kwargs=options, daemon=True)
    process.start()
    return process


def record(root: Path, servers: str, topic: str, *, source: str, partitions: Sequence[int]) -> None:
    member(root, servers, topic, source=source, partitions=partitions).run(lambda _: False)
