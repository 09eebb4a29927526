"""A reviewer's evening in a real Chromium: log in, look at the day, find a trade, review it.

On a laptop and on a phone, light and dark; the console stays silent and the page never scrolls sideways.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests import page_desk
from tests.browser import LAPTOP, NARROW, WIDE, Browser, chromium, filled, server
from tests.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PAGES = {
    "/": "Friday, 15 Mar 2024",
    "/trades/": "65 trades",
    "/trades/?result=loss&side=SHORT": "match the filter",
    "/trades/?col=symbol&col=mae&col=flags&tag=trend&sort=-r": "More filters",
    "/trades/new/": "as the journal will say",
    "/trades/3/": "Why: signals",
    "/trades/4/prices/": "What happened",
    "/trades/3/journal/": "open position",
    "/trades/3/log/": "Log of",
    "/strategies/?days=all&strategy=ema_cross": "Deepest drawdown",
    "/calendar/": "March 2024",
    "/days/2024-03-15/": "Friday, 15 Mar 2024",
    "/strategies/1/?days=all": "Weekday and hour of entry",
    "/symbols/?days=all": "BAJAJ-AUTO",
    "/symbols/38/?days=all": "By exit reason",
    "/signals/?followed=15": "What followed, taken or skipped",
    "/?account=replay": "Account replay",
    "/reconcile/?account=replay": "3 open, the oldest first",
    "/trades/65/fill/": "Add a fill to",
    "/trades/65/close/": "Exit price",
    "/lab/": "How often each strategy was tried",
    "/lab/?account=replay": "No run was made",
    "/lab/runs/1/": "which amount to",
    "/lab/runs/1/windows/": "Chosen before, tested after",
    "/lab/runs/1/surface/": "fast by slow",
    "/lab/runs/2/": "How it was made",
    "/lab/runs/3/": "best before",
    "/lab/runs/4/": "Step by step",
    "/lab/models/1/": "What was expected, and what came",
    "/brokers/": "Brokers’ files",
    "/calendar/?account=replay": "Calendar",
    "/limits/": "What was said",
    "/alerts/": "Channels",
    "/api/v1/docs/": "Idempotency-Key",
    "/system/": "Spool by source",
    "/system/proof/": "Proof of the ledger",
    "/system/logs/": "open_position",
    "/admin/": "Trades",
    "/admin/trading/trade/": "65 results",
    "/admin/trading/trade/?result=win&review=to_review": "Trades",
    "/admin/trading/trade/3/change/": "Stop changes",
    "/admin/trading/signal/": "69 results",
    "/admin/trading/instrument/": "RELIANCE",
    "/admin/trading/instrument/add/": "Price tick",
    "/admin/trading/exchangesession/add/": "Exchange session",
    "/admin/trading/journal/": "review_trade",
    "/admin/trading/user/add/": "Username",
    "/admin/trading/strategy/": "opening_range",
    "/password/": "Old password",
    "/nothing/": "Nothing at this address",
}
PRINTED = (
    *("/", "/trades/", "/trades/3/", "/days/2024-03-15/", "/strategies/1/?days=all"),
    *("/admin/trading/trade/", "/admin/trading/trade/3/change/"),
)
FRAME = ".top, .filters, .pages, .skip, .button, #user-tools, #toolbar, #changelist-filter, .object-tools, .submit-row"
A4 = (718, 1000)  # the width between its margins
KEYS_MAX = 40  # of a trade by hand: at four a second it takes ten seconds


REFUSED = re.compile("POST '?/trades/new/|GET '?/nothing/|: /(trades/new|nothing)/ ")  # what the tests have refused
CHARTED = "/trades/4/"  # of the symbol whose ticks are recorded


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:
    return filled(tmp_path_factory.mktemp("desk") / "data folder", migrated)


@pytest.fixture(scope="module")
def window(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with server(data_dir) as address, chromium(tmp_path_factory.mktemp("profile"), address) as browser:
        yield browser
    # A warning is an error, and would stand here.
    assert [line for line in (data_dir / "server.txt").read_text().splitlines() if not REFUSED.search(line)] == []


@pytest.fixture
def asha(window: Browser) -> Browser:
    """The browser with somebody logged in who may do everything."""
    window.show(LAPTOP)
    if not window.driver.get_cookie("velox_session"):
        window.log_in("asha", page_desk.PASSWORD)
    window.complaints()
    return window


def test_a_stranger_is_led_to_the_login_and_from_there_to_the_page(window: Browser) -> None:
    window.show(LAPTOP)
    window.driver.delete_all_cookies()
    window.open("/trades/?side=LONG")
    assert window.text("h1") == "Log in"
    for size in (WIDE, NARROW, LAPTOP):
        window.show(size)
        assert window.overflow() <= 0
    window.fill("username", "asha")
    window.fill("password", page_desk.PASSWORD)
    window.follow("button")
    assert window.driver.current_url.endswith("/trades/?side=LONG")
    assert window.text("h1") == "Trades"
    assert window.complaints() == []


def test_every_page_fits_keeps_nobody_out_and_nothing_complains(asha: Browser) -> None:
    """Each page is loaded once and looked at through three windows; axe looks through the narrowest, light and dark."""
    faults = []
    for address, words in PAGES.items():
        asha.show(LAPTOP)
        asha.open(address)
        # By the browser itself: the driver looks at each element's style, which takes seconds where there are many.
        assert words in asha.driver.execute_script("return document.body.innerText"), address
        assert not is_dark(asha), address
        for size in (LAPTOP, WIDE, NARROW):
            asha.show(size)
            if asha.overflow() > 0:
                faults.append(f"{address} is {asha.overflow()} px too wide at {size[0]}")
        faults += [f"{address} {line}" for line in asha.complaints() if "404 (Not Found)" not in line]
        faults += [f"{address} {violation}" for violation in asha.violations()]
        asha.show(NARROW, dark=True)
        assert is_dark(asha), address
        faults += [f"{address} in the dark {violation}" for violation in asha.violations("color-contrast")]
        asha.complaints()  # of what axe tried: our policy refuses it styles
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("address", ["/trades/3/", "/trades/3/log/", "/days/2024-03-15/", "/strategies/1/?days=all"])
def test_a_long_id_goes_on_in_the_next_line(address: str, asha: Browser) -> None:
    """An id may have 128 bytes, a symbol 64, and neither has a space."""
    asha.show(NARROW)
    asha.open(address)
    asha.driver.execute_script(
        "document.querySelectorAll('main :is(h1, p, dd, .tile .exact, .parts .symbol)')"
        ".forEach((text) => text.append('W'.repeat(64)))"
    )
    assert asha.overflow() <= 0


def test_axe_objects_to_what_keeps_people_out(asha: Browser) -> None:
    asha.open("/system/")
    asha.driver.execute_script(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<input name=nameless>')"
    )
    assert [words.split(":")[0] for words in asha.violations("label")] == ["label"]


def test_a_review_is_edited_and_stored_with_its_user(window: Browser, data_dir: Path) -> None:
    window.show(LAPTOP)
    window.log_in("reviewer", page_desk.PASSWORD)
    window.open("/trades/?symbol=M%26M")
    window.follow("tbody .symbol")
    Select(window.driver.find_element(By.NAME, "rating")).select_by_value("5")
    window.fill("tags", "patience, by the plan")
    window.fill("notes", "Waited for the second touch; ₹12 better.")
    pk = window.driver.current_url.split("?")[0].split("/")[-2]
    window.follow(".review button")
    for said in ("★★★★★", "patience, by the plan", "Waited for the second touch; ₹12 better.", "reviewer"):
        assert said in window.text("#review"), said
    assert window.complaints() == []
    assert stored(data_dir, pk) == [(5, "DONE", "reviewer")]
    window.driver.delete_all_cookies()


def test_ten_trades_are_reviewed_without_a_mouse(window: Browser, data_dir: Path) -> None:
    window.show(LAPTOP)
    window.log_in("operator", page_desk.PASSWORD)
    window.open("/trades/?review=to_review&strategy=opening_range")
    press(window, "j")
    at, pks = window.driver.current_url, []
    press(window, Keys.ENTER)
    for _ in range(10):
        at = await_another(window, at)
        pks.append(at.split("?")[0].split("/")[-2])
        press(window, "r")
        assert window.driver.switch_to.active_element.get_attribute("name") == "rating"
        press(window, "4")
        ActionChains(window.driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    await_another(window, at)
    assert len(set(pks)) == 10
    assert [stored(data_dir, pk) for pk in pks] == [[(4, "DONE", "operator")]] * 10
    assert window.complaints() == []
    window.driver.delete_all_cookies()


def test_the_overview_is_a_plain_page_without_scripts(asha: Browser) -> None:
    asha.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        asha.open("/")
        for words in ("Account main", "Realised P&L", "Open positions", "Latest trades", "Latest signals"):
            assert words in asha.text("main"), words
        asha.driver.find_element(By.CSS_SELECTOR, ".menu summary").click()  # menus open without a script
        assert "replay" in asha.text(".menu[open]")
    finally:
        asha.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_printed_page_is_the_page_without_its_frame_and_with_what_is_folded(asha: Browser) -> None:
    asha.show(A4)
    asha.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        for address in PRINTED:
            asha.open(address)
            shown = "return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility()).length"
            assert asha.driver.execute_script(shown, FRAME) == 0, address
            folded = "main details:not([open]) > :not(summary)"
            hidden = (
                "return [...document.querySelectorAll(arguments[0])].filter((e) => !e.closest('.top, .filters, .review,"
                " .no-print') && !e.checkVisibility({contentVisibilityAuto: true})).length"
            )
            assert asha.driver.execute_script(hidden, folded) == 0, address
            assert asha.overflow() <= 0, f"{address} is {asha.overflow()} px too wide for A4"
    finally:
        asha.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_trades_chart_is_drawn_at_the_scale_that_is_asked_for(asha: Browser, dark: bool) -> None:
    asha.show(LAPTOP, dark=dark)
    asha.open(CHARTED)
    drawn = await_chart(asha, "5s")
    assert 200 < drawn <= 400
    asha.press("[data-scale='1m']")
    assert await_chart(asha, "1m") < drawn
    assert "UTC+05:30" in asha.text("#chart-note")
    assert "TradingView" in asha.text("footer")
    asha.show((360, 780), dark=dark)
    asha.open(CHARTED)
    await_chart(asha, "5s")
    assert asha.overflow() <= 0
    assert asha.complaints() == []


def test_a_list_in_the_admin_is_filtered_by_a_click(asha: Browser) -> None:
    asha.open("/admin/trading/trade/")
    asha.follow("Short", By.LINK_TEXT)
    sides = {cell.text for cell in asha.driver.find_elements(By.CSS_SELECTOR, "#result_list .field-side")}
    assert sides == {"Short"}
    assert asha.complaints() == []


def test_figures_stand_right_and_have_digits_of_one_width(asha: Browser) -> None:
    asha.open("/trades/")
    cells = asha.driver.find_elements(By.CSS_SELECTOR, "td.figure:nth-child(2)")
    assert len(cells) > 10
    assert {cell.value_of_css_property("text-align") for cell in cells} == {"right"}
    assert {cell.value_of_css_property("font-variant-numeric") for cell in cells} == {"tabular-nums"}
    gain, loss = (asha.driver.find_element(By.CSS_SELECTOR, f"td .{tone}") for tone in ("gain", "loss"))
    assert gain.text.startswith("+₹")
    assert loss.text.startswith("−₹")
    assert gain.value_of_css_property("color") != loss.value_of_css_property("color")


def test_the_keyboard_reaches_everything_and_shows_where_it_is(asha: Browser) -> None:
    asha.open("/")
    page = asha.driver.switch_to
    page.active_element.send_keys(Keys.TAB)
    assert page.active_element.text == "Skip to the content"
    assert page.active_element.value_of_css_property("outline-style") == "solid"
    page.active_element.send_keys(Keys.ENTER)
    assert page.active_element.get_attribute("id") == "content"
    asha.open("/")
    reached, focused = set(), "return document.activeElement.innerText || document.activeElement.name"
    for _ in range(40):
        # By no element of the page: a live section may be drawn anew between two steps, and keeps the focus.
        ActionChains(asha.driver).send_keys(Keys.TAB).perform()
        reached.add((asha.driver.execute_script(focused) or "").strip())
    assert {"Overview", "Trades", "Strategies", "Admin", "day", "Show", "All trades"} <= reached


def test_the_account_is_switched_from_the_menu(asha: Browser) -> None:
    asha.open("/trades/")
    asha.press(".menu summary")
    asha.follow("replay", By.PARTIAL_LINK_TEXT)
    assert "Account replay · 4 trades" in asha.text()
    assert asha.driver.current_url.endswith("/trades/?account=replay")


def test_logging_out_ends_it(asha: Browser) -> None:
    asha.open("/")
    asha.press(".menu:last-of-type summary")
    asha.follow("//button[text()='Log out']", By.XPATH)
    assert asha.text("h1") == "Log in"
    asha.open("/trades/")
    assert asha.text("h1") == "Log in"
    asha.driver.delete_all_cookies()


def test_the_keys_lead_through_a_list_and_a_trade_is_entered_by_them_alone(asha: Browser, data_dir: Path) -> None:
    """The slip, a symbol of which nothing is known yet, is seen before anything is booked."""
    asha.open("/trades/")
    first, second = (row.text for row in asha.driver.find_elements(By.CSS_SELECTOR, "tbody a.symbol")[:2])
    focus = asha.driver.switch_to
    for key, row in (("j", first), ("j", second), ("k", first)):
        press(asha, key)
        assert focus.active_element.text == row
    press(asha, "?")
    assert "enter a new trade" in asha.text("dialog[open]")
    press(asha, Keys.ESCAPE)
    assert not asha.driver.find_elements(By.CSS_SELECTOR, "dialog[open]")
    press(asha, "/")
    press(asha, "n")  # typed, for a field has the focus
    assert (focus.active_element.get_attribute("name"), focus.active_element.get_attribute("value")) == ("symbol", "n")
    press(asha, Keys.ESCAPE)
    assert focus.active_element.tag_name == "body"
    at = asha.driver.current_url
    press(asha, "n")
    assert await_another(asha, at).endswith("/trades/new/")
    entry = [*"TATASTEEL", Keys.TAB, "l", Keys.TAB, *"25", Keys.TAB, *"143.55", Keys.TAB, Keys.TAB, *"142", Keys.ENTER]
    press(asha, *entry)
    warned = "would be made new"
    WebDriverWait(asha.driver, PATIENCE_SECONDS, 0.05, [WebDriverException]).until(
        lambda _: warned in asha.text("main")
    )
    assert entered(data_dir) == []
    assert focus.active_element.text == "Book it all the same"
    at = asha.driver.current_url
    press(asha, Keys.ENTER)
    assert "/trades/" in await_another(asha, at)
    assert "TATASTEEL" in asha.text("h1")
    assert entered(data_dir) == [("LONG", 25 * 10**8, "asha")]
    assert len(["n", *entry, Keys.ENTER]) <= KEYS_MAX
    assert [line for line in asha.complaints() if "400 (Bad Request)" not in line] == []


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser.driver).send_keys(*keys).perform()


def await_another(browser: Browser, address: str) -> str:
    """Wait until another page than that of this address stands; return its address."""
    wait = WebDriverWait(browser.driver, PATIENCE_SECONDS, 0.05, [WebDriverException])
    wait.until(lambda driver: driver.current_url != address)
    wait.until(lambda driver: driver.execute_script("return document.readyState") == "complete")
    return str(browser.driver.current_url)


def entered(data_dir: Path) -> list[tuple[str, str, str]]:
    """Return side, quantity and author of each trade in TATASTEEL."""
    query = (
        "SELECT t.side, t.open_quantity, j.recorded_by FROM trading_trade t JOIN trading_instrument i"
        " ON i.id = t.instrument_id JOIN trading_journal j ON j.operation = 'open_position'"
        " AND json_extract(j.body, '$.trade.pk') = t.id WHERE i.symbol = 'TATASTEEL'"
    )
    with sqlite3.connect(data_dir / "ledger.sqlite3") as ledger:
        return ledger.execute(query).fetchall()


def await_chart(browser: Browser, scale: str) -> int:
    """Wait until the chart is drawn by candles of this scale; return how many."""
    drawn = f"#chart[data-drawn='{scale}']"
    WebDriverWait(browser.driver, 60).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, drawn))
    return int(browser.driver.find_element(By.CSS_SELECTOR, drawn).get_attribute("data-candles"))


def is_dark(browser: Browser) -> bool:
    colour = browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    red, green, blue = (int(part) for part in colour.strip("rgba()").split(",")[:3])
    return red + green + blue < 150


def stored(data_dir: Path, pk: str) -> list[tuple[int, str, str]]:
    query = (
        "SELECT rating, state, username FROM trading_review r JOIN trading_user u ON u.id = r.reviewed_by_id"
        " WHERE r.trade_id = ?"
    )
    with sqlite3.connect(data_dir / "ledger.sqlite3") as ledger:
        return ledger.execute(query, [pk]).fetchall()
