"""Every page over 100,000 trades and 20 million ticks: the server's time, and races of the pages that df4c458 had.

Each side is a process of its own that keeps its data in `var/bench/pages` (made at the first run, in some minutes). A
page is asked for through Django's test client, so what counts is everything from the middleware to the last byte; the
browser, the network and the server's loop are not in it. Cold: the process keeps nothing of the ledger yet.

``PAGES_TRADES=1000000 make bench ROW=pages`` asks the same over a million trades of five years, in a folder of its own
(some minutes and 2 GB at the first run); it has no marks.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager

from bench.former import COMMIT, ROOT, Side, checkout
from bench.harness import Figures, Pair, Pairs, Row, Skipped

FOLDER = ROOT / "var" / "bench" / "pages"
TRADES = os.environ.get("PAGES_TRADES", "")
OURS = FOLDER / (f"ours-{TRADES}" if TRADES else "ours")
TIMES = 25  # how often each page is asked for, in a round
COLD_TIMES = 3
RACED = 9  # how often ours is asked for, in a round; the former commit and the ORM take seconds for a page: once
ROUNDS = 3
MEDIAN, P95, FRAGMENT, WITH_CHART, PERIOD_COLD, PERIOD_WARM = 60.0, 150.0, 15.0, 120.0, 500.0, 100.0
ADMIN_TRADES = 250.0
PAGES = (
    *("overview", "trades", "trades by R", "trade", "prices", "journal", "calendar", "day"),
    *("strategies", "symbols", "brokers", "reconcile", "health"),
    *("system", "logs", "new trade", "add fill", "close"),
    *("admin", "admin list of signals", "admin list of the journal"),
)
FRAGMENTS = ("fragment", "fragment after a moved stop", "fragment after a fill")
MORE_PAGES = (*FRAGMENTS, "trade with chart", "admin list of trades")
OF_PERIODS = ("strategy", "symbol", "signals", "day")
BOTH = ("overview", "trades", "trade", "strategies")


def _marks() -> dict[str, float]:
    marks: dict[str, float] = {}
    for page in PAGES:
        marks |= {f"{page}, median": MEDIAN, f"{page}, p95": P95}
    marks |= {f"{page}, median": FRAGMENT for page in FRAGMENTS}
    marks |= {"trade with chart, median": WITH_CHART, "admin list of trades, median": ADMIN_TRADES}
    for page in OF_PERIODS:
        marks |= {f"{page}, warm": PERIOD_WARM, f"{page}, cold": PERIOD_COLD}
    return dict.fromkeys(marks, math.inf) if TRADES else marks


@contextmanager
def times() -> Iterator[Figures]:
    with Side(ROOT, "page_times", OURS) as side:
        yield Figures(lambda: _measured(side), _marks(), "ms")


def _measured(side: Side) -> dict[str, float]:
    figures: dict[str, float] = {}
    for page in (*PAGES, *MORE_PAGES):
        taken = sorted(side.play(f"/{page}") / 1000 for _ in range(TIMES))
        figures |= {f"{page}, median": statistics.median(taken), f"{page}, p95": taken[int(0.95 * len(taken))]}
    for page in OF_PERIODS:
        figures[f"{page}, cold"] = statistics.median(side.play(f"cold/{page}") / 1000 for _ in range(COLD_TIMES))
        figures[f"{page}, warm"] = statistics.median(side.play(f"/{page}") / 1000 for _ in range(COLD_TIMES))
    return figures


@contextmanager
def races() -> Iterator[Pairs | Skipped]:
    tree = checkout()
    if isinstance(tree, Skipped):
        yield tree
        return
    folders = OURS, FOLDER / COMMIT
    with Side(ROOT, "page_times", folders[0]) as ours, Side(tree, "page_times", folders[1]) as former:
        pairs: dict[str, tuple[Pair, float]] = {}
        for page in BOTH:
            pairs[f"{page}, against {COMMIT}"] = _pair(ours, former, f"/{page}", f"/{page}"), 1.0
            pairs[f"{page}, against the ORM alone"] = _pair(ours, ours, f"/{page}", f"orm/{page}"), 1.0
        yield Pairs(pairs)


def _pair(side: Side, other: Side, page: str, reference: str) -> Pair:
    return Pair(lambda: _asked(side, page, RACED), lambda: _asked(other, reference, 1))


def _asked(side: Side, page: str, times: int) -> int:
    assert all(side.play(page) for _ in range(times))
    return times


ROWS = [
    Row(
        "pages",
        "the server's time per page over 100,000 trades and 20 million ticks",
        times,
        unit="milliseconds",
        rounds=ROUNDS,
    ),
    Row(
        "pages_race",
        f"the same pages over the same trades, beside {COMMIT} and beside objects of the ORM alone",
        races,
        mark=1.0,
        unit="pages per second",
        rounds=ROUNDS,
    ),
]
