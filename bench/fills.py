"""One more fill of a trade that has many: against a former commit, which folded them all anew, and against a tenth."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.former import against_former
from bench.harness import Figures, Row
from bench.ledger import ledger_of_its_own
from bench.scenarios.many_fills import BEFORE, filler

TENTH, EACH = 9, 15


@contextmanager
def prepare_growth() -> Iterator[Figures]:
    """Fill trades of nine and of a thousand fills by turns: the ratio of the medians is how much slower it became."""
    with ledger_of_its_own():
        many, number = filler("many"), 0
        for _ in range(BEFORE):
            many()

        def measure() -> dict[str, float]:
            nonlocal number
            tenths, thousandths = [], []
            for _ in range(EACH):
                number += 1
                few = filler(f"few {number}")
                for _ in range(TENTH - 1):
                    few()
                tenths.append(seconds(few))
                thousandths.append(seconds(many))
            return {"1000th fill against the 10th": statistics.median(thousandths) / statistics.median(tenths)}

        yield Figures(measure, {"1000th fill against the 10th": 1.3}, "times its tenth")


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


ROWS = [
    Row(
        "fills",
        "add_fill to a trade of 1,000 fills, against commit df4c458",
        lambda: against_former("many_fills"),
        mark=4,
        stretch=6,
        unit="fills per second",
        rounds=5,
    ),
    Row(
        "broker-fills",
        "a broker's fills imported, against open_position and close_position of commit df4c458, one commit each",
        lambda: against_former("broker_fills"),
        mark=5,
        unit="fills per second",
        rounds=3,
    ),
    Row(
        "broker-fills-batches",
        "a broker's fills imported, beside import_trades of commit df4c458 with its batches of 200",
        lambda: against_former("broker_fills", words="batches"),
        unit="fills per second",
        rounds=3,
    ),
    Row("fills-growth", "the 1,000th fill of a trade against its tenth", prepare_growth, rounds=5),
]
