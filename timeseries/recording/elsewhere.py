"""The recorder of a process that has no place to record: another host has the data folder, and ships what is in it."""

from __future__ import annotations

from typing import NoReturn

from timeseries.errors import SpoolFailed
from timeseries.recording.recorder import Recorder
from timeseries.recording.writer import StorageFault

HELD_BY_RECORDER = "held_by_recorder"


class RecorderElsewhere(Recorder):
    """A recorder that refuses each record: a spool that goes with this process would lose what it accepted."""

    def _open(self) -> NoReturn:
        raise StorageFault(
            SpoolFailed(
                "Points are held by the recorder, which is another process.",
                hint="Send them to the recorder's own address.",
                code=HELD_BY_RECORDER,
            )
        )
