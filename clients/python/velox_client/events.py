"""What happens in the account, as it happens: server-sent events, heard on behind the last one after every cut."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import urllib3

from velox_client.transport import Transport
from velox_client.values import Json

EVENT_STREAM = "text/event-stream"
PIECE_BYTES = 1 << 16
PAUSE_SECONDS = 1.0  # a desk that ends each stream at once is not asked in a circle
TOLD = ("journal", "health", "fault")


class Event(NamedTuple):
    """A row of the journal (``kind`` journal, with its ``sequence``), a change of health, or that nobody can look."""

    kind: str
    sequence: int | None
    facts: Json


def listen(transport: Transport, after: int | None) -> Iterator[Event]:
    """Yield events without end, each row once. Raises: VeloxError where the desk refuses, or is away for too long."""
    while True:
        headers = {"Accept": EVENT_STREAM} | ({} if after is None else {"Last-Event-ID": str(after)})
        response = transport.send("GET", "events", headers=headers, stream=True)
        with closing(response):
            try:
                for event in _events(response):
                    after = after if event.sequence is None else event.sequence
                    yield event
            except urllib3.exceptions.HTTPError:
                pass  # cut, or silent for longer than beats are apart
        time.sleep(PAUSE_SECONDS)


def _events(response: urllib3.BaseHTTPResponse) -> Iterator[Event]:
    """Yield what is whole: of an event that was cut the rest never comes, and it is sent again."""
    text = b""
    while piece := response.read1(PIECE_BYTES):
        *frames, text = (text + piece).split(b"\n\n")
        for frame in frames:
            lines = dict(line.split(": ", 1) for line in frame.decode().splitlines())
            if lines.get("event") in TOLD:
                sequence = int(lines["id"]) if "id" in lines else None
                yield Event(lines["event"], sequence, json.loads(lines["data"]))
