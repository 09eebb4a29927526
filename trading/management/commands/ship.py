"""`manage.py ship`: ship the spool once, or keep doing it as the data folder's companion."""

from __future__ import annotations

import os
import signal
import sys
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from timeseries.wiring import open_pump, open_spool
from trading import summon
from trading.alerts.watch import watching
from trading.companion.companion import Companion
from trading.companion.follower import Follower
from trading.errors import LedgerNotReady
from trading.management.base import VeloxCommand

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
        if not watch:
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
        """Follow the journal to its end where no companion does, and ship; return whether nothing waits any more."""
        with summon.being_the_companion() as is_companion:
            if is_companion:
                follower = Follower()
                try:
                    while follower.run_once():
                        pass
                except LedgerNotReady:
                    pass  # a desk that only records ticks has no ledger yet
                finally:
                    follower.close()
        pump = open_pump()
        total, stalled = pump.points()["spooled"], 0
        columns = (TextColumn("shipping"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task("ship", total=total or None)
            waiting = total
            while not pump.drain(PASS_SECONDS) and stalled < STALLED_PASSES:
                before, waiting = waiting, pump.points()["spooled"]
                stalled = stalled + 1 if waiting >= before else 0
                progress.update(bar, completed=total - waiting)
        points = pump.points()
        self.stdout.write(f"{points['stored']:,} points stored, {points['spooled']:,} waiting.")
        is_fine = bool(points["spooled"] == 0)
        if is_companion and summon.is_recorded(open_spool()):
            summon.summon()  # who began to record meanwhile found the lock taken
        return is_fine


def _on_a_signal(handler: Callable[..., object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)
