"""`manage.py ship`: ship the spool once, or keep doing it as the data folder's companion."""

from __future__ import annotations

import os
import signal
import sys
import time
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from timeseries.wiring import open_pump, open_spool
from trading import summon
from trading.alerts.watch import watching
from trading.companion.companion import Companion
from trading.companion.follower import Follower
from trading.errors import LedgerNotReady, SpoolFull
from trading.management.base import VeloxCommand, refuse_idle
from trading.queries.projection import journal_ends, unprojected
from trading.small_memory import stay_small

PASS_SECONDS = 1.0
STALLED_PASSES = 10


class Command(VeloxCommand):
    help = "Ship what waits in the spool. With --watch be the companion: exit 0 at once where one lives already."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--watch", action="store_true", help="keep shipping until nobody records any more")
        parser.add_argument("--stay", action="store_true", help="with --watch: stay, recorders or none")
        parser.add_argument("--stay-with", type=int, metavar="PID", help="the same, as long as the parent PID lives")
        parser.add_argument("--lock", type=int, help=SUPPRESS)  # the open lock that `summon` hands on

    def answer(self, *, watch: bool, stay: bool, stay_with: int | None, lock: int | None) -> bool:
        stay_small()
        if not watch:
            refuse_idle("without --watch", {"--stay": stay, "--stay-with": stay_with})
            return self._ship_once()
        _on_a_signal(lambda *_: sys.exit(0))  # as soon as the lock names us; there is nothing to finish yet
        while True:
            with summon.being_the_companion(lock) as is_companion:
                if not is_companion:
                    self.say("A companion works on this folder already.")
                    return True
                companion = Companion(stays=lambda: stay or os.getppid() == stay_with)
                _on_a_signal(companion.stop)
                with watching("companion"):
                    companion.run()
            # Who began to record while the lock was still held has not started another: so look once more without it.
            if companion.stopped or not companion.is_wanted():
                return True
            lock = None

    def _ship_once(self) -> bool:
        """Ship what was booked and recorded until now; return whether all of it is stored.

        What comes meanwhile may wait: on a desk that trades something always does.
        """
        pump = open_pump()
        pump.make_room(time.time_ns())
        with summon.being_the_companion() as is_companion:
            unfollowed = follow() if is_companion else wait_for_the_follower()
        targets = pump.everything()
        total, stalled = pump.waiting(targets), 0
        columns = (TextColumn("shipping"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task("ship", total=total or None)
            waiting = total
            while stalled < STALLED_PASSES and pump.ship_through(targets, until=time.monotonic() + PASS_SECONDS):
                before, waiting = waiting, pump.waiting(targets)
                stalled = stalled + 1 if waiting >= before else 0
                progress.update(bar, completed=total - waiting)
        points = pump.points()
        self.stdout.write(f"{points['stored']:,} points stored, {points['spooled']:,} waiting.")
        if is_companion and summon.is_recorded(open_spool()):
            summon.summon()  # who began to record meanwhile found the lock taken
        if unfollowed:
            self.say(f"{unfollowed:,} rows of the journal are not among them yet: the companion brings them.")
        return unfollowed == pump.waiting(targets) == 0


def follow() -> int:
    """Project the journal to its end, as the companion does; return how many rows a full spool has no room for yet."""
    follower = Follower()
    try:
        while follower.run_once():
            pass
    except LedgerNotReady:
        pass  # a desk that only records ticks has no ledger yet
    except SpoolFull:
        return unprojected(journal_ends())
    finally:
        follower.close()
    return 0


def wait_for_the_follower() -> int:
    """Return how many rows of the journal as it is now are no points yet, once its follower is done or stands still."""
    ends = journal_ends()
    stalled, behind = 0, unprojected(ends)
    while behind and stalled < STALLED_PASSES:
        time.sleep(PASS_SECONDS)
        before, behind = behind, unprojected(ends)
        stalled = stalled + 1 if behind >= before else 0
    return behind


def _on_a_signal(handler: Callable[..., object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)
