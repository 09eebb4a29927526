"""Kills of who watches the desk and of who sends, at every stage of an alert's way: each is told, and none is another.

`make chaos` runs it with VELOX_WATCH_KILLS=300.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest

from tests.conftest import Ledger
from tests.trading.watchers import PLANTED
from tests.waiting import until
from tests.webhook import Webhook, webhook
from trading.alerts.watch import FOLDER
from trading.health.faults import CACHE_UNREACHABLE, FAULTS
from trading.models import Alert, AlertDelivery

KILLS = int(os.environ.get("VELOX_WATCH_KILLS", "5"))
SEED = os.environ.get("VELOX_SEED", "17")
ROLES = "companion", "web", "beat"
PLANTABLE = [fault for fault in FAULTS if not fault.hold_seconds and fault.part != "web"]


class WatchedDesk:
    """Three processes that may watch one data folder, of which the one with the lease does."""

    def __init__(self, data_dir: Path, environment: Mapping[str, str], hook: Webhook) -> None:
        self.data_dir, self.hook, self.pids = data_dir, hook, dict[str, int]()
        self.plant()
        self.mother = subprocess.Popen(
            [sys.executable, "-m", "tests.trading.watchers"],
            env={**environment, "VELOX_ALERT_URLS": hook.url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def plant(self, *keys: str) -> None:
        """Let this be what health finds from now on."""
        new = self.data_dir / f"{PLANTED}.new"
        new.write_text(json.dumps(keys))
        new.rename(self.data_dir / PLANTED)

    def complete(self, *roles: str) -> None:
        """Start whoever is missing, of all roles or of these."""
        assert self.mother.stdin and self.mother.stdout
        for role in roles or ROLES:
            if role not in self.pids:
                self.mother.stdin.write(f"{role}\n")
                self.mother.stdin.flush()
                self.pids[role] = int(self.mother.stdout.readline())

    def holder(self) -> str | None:
        """Return the role that has the lease now."""
        texts = [path.read_text(errors="replace") for path in (self.data_dir / FOLDER).rglob("*") if path.is_file()]
        return next((role for role in self.pids if any(role in text for text in texts)), None)

    def senders(self) -> list[int]:
        """Return the processes that send a message of this desk."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._sends(pid)]

    def _sends(self, pid: int) -> bool:
        with suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            return b"trading.alerts.sending" in command and os.fsencode(self.hook.url) in environment
        return False

    def has_heard(self, before: int) -> bool:
        """Tell whether a message has come beside so many."""
        return len(self.hook.bodies) > before

    def is_on_its_way(self, before: int) -> bool:
        """Tell whether a message is being sent, or has come already."""
        return self.has_heard(before) or bool(self.senders())

    def kill(self, victim: str) -> None:
        """Kill who watches, or another who would, or whoever sends."""
        if victim == "sender":
            for pid in self.senders():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return
        holder = self.holder()
        role = holder if victim == "holder" and holder else random.choice(list(self.pids))
        os.kill(self.pids.pop(role), signal.SIGKILL)

    def end(self) -> None:
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
        self.mother.kill()
        self.mother.communicate()
        self.kill("sender")


@pytest.fixture
def desk(ledger: Ledger) -> Iterator[WatchedDesk]:
    with webhook() as hook:
        desk = WatchedDesk(ledger.data_dir, ledger.env, hook)
        try:
            yield desk
        finally:
            desk.end()


def is_raised(count: int, *, is_over: bool) -> bool:
    """Tell whether there are so many alerts, the newest of which is over or not."""
    newest = Alert.objects.order_by("pk").last()
    is_newest = newest is not None and (newest.recovered_at is not None) == is_over
    return is_newest and Alert.objects.count() == count


def is_told(count: int, *, is_over: bool) -> bool:
    """Tell whether all that was to be told of so many alerts is written as sent."""
    deliveries = AlertDelivery.objects.filter(state="sent").count()
    return is_raised(count, is_over=is_over) and deliveries == 2 * count - (not is_over)


def test_kills_at_every_stage_leave_each_alert_told_and_told_to_be_over(desk: WatchedDesk) -> None:
    random.seed(SEED)
    faults, kills, plantings = cycle(PLANTABLE), 0, 0
    while kills < KILLS:
        fault = next(faults)
        plantings += 1
        for is_over in (False, True):
            desk.complete()
            is_now_raised = partial(is_raised, plantings, is_over=is_over)
            stages: dict[str, Callable[[], object]] = {
                "planted": lambda: True,
                "raised": is_now_raised,
                "on its way": partial(desk.is_on_its_way, len(desk.hook.bodies)),
                "heard": partial(desk.has_heard, len(desk.hook.bodies)),
            }
            desk.plant(*([] if is_over else [fault.key]))
            until(stages[random.choice(list(stages))], pause_seconds=0.05)
            desk.kill(random.choice(["holder", "holder", "sender", "any"]))
            kills += 1
            until(partial(is_told, plantings, is_over=is_over), pause_seconds=0.1)
    heard = Counter(desk.hook.ids())
    tries = {
        f"id {row.alert.uid} {'recovered' if row.is_recovery else 'raised'}": row.tries
        for row in AlertDelivery.objects.select_related("alert")
    }
    assert Alert.objects.count() == plantings and not Alert.objects.filter(recovered_at=None).exists()
    assert heard.keys() == tries.keys() and len(tries) == 2 * plantings
    assert all(count <= tries[name] for name, count in heard.items())  # again only where a kill left it to the next
    assert sum(heard.values()) - len(heard) <= kills


def test_pages_and_beat_without_a_companion_tell_of_a_fault_that_is_held_for_longer_than_their_turns(
    desk: WatchedDesk,
) -> None:
    desk.complete("web", "beat")
    assert CACHE_UNREACHABLE.hold_seconds > 10  # turns take a second here
    desk.plant(CACHE_UNREACHABLE.key)
    until(partial(is_told, 1, is_over=False), pause_seconds=0.1)
    desk.plant()
    until(partial(is_told, 1, is_over=True), pause_seconds=0.1)
