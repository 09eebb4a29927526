"""Telemetry on its way: a bounded queue in memory, and the thread that sends it until the desk has acknowledged it."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice, takewhile
from typing import Any, NamedTuple

from velox_client.errors import (
    FlushTimeout,
    IdConflict,
    InvalidValue,
    KeyReused,
    NotTradable,
    OutOfSequence,
    RecorderClosed,
    SpoolFull,
    VeloxError,
)
from velox_client.tables import Instant, instant_text
from velox_client.transport import Transport, number
from velox_client.values import Json, TickBatch

TICKS, INDICATORS, SNAPSHOTS = "ticks", "indicators", "snapshots"
ROWS_AT_ONCE = 500
CLOSE_SECONDS = 5.0
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.1, 5.0
# What the desk refuses for good is dropped and counted, or it would stop all that is behind it.
FINAL = (InvalidValue, IdConflict, KeyReused, OutOfSequence, NotTradable)


class Row(NamedTuple):
    """One point of one kind, as it is sent, with the key under which it is one record however often it is sent."""

    kind: str
    body: Json
    key: str = ""


class Telemetry:
    """The queue of one client. Rows leave it in the order in which they came, once the desk has them."""

    def __init__(self, transport: Transport, *, rows_max: int, raises: bool) -> None:
        self.dropped = 0
        self._transport, self._rows_max, self._raises = transport, rows_max, raises
        self._rows: deque[Row] = deque()
        self._changed = threading.Condition()
        self._stream, self._sequence = uuid.uuid4().hex, 0
        self._is_closed = False
        self._sender: threading.Thread | None = None

    def tick(self, symbol: str, tick: Mapping[str, Any], at: Instant | None) -> bool:
        """Queue one tick. Raises: InvalidValue for what is no dict of a tick."""
        return self._put([_tick_row(symbol, tick, at)])

    def ticks(self, ticks: Sequence[Mapping[str, Any]] | Mapping[str, Any], symbol: str | None) -> TickBatch:
        """Queue many ticks: rows, or columns of one length."""
        accepted, rejected = 0, []
        for index, row in enumerate(_rows_of(ticks) if isinstance(ticks, Mapping) else ticks):
            try:
                tick = {name: each for name, each in row.items() if name != "symbol"}
                name = symbol or row.get("symbol")
                if not isinstance(name, str):
                    raise InvalidValue("The tick has no symbol.", field="symbol", hint="Give it with the row.")
                accepted += self._put([_tick_row(name, tick, None)])
            except InvalidValue as error:
                rejected.append((index, error.code, error.hint))
        return TickBatch(accepted, tuple(rejected))

    def indicators(self, symbol: str, values: Mapping[str, Any], at: Instant | None, timeframe: str) -> bool:
        """Queue named numbers."""
        body = {"symbol": symbol, "values": dict(values), "at": _microseconds(at), "timeframe": timeframe}
        return self._put([Row(INDICATORS, body, uuid.uuid4().hex)])

    def snapshot(
        self, strategy_id: str, symbol: str, price: Any, quantity: Any, pnl: Any, percent: Any, at: Instant | None
    ) -> bool:
        """Queue a snapshot of a position."""
        body = {
            "strategy_id": strategy_id, "symbol": symbol, "current_price": number(price), "quantity": number(quantity),
            "pnl": number(pnl), "pnl_percent": number(percent), "at": _microseconds(at),
        }  # fmt: skip
        return self._put([Row(SNAPSHOTS, body, uuid.uuid4().hex)])

    def flush(self, timeout: float) -> None:
        """Return once nothing waits any more. Raises: FlushTimeout."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._rows, timeout):
                raise FlushTimeout(f"{len(self._rows)} rows still wait.", hint="Flush again once the desk answers.")

    def close(self) -> None:
        """Wait at most five seconds for what is queued, then end; what is left is counted as dropped."""
        with self._changed:
            self._changed.wait_for(lambda: not self._rows, CLOSE_SECONDS)
            self._is_closed = True
            self.dropped += len(self._rows)
            self._rows.clear()
            self._changed.notify_all()
        if self._sender is not None:
            self._sender.join(CLOSE_SECONDS)

    def _put(self, rows: Sequence[Row]) -> bool:
        with self._changed:
            if self._is_closed:
                raise RecorderClosed("The client is closed.", hint="Make another one.")
            if len(self._rows) + len(rows) > self._rows_max:
                self.dropped += len(rows)
                if self._raises:
                    raise SpoolFull("The queue is full.", hint="The desk has been away for long.")
                return False
            self._rows.extend(rows)
            if self._sender is None:
                self._sender = threading.Thread(target=self._send_all, name="velox-client", daemon=True)
                self._sender.start()
            self._changed.notify_all()
        return True

    def _send_all(self) -> None:
        pause, batch = PAUSE_SECONDS, list[Row]()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._rows or self._is_closed)
                if not self._rows:
                    return
                batch = batch or self._next_batch()  # one that is not acknowledged is sent again as it was
            try:
                refused = self._send(batch)
            except FINAL:
                refused = len(batch)
            except VeloxError:
                with self._changed:
                    self._changed.wait_for(lambda: self._is_closed, pause)
                pause = min(pause * 2, PAUSE_SECONDS_MAX)
                continue
            pause = PAUSE_SECONDS
            with self._changed:
                if self._rows:  # else all of it was given up meanwhile, and counted
                    self.dropped += refused
                    for _ in batch:
                        self._rows.popleft()
                batch = []
                self._changed.notify_all()

    def _next_batch(self) -> list[Row]:
        """Return the first rows: ticks together, others alone. They stay in the queue until the desk has them."""
        if self._rows[0].kind != TICKS:
            return [self._rows[0]]
        self._sequence += 1
        ticks = takewhile(lambda row: row.kind == TICKS, self._rows)
        return list(islice(ticks, ROWS_AT_ONCE))

    def _send(self, batch: Sequence[Row]) -> int:
        """Send rows and return how many of them were refused. Raises: VeloxError."""
        first = batch[0]
        if first.kind != TICKS:
            self._transport.post(first.kind, first.body, key=first.key)
            return 0
        path = f"{TICKS}?stream={self._stream}&sequence={self._sequence}"
        answer = self._transport.post(path, [row.body for row in batch], key=None)
        return int(answer["rejected_count"])


def _tick_row(symbol: str, tick: Mapping[str, Any], at: Instant | None) -> Row:
    if not isinstance(tick, Mapping):
        raise InvalidValue(f"A tick is {type(tick).__name__}.", field="tick", hint="Give a dict.")
    stamp = at if at is not None else tick.get("timestamp")
    # Now where there is none, so that a row that waits keeps its time.
    time_text = instant_text(time.time_ns() if stamp is None else stamp)
    return Row(TICKS, {**{name: number(each) for name, each in tick.items()}, "symbol": symbol, "timestamp": time_text})


def _rows_of(columns: Mapping[str, Any]) -> list[Json]:
    lengths = {len(each) for each in columns.values()}
    if len(lengths) > 1:
        raise InvalidValue("The columns are not equally long.", field="ticks", hint="Give columns of one length.")
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _microseconds(at: Instant | None) -> str:
    """Return an instant, else now, to the microsecond."""
    instant = time.time_ns() if at is None else at
    return instant_text(instant if isinstance(instant, datetime) else instant // 1000 * 1000).replace("000Z", "Z")
