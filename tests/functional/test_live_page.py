"""The overview in a real Chromium while the desk trades: it follows, says when it cannot, and comes back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.support.ui import WebDriverWait

from tests import page_desk
from tests.browser import LAPTOP, Browser, chromium, environment, filled, manage, server
from tests.waiting import PATIENCE_SECONDS
from tests.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

DELAY_SECONDS_MAX = 30.0  # on whatever machine this runs; `make bench ROW=viewers` holds the second
STRATEGY = """
import time
from datetime import datetime
from velox_site.desk import DataManager
with DataManager(source="strategy") as dm:
    dm.open_position("LIVE", "ema_cross", "M&M", 760, 10, datetime(2024, 3, 15, 15, 0), stop_price=750)
    dm.process_tick("M&M", {"ltp": 771.20})
    print(time.time(), flush=True)
    input()
"""


# Timers of a page that are twenty times as quick, and a clock of the wall that a test sets.
HASTY = """
const [later, now] = [window.setTimeout, Date.now];
window.ahead = 0;
window.setTimeout = (call, milliseconds) => later(call, milliseconds / 20);
Date.now = () => now() + window.ahead;
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:
    return filled(tmp_path_factory.mktemp("live") / "data", migrated)


@pytest.fixture
def strategy(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A strategy that opened a trade, recorded a tick and still runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", STRATEGY],
        env=environment(data_dir),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.communicate("\n", timeout=PATIENCE_SECONDS)


def await_that(browser: Browser, is_so: Callable[[], bool], words: str) -> None:
    wait = WebDriverWait(browser.driver, PATIENCE_SECONDS, 0.05, [StaleElementReferenceException])
    wait.until(lambda _: is_so(), words)


def state(browser: Browser) -> str:
    return str(browser.driver.execute_script("return document.getElementById('live').dataset.state"))


@contextmanager
def stream(browser: Browser) -> Iterator[Iterator[bytes]]:
    """Follow the events of the overview as the viewer who is logged in in the browser; yield their lines."""
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in browser.driver.get_cookies())
    request = urllib.request.Request(f"{browser.address}/events/", headers={"Cookie": cookies})
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield answer


def _log_out_everybody(data_dir: Path) -> None:
    manage(
        data_dir,
        "shell",
        "--command",
        "from django.contrib.sessions.models import Session as S; S.objects.all().delete()",
    )


def test_the_overview_follows_the_desk_and_says_when_it_cannot(
    data_dir: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    first = ExitStack()
    address = first.enter_context(server(data_dir))
    with first, chromium(tmp_path / "profile", address) as browser:
        browser.show(LAPTOP)
        browser.log_in("viewer", page_desk.PASSWORD)
        browser.open("/")
        await_that(browser, lambda: state(browser) == "live", "it is live")
        browser.driver.execute_script("window.isTheSame = true")
        with stream(browser) as lines:
            next(line for line in lines if line == b"event: picture\n")
            strategy = request.getfixturevalue("strategy")
            booked_at = float(strategy.stdout.readline())
            event = next(line for line in lines if b"771.20" in line)
            delay_seconds = time.time() - booked_at
        assert json.loads(event.removeprefix(b"data: "))["sections"]["live-positions"].count("M&amp;M") == 1
        assert delay_seconds < DELAY_SECONDS_MAX
        await_that(browser, lambda: "₹771.20" in browser.text("#live-positions"), "the trade and its price show")
        assert "+1.12 R" in browser.text("#live-positions")
        assert "+21.20 away" in browser.text("#live-positions")
        assert browser.complaints() == []
        first.close()
        await_that(browser, lambda: state(browser) == "lost", "it is told that nothing comes")
        assert "Not live, reconnecting. Figures of" in browser.text("#live")
        with server(data_dir, port=urlsplit(address).port):
            await_that(browser, lambda: state(browser) == "live", "it comes back by itself")
            assert browser.driver.execute_script("return window.isTheSame"), "and was never loaded again"
            _log_out_everybody(data_dir)
            await_that(browser, lambda: state(browser) == "ended", "the stream of a login that ended is cut off")
            assert "Not live: log in again." in browser.text("#live")
            browser.driver.execute_script("document.getElementById('live').dataset.state = 'somebody looks again'")
            browser.driver.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
            await_that(browser, lambda: state(browser) == "ended", "and looking again says the same")
            browser.open("/trades/")  # no stream is left that the server would have to wait for


def looked_at(browser: Browser, *, is_hidden: bool) -> None:
    """Have the page be behind another one, or in front again."""
    value = str(is_hidden).lower()
    browser.driver.execute_script(
        f"Object.defineProperty(document, 'hidden', {{value: {value}, configurable: true}});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )


def test_nothing_is_called_live_that_may_be_old_while_the_server_hangs(data_dir: Path, tmp_path: Path) -> None:
    """A laptop that slept, a page that was behind others, a proxy whose server is away and then does not answer."""
    with (
        server(data_dir) as address,
        closing(Wire(urlsplit(address).port or 0)) as wire,
        chromium(tmp_path / "profile", f"http://127.0.0.1:{wire.port}") as browser,
    ):
        browser.log_in("viewer", page_desk.PASSWORD)
        browser.open("/")
        await_that(browser, lambda: state(browser) == "live", "it is live")
        browser.driver.execute_script(HASTY)
        wire.is_hung = True
        looked_at(browser, is_hidden=True)
        looked_at(browser, is_hidden=False)
        assert state(browser) == "lost", "nothing came since it was looked at last"
        wire.is_hung = False
        browser.driver.execute_script("window.ahead += 3_600_000")
        await_that(browser, lambda: state(browser) == "live", "it comes back by itself")
        wire.is_hung = True
        browser.driver.execute_script("window.ahead += 3_600_000")
        await_that(browser, lambda: state(browser) == "lost", "an hour is over by the clock, whatever timers say")
        wire.is_hung = False
        browser.driver.execute_script("window.ahead += 3_600_000")
        await_that(browser, lambda: state(browser) == "live", "it comes back by itself")
        wire.refusals, wire.is_hung = 1, True
        wire.cut()
        await_that(browser, lambda: wire.refusals == 0, "its next attempt is refused")
        wire.is_hung = False  # what hung goes on hanging: nobody carries it, and nobody cuts it
        await_that(browser, lambda: state(browser) == "live", "it asks anew, and comes back")
        browser.open("/trades/")
