"""Processes that write the ledger for a test: forked from it, or `python -m tests.trading.ledger_workers JOB ...`.

Each waits for a byte on its input, so that all begin at once, and says a line of JSON for what returned.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from typing import TextIO

import django
from django.apps import apps

if not apps.ready:
    django.setup()

from django.db import DatabaseError, connections

from tests.trading.book import AT, MINUTE, closed, filled, opened
from trading import transactions
from trading.bookkeeping import journal
from trading.errors import VeloxError
from trading.queries.accounts import get_account

# A machine that does much else may keep sixteen writers waiting for longer than two seconds; what these jobs show is
# who wins and that nobody is refused, not how long it took (bench/ledger.py measures that).
PATIENCE = 60.0


def say(**said: object) -> None:
    print(json.dumps(said), flush=True)


def close(price: str) -> None:
    """Close T1."""
    transactions.PATIENCE_SECONDS = PATIENCE
    try:
        say(closed=str(closed(price=price).realised_pnl))
    except VeloxError as error:
        say(refused=error.code)


def write(name: str, count: str, patience: str = str(PATIENCE)) -> None:
    """Open and close trades of one's own in the same strategy and symbol; say the worst wait and what was refused."""
    transactions.PATIENCE_SECONDS = float(patience)
    worst, refused = 0.0, []
    for number in range(int(count)):
        for call, more in ((opened, {"entry_time": AT}), (closed, {"exit_time": AT + MINUTE})):
            started = time.monotonic()
            try:
                call(f"{name}-{number}", **more)
            except (VeloxError, DatabaseError) as error:
                refused.append(str(error))
            worst = max(worst, time.monotonic() - started)
    say(worst=worst, refused=refused)


def race(name: str, count: str) -> None:
    """Open, scale out and close the trades that all the others open, scale out and close, in an order of one's own."""
    transactions.PATIENCE_SECONDS = PATIENCE
    numbers, refused = list(range(int(count))), []
    random.Random(name).shuffle(numbers)
    for number in numbers:
        trade_id, price = f"R{number}", 2465 + int(name) % 4
        for call in (
            lambda trade_id=trade_id: opened(trade_id),
            lambda trade_id=trade_id: filled("SELL", 2460, 4, trade_id, fill_id=f"F{trade_id}"),
            lambda trade_id=trade_id, price=price: closed(trade_id, price=price),
        ):
            try:
                call()
            except VeloxError as error:
                refused.append(error.code)
            except DatabaseError as error:
                refused.append(str(error))
    say(refused=sorted(set(refused)))


def endure(first: str) -> None:
    """Open and close trades until killed; each returned call is acknowledged."""
    number = int(first)
    while True:
        opened(f"K{number}", signal_conditions={"rsi": number})
        say(opened=number)
        closed(f"K{number}")
        say(closed=number)
        number += 1


def twice(first: str, second: str) -> None:
    """Open a trade, wait for a word, open another; each returned call is acknowledged."""
    transactions.PATIENCE_SECONDS = PATIENCE
    for trade_id in (first, second):
        opened(trade_id)
        say(opened=trade_id)
        sys.stdin.read(1)


def fork() -> None:
    """Fork in the middle of a write, then be killed in it; the child lives on."""
    with transactions.writing():
        journal.lock_head(get_account("main"))
        child = os.fork()
        if child:
            say(child=child)
        signal.pause()


def hold(seconds: str) -> None:
    """Hold the ledger as a writer to `main` does."""
    with transactions.writing():
        journal.lock_head(get_account("main"))
        say(held=True)
        time.sleep(float(seconds))


JOBS = {"close": close, "write": write, "endure": endure, "fork": fork, "hold": hold, "race": race, "twice": twice}


def work(job: str, *arguments: str) -> None:
    """Wait for a byte, then do the job."""
    say(ready=True)
    sys.stdin.read(1)
    JOBS[job](*arguments)


class Worker:
    """A forked process with a job: it has connections of its own, and Django need not start anew for it."""

    def __init__(self, job: str, *arguments: str) -> None:
        connections.close_all()
        (to_read, words), (answers, to_write) = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(words)
                os.close(answers)
                sys.stdin, sys.stdout = os.fdopen(to_read), os.fdopen(to_write, "w")
                work(job, *arguments)
                sys.stdout.flush()
            except BaseException as error:
                os.write(2, repr(error).encode())
            finally:
                os._exit(0)
        os.close(to_read)
        os.close(to_write)
        self.stdin: TextIO = os.fdopen(words, "w")
        self.stdout: TextIO = os.fdopen(answers)
        self._is_there = True

    def kill(self) -> None:
        """Kill it, unless it has ended, and wait until it is gone."""
        if self._is_there:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def wait(self) -> None:
        if self._is_there:
            os.waitpid(self.pid, 0)
            self._is_there = False

    def close(self) -> None:
        self.kill()
        self.stdin.close()
        self.stdout.close()


if __name__ == "__main__":
    work(*sys.argv[1:])
