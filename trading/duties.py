"""Duties: what the desk does by period, which one host at a time does for all hosts of a ledger.

A row of the ledger names who holds a duty, by a word of chance that is new with each term, and counts its beats.
Whoever wants what another holds watches that count by its own monotonic clock, and takes it over, with the next term,
once the count has not moved for longer than `SILENT_SECONDS`: no two clocks are ever compared. What a holder writes
under its duty begins with a beat in the same transaction. So one that was stopped, or cut off, and goes on when another
has taken over finds its word gone, and writes nothing.

Between the processes of one data folder its file locks decide (`trading.summon`, `timeseries.spool.lease`): they know
at once that a process died, so a duty of this folder is taken over without waiting, with a term of its own.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import F
from django.db.models.functions import Now
from django.db.utils import DatabaseError

from trading.errors import LedgerUnconfirmed, VeloxError
from trading.models import DutyRow
from trading.transactions import proving, reading, writing

ALERTS, UPKEEP = "alerts", "upkeep"
NAMES = (ALERTS, UPKEEP)
BEAT_SECONDS = 5.0
SILENT_SECONDS = 20.0  # without a beat; passes of the companion's work take seconds
BOOT = Path("/proc/sys/kernel/random/boot_id")

log = structlog.get_logger("system")


class DutyLost(VeloxError):
    """A duty that another host has taken over; nothing was written."""

    code = "duty_lost"


class Duty:
    """One process's hold on a duty. Call `seek` again and again; write what follows from it within `doing`."""

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.name, self.clock = name, clock
        self._word = ""
        self._due_at = float("-inf")
        self._seen, self._seen_at = ("", 0), 0.0  # another's word and beats, and since when they have not moved

    @property
    def is_held(self) -> bool:
        """Tell whether we hold it, as far as we know: only a transaction within `doing` is sure."""
        return bool(self._word)

    def seek(self) -> bool:
        """Beat, or take the duty if it is free; tell whether we hold it. The ledger is asked every `BEAT_SECONDS`.

        A ledger that cannot be asked changes nothing: nobody can take over what we hold without it.
        """
        if (now := self.clock()) >= self._due_at:
            self._due_at = now + BEAT_SECONDS
            try:
                if self._word:
                    with self.doing(), writing():
                        pass  # the beat is what such a transaction begins with
                else:
                    self._take(now)
            except VeloxError:
                pass  # the part `ledger` of health says what its fault is
            except DatabaseError as error:  # as where the role was not granted the table
                log.error("a duty cannot be asked for", duty=self.name, error=str(error))
        return self.is_held

    @contextmanager
    def doing(self) -> Iterator[None]:
        """Let every transaction of the ledger within be one of our term. Raises: DutyLost instead of writing."""
        with proving(self._prove):
            yield

    def run(self, work: Callable[[], int]) -> int | None:
        """Do the work where we hold the duty; return its answer, None where another host does it."""
        with suppress(DutyLost):
            if self.seek():
                with self.doing():
                    return work()
        return None

    def release(self) -> None:
        """Give the duty back, so that another host need not wait."""
        word, self._word = self._word, ""
        if word:
            with suppress(VeloxError), writing():
                DutyRow.objects.filter(name=self.name, word=word).update(word="", place="", holder="")

    def _take(self, now: float) -> None:
        """Take the duty if nobody has it, another process of this folder had it, or its holder has been silent."""
        with reading():
            row = DutyRow.objects.filter(name=self.name).first() or DutyRow(name=self.name)
        place, seen = _place(), (row.word, row.beats)
        if row.place not in ("", place):
            if seen != self._seen:
                self._seen, self._seen_at = seen, self.clock()  # as late as can be: it was read before
                return
            if now - self._seen_at <= SILENT_SECONDS:  # as early as can be: it was read after
                return
        word = uuid.uuid4().hex
        holder = f"{socket.gethostname()}, {settings.DATA_DIR}, process {os.getpid()}"[:200]
        with suppress(LedgerUnconfirmed), writing():  # whether it is ours, the first transaction shows
            if row.pk is None:
                DutyRow.objects.bulk_create([row], ignore_conflicts=True)
            taken = DutyRow.objects.filter(name=self.name, word=row.word, beats=row.beats).update(
                word=word, term=F("term") + 1, beats=F("beats") + 1, place=place, holder=holder, beaten_at=Now()
            )
            if not taken:
                return
        self._word = word
        log.info("duty taken", duty=self.name, term=row.term + 1, before=row.holder)

    def _prove(self) -> None:
        connection = connections[DEFAULT_DB_ALIAS]
        if connection.vendor == "postgresql":
            # The row stays locked until the commit. Of a holder that is stopped in between the server must not wait.
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [f"{SILENT_SECONDS:g}s"]
                )
        mine = DutyRow.objects.filter(name=self.name, word=self._word) if self._word else DutyRow.objects.none()
        if not mine.update(beats=F("beats") + 1, beaten_at=Now()):
            if self._word:
                log.warning("duty lost", duty=self.name)
            self._word = ""
            raise DutyLost(f"Another host has taken over the duty `{self.name}`.", hint="Nothing was written.")


def free_all() -> None:
    """Take every duty from whoever has it, as a ledger that was put back has holders who are no more.

    One that lives all the same finds its word gone, and writes nothing until it has the duty again.
    """
    DutyRow.objects.update(word="", place="", holder="")


def _place() -> str:
    """Return what tells this data folder from every other: this start of this machine, and where its folder lies."""
    folder = os.stat(settings.DATA_DIR)
    boot = BOOT.read_text().strip() if BOOT.exists() else socket.gethostname()
    return f"{boot} {folder.st_dev} {folder.st_ino}"
