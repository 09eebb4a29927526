"""A real server process over a data folder, and a real Chromium that looks at it."""

from __future__ import annotations

import base64
import importlib.resources
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parent.parent
LAPTOP, WIDE, NARROW = (1366, 768), (2560, 1440), (360, 780)
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def programs() -> tuple[str, str]:
    """Return the paths of Chromium and its driver; skip (in CI: fail) where one is missing."""
    found = shutil.which("chromium"), shutil.which("chromedriver")
    if not all(found):
        reason = "needs Chromium: apt-get install chromium chromium-driver"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return str(found[0]), str(found[1])


@cache
def axe() -> str:
    """Return the source of axe-core, which looks for what keeps people out; skip (in CI: fail) where it is missing."""
    if importlib.util.find_spec("selenium_axe_python") is None:
        reason = "needs axe-core: pip install -r requirements-dev.txt"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    source = importlib.resources.files("selenium_axe_python") / "axe-core" / "axe.min.js"
    return source.read_text(encoding="utf-8")


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process that works on this data folder and on no server."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return {**kept, "VELOX_DATA_DIR": str(data_dir), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **more}


def manage(data_dir: Path, *arguments: str, text: str = "") -> str:
    """Run a command of `manage.py` on the folder; return what it printed, raise with its complaint when it fails."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=environment(data_dir),
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def filled(data_dir: Path, migrated: Path | None = None) -> Path:
    """Fill a new data folder with the desk of `tests.page_desk`, in a copy of a migrated ledger where there is one."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if migrated is None:
        manage(data_dir, "migrate", "--verbosity", "0")
    else:
        shutil.copy(migrated, data_dir / "ledger.sqlite3")
        shutil.copy(migrated.with_name("journal.key"), data_dir)
    settings = environment(data_dir, DJANGO_SETTINGS_MODULE="velox_site.settings")
    subprocess.run(
        [sys.executable, "-m", "tests.page_desk"],
        env=settings,
        cwd=ROOT,
        check=True,
        timeout=PATIENCE_SECONDS,
        capture_output=True,
    )
    return data_dir


@contextmanager
def server(data_dir: Path, *, port: int | None = None, **more: str) -> Iterator[str]:
    """Serve the folder with uvicorn, on a free port unless one is named; yield its address. What it wrote to stderr
    must be nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = port or listener.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = ["-m", "uvicorn", "velox_site.asgi:application", "--port", str(port), "--lifespan", "off"]
    # The browser is gone by then: what is still open is a stream that leaks, and is told.
    command += ["--timeout-graceful-shutdown", "60"]
    said = data_dir / "server.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command, "--log-level", "warning"],
            env=environment(data_dir, VELOX_SITE_URL=address, **more),
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _await_answer(f"{address}/health/", process, said)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)


def _await_answer(address: str, process: subprocess.Popen[bytes], said: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, said.read_text()
        try:
            with urllib.request.urlopen(address, timeout=60):
                return
        except urllib.error.HTTPError:
            return  # an answer that is no 200 is an answer
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no answer: {said.read_text()}")


class Browser:
    """Chromium with what the tests ask of it."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver, self.address = driver, address

    def show(self, size: tuple[int, int], *, dark: bool = False) -> None:
        """Look through a window of this inner size, in one of the two colour schemes."""
        width, height = size
        phone = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < LAPTOP[0]}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})

    def open(self, path: str) -> None:
        self.driver.get(self.address + path)

    def log_in(self, username: str, password: str) -> None:
        self.driver.delete_all_cookies()
        self.open("/login/")
        self.fill("username", username)
        self.fill("password", password)
        self.follow("button")
        assert "/login/" not in self.driver.current_url, self.text()

    def fill(self, name: str, text: str) -> None:
        field = self.driver.find_element(By.NAME, name)
        field.clear()
        field.send_keys(text)

    def press(self, selector: str) -> None:
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def follow(self, selector: str, by: str = By.CSS_SELECTOR) -> None:
        """Press what leads to another page and wait until that page stands."""
        self.driver.execute_script("window.isLeft = true")
        self.driver.find_element(by, selector).click()
        # Between two documents Chromium answers with errors of its own.
        wait = WebDriverWait(self.driver, 60, ignored_exceptions=[WebDriverException])
        wait.until(lambda driver: driver.execute_script("return !window.isLeft && document.readyState === 'complete'"))

    def text(self, selector: str = "body") -> str:
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def complaints(self) -> list[str]:
        """Return the errors and warnings that the console holds since the last call."""
        found = [entry for entry in self.driver.get_log("browser") if entry["level"] in {"WARNING", "SEVERE"}]
        return [f"{entry['level']}: {entry['message']}" for entry in found]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(
            self.driver.execute_script(
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )

    def violations(self, *rules: str) -> list[str]:
        """Return what axe-core objects to on the page, of these rules alone where any are named.

        Rows of a table beyond the sixth are taken away first: they are like those before them, and axe is slow.
        """
        self.driver.execute_script(
            "document.querySelectorAll('tbody tr:nth-child(n+7)').forEach((row) => row.remove())"
        )
        self.driver.set_script_timeout(PATIENCE_SECONDS)
        if not self.driver.execute_script("return !!window.axe"):
            self.driver.execute_script(axe())
        options = {"resultTypes": ["violations"], "preload": False} | ({"runOnly": list(rules)} if rules else {})
        # A colour that is still on its way from light to dark is neither.
        run = (
            "const [options, done] = arguments; Promise.allSettled(document.getAnimations().map((one) => one.finished))"
            ".then(() => axe.run(options)).then(done, (error) => done({error: String(error)}))"
        )
        answer = self.driver.execute_async_script(run, options)
        assert "error" not in answer, answer["error"]
        return [
            f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
            for violation in answer["violations"]
            for node in violation["nodes"]
        ]

    def settle(self) -> None:
        """Wait until a chart of the page, where it has one, is drawn or says why it is not, and the page is painted."""
        drawn = "const c = document.getElementById('chart'); return !c || c.hidden || !!c.dataset.drawn"
        WebDriverWait(self.driver, PATIENCE_SECONDS, 0.05).until(lambda driver: driver.execute_script(drawn))
        painted = (
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))"
        )
        self.driver.execute_async_script(painted)

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Write a PNG of the page, of its whole length unless told otherwise."""
        path.parent.mkdir(parents=True, exist_ok=True)
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": whole, "format": "png"})
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def chromium(profile: Path, address: str, *, extra: Sequence[str] = ()) -> Iterator[Browser]:
    """Start Chromium with a profile of its own; it ends with the block."""
    program, driver_program = programs()
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (*ARGUMENTS, f"--user-data-dir={profile}", *extra):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_program))
    driver.set_page_load_timeout(30)
    try:
        yield Browser(driver, address)
    finally:
        driver.quit()
