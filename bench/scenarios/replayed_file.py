"""A market file recorded: from opening it until every tick of it stands in the spool, with nobody who ships meanwhile.

`REPLAYED_LINES` says how many lines the file has, of fifty symbols; each call replays it under another source.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.core.management import call_command

from trading import replay
from trading.summon import being_the_companion

LINES = int(os.environ.get("REPLAYED_LINES", "500000"))
SYMBOLS, A_SECOND, SESSION_SECONDS = 50, 5, 22_000
BEGIN = datetime(2016, 1, 4, 9, 15)


class Recorded(Exception):
    """Every tick is in the spool: what follows is no part of this."""


def write_lines(path: Path, lines: int) -> None:
    """Write a file of ticks by time, each with its price and the day's volume so far."""
    with path.open("w") as file:
        file.write("timestamp,symbol,ltp,volume\n")
        for first in range(0, lines, A_SECOND):
            day, second = divmod(first // A_SECOND, SESSION_SECONDS)
            at = (BEGIN + timedelta(days=day, seconds=second)).isoformat(sep=" ")
            for number in range(first, min(first + A_SECOND, lines)):
                place = number * 7 % SYMBOLS
                price = 500 + 10 * place + number * 31 % 1999 / 100
                file.write(f"{at},SYM{place},{price:.2f},{second * 11 + place}\n")


@contextmanager
def prepare() -> Iterator[Callable[[], int]]:
    call_command("migrate", verbosity=0)
    path, rounds = Path(settings.DATA_DIR) / "feed.csv", count()
    write_lines(path, LINES)

    def play() -> int:
        try:
            call_command("replay", str(path), "--source", f"round {next(rounds)}", "--format", "json")
        except Recorded:
            return LINES
        raise RuntimeError("The replay ended before it waited for the store.")

    with being_the_companion(), mock.patch.object(replay, "flush", side_effect=Recorded):
        yield play
