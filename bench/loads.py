"""Every page of the demo in a real Chromium: its weight over the wire without a cache, first paint, and what moves.

The weight counts all that a page brings with it (styles, scripts, the chart's candles), packed as the server packs it,
with heads of answers. First contentful paint is counted from the start of the navigation on loopback; layout shift is
the sum of all that nobody caused. Each is the median of seven loads, and the page that is worst stands in the row: one
whose first loads tell that its medians cannot be the worst is not loaded again.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.harness import Figures, Row
from tests.browser import LAPTOP, Browser, chromium, server
from tests.screenshots import DEMO, STRANGERS, demo_pages

LOADS = 7
MARKS = {
    "heaviest page, kB": 250.0,
    "slowest first contentful paint, s": 0.5,
    "largest layout shift": 0.02,
}
FIGURES = """
const done = arguments[0];
const sum = (entries, size) => entries.reduce((total, entry) => total + size(entry), 0);
const painted = (list) => list.getEntries().find((entry) => entry.name === 'first-contentful-paint');
let shift = 0;
new PerformanceObserver((list) => { shift += sum(list.getEntries().filter((e) => !e.hadRecentInput), (e) => e.value); })
  .observe({type: 'layout-shift', buffered: true});
new PerformanceObserver((list) => {
  if (!painted(list)) return;
  const loaded = performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'));
  const weight = sum(loaded, (entry) => entry.transferSize) / 1000;
  setTimeout(() => done([weight, painted(list).startTime / 1000, shift]), 50);
}).observe({type: 'paint', buffered: true});
"""


@contextmanager
def prepare() -> Iterator[Figures]:
    pages = demo_pages()
    with (
        tempfile.TemporaryDirectory(prefix="velox-bench-loads-") as profile,
        server(DEMO) as address,
        chromium(Path(profile), address) as browser,
    ):
        browser.show(LAPTOP)
        browser.driver.execute_cdp_cmd("Network.enable", {})
        browser.driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
        yield Figures(lambda: _measured(browser, pages), MARKS, "", is_long=True)


def _measured(browser: Browser, pages: dict[str, str]) -> dict[str, float]:
    by_page: dict[str, list[float]] = {}
    worst = [0.0 for _ in MARKS]

    def measure(name: str, address: str) -> None:
        nonlocal worst
        by_page[name] = _page(browser, address, worst)
        worst = [max(pair) for pair in zip(worst, by_page[name], strict=True)]

    for name, address in STRANGERS.items():
        measure(name, address)
    browser.log_in(*(DEMO / "login").read_text(encoding="utf-8").split())
    for name, address in reversed(pages.items()):  # the admin's first, which are the slowest
        measure(name, address)
    print(json.dumps(by_page), file=sys.stderr)
    return dict(zip(MARKS, worst, strict=True))


def _page(browser: Browser, address: str, worst: list[float]) -> list[float]:
    """Return a page's weight in kB, first contentful paint in s and layout shift, each the median of seven loads; of
    fewer, once so many were at most the worst of other pages that the median of seven is."""
    loads: list[list[float]] = []
    while len(loads) < LOADS:
        browser.open(address)
        browser.settle()
        loads.append(browser.driver.execute_async_script(FIGURES))
        at_most = [sum(load[place] <= bound for load in loads) for place, bound in enumerate(worst)]
        if min(at_most) > LOADS // 2:
            break
    medians = [round(statistics.median(column), 4) for column in zip(*loads, strict=True)]
    return medians if len(loads) == LOADS else [min(pair) for pair in zip(medians, worst, strict=True)]


ROWS = [
    Row("loads", "weight, first paint and layout shift of every page in Chromium", prepare, unit="kB, s", rounds=1),
]
