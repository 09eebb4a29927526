"""`/events` over a real socket: the server is killed in the midst of it, and a program that goes on misses nothing."""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.api_server import ApiServer, api_server
from tests.trading.book import AT
from tests.waiting import until
from trading.models import Journal
from trading.operations.make_token import make_token
from trading.operations.record_signal import record_signal
from trading.operations.revoke_token import revoke_token

sys.path.insert(0, str(Path(__file__).parents[2] / "clients" / "python"))
from velox_client import DataClient, errors
from velox_client.events import Event

pytestmark = [pytest.mark.ledger, pytest.mark.usefixtures("ledger", "alone")]
KILLS = int(os.environ.get("VELOX_API_KILLS", "10"))
ROWS = 20  # written before each kill


class Listener(threading.Thread):
    """A program that hears the rows of the journal until one tells it to stop."""

    def __init__(self, server: ApiServer, secret: str) -> None:
        super().__init__()
        self.heard: list[Event] = []
        self.error: errors.VeloxError | None = None
        self._client = DataClient(f"http://127.0.0.1:{server.port}", secret, patience_seconds=60)

    def run(self) -> None:
        try:
            for event in self._client.events(after=0):
                if event.kind == "journal":
                    self.heard.append(event)
                if event.facts.get("strategy_id") == "last":
                    break
        except errors.VeloxError as error:
            self.error = error
        self._client.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, socket_enabled: None) -> Iterator[ApiServer]:
    monkeypatch.setattr("velox_client.events.PAUSE_SECONDS", 0.01)
    with api_server() as running:
        yield running


def write(count: int, strategy_id: str = "s") -> None:
    for _ in range(count):
        number = Journal.objects.count()
        at = AT + timedelta(seconds=number)
        record_signal("main", strategy_id, "TCS", at, {"n": number}, decision="SKIPPED", reason="late")


def test_a_program_that_goes_on_after_each_kill_hears_every_row_once_and_in_order(server: ApiServer) -> None:
    chance = random.Random(KILLS)
    listener = Listener(server, make_token("main", "watcher", ["read"], by="asha").secret)
    listener.start()
    for _ in range(KILLS):
        before = len(listener.heard)
        write(ROWS)
        heard = before + chance.randrange(ROWS)  # of these so many are heard at least, and then it is killed
        until(lambda heard=heard: len(listener.heard) > heard, pause_seconds=0)
        server.kill()
        write(chance.randrange(4))
        server.start()
    write(1, "last")
    until(lambda: not listener.is_alive())
    assert listener.error is None
    heard = [(event.sequence, event.facts["operation"], event.facts["recorded_by"]) for event in listener.heard]
    rows = Journal.objects.filter(account__code="main").order_by("sequence")
    assert heard == list(rows.values_list("sequence", "operation", "recorded_by"))
    assert len(heard) > KILLS * ROWS


def test_a_program_whose_token_ends_is_told_so(server: ApiServer) -> None:
    listener = Listener(server, make_token("main", "watcher", ["read"], by="asha").secret)
    listener.start()
    write(1)
    until(lambda: listener.heard)
    server.kill()
    revoke_token("watcher", by="asha")
    server.start()
    until(lambda: not listener.is_alive())
    assert listener.error is not None and listener.error.code == "wrong_token"
