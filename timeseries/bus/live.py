"""The ticks that sources of this data folder record, as they come, for a topic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import structlog

from timeseries.measurements import TICKS
from timeseries.spool.folder import Spool

POINTS_MAX = 10_000  # of one look at one source
FIELDS = ("open", "high", "low", "volume", "day_volume", "bid", "ask", "last_quantity", "oi")
log = structlog.get_logger("system")


class LiveTicks:
    """Ticks of these sources that are recorded from now on. What a source recorded while nobody looked is kept in the
    spool for days; what is gone from there is counted in ``missed``."""

    def __init__(self, spool: Spool, sources: Sequence[str]) -> None:
        self._spool, self.missed = spool, 0
        self._reached = {source: spool.lane(source, TICKS.name).issued() for source in sources}

    def read(self) -> Iterator[pa.Table]:
        """Yield what came since the last look, a table of each kind of tick, with the keys that `process_tick` reads.

        The ticks of a symbol that are all of one kind keep their order.
        """
        for source, reached in self._reached.items():
            waiting = self._spool.lane(source, TICKS.name).pending(after=reached, limit=POINTS_MAX)
            self._reached[source], batch = waiting.last_sequence, waiting.batch
            if absent := waiting.last_sequence - reached - len(batch):
                self.missed += absent
                log.error("ticks were not in the spool any more", source=source, count=absent)
            present = [~np.isnan(batch.columns[name]) for name in FIELDS]
            kinds = sum(has.astype(np.int64) << bit for bit, has in enumerate(present))
            for kind in np.unique(kinds).tolist():
                alike = batch.take(np.flatnonzero(kinds == kind))
                names = [alike.series_table[number]["symbol"] for number in alike.series.tolist()]
                fields = ["close", *(name for bit, name in enumerate(FIELDS) if kind >> bit & 1)]
                times = pa.array(alike.exchange_time).cast(pa.timestamp("ns", "UTC"))
                columns = {name: alike.columns[name] for name in fields}
                yield pa.table({"symbol": pa.array(names, pa.string()), "timestamp": times, **columns})
