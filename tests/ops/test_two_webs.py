"""Two webs behind HAProxy, on PostgreSQL and Redis: one is killed, and every page is answered by the other."""

from __future__ import annotations

import csv
import http.client
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.browser import environment
from tests.page_desk import PASSWORD
from tests.redis_server import redis_server
from tests.waiting import PATIENCE_SECONDS, until
from tests.with_postgres import free_port, postgres_programs
from tests.with_postgres import server as postgres
from trading.live.channel import BEAT_SECONDS

ROOT = Path(__file__).parents[2]
PAGES = int(os.environ.get("VELOX_TWO_WEBS_PAGES", "40"))
ASKING = 4  # at once
ADDRESSES = ("/", "/trades/", "/calendar/", "/strategies/", "/alerts/")
FILL = """
from velox_site.desk import DataManager
from tests import page_desk
page_desk.trades(3)
page_desk.member("asha", password=page_desk.PASSWORD)
print(page_desk.token("feed", "record"))
"""


@dataclass
class Webs:
    """The proxy's address and the socket where it tells its state, what the webs are started with, and the processes
    by name."""

    port: int
    told: Path
    trust: ssl.SSLContext
    environments: dict[str, dict[str, str]]
    ports: dict[str, int]
    token: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    cookies: str = ""

    def start(self, name: str) -> None:
        command = [sys.executable, "-m", "velox_site.serve", "--host", "127.0.0.1", "--port", str(self.ports[name])]
        self.processes[name] = subprocess.Popen(
            command, cwd=ROOT, env=self.environments[name], stdout=subprocess.DEVNULL, start_new_session=True
        )

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    def is_well(self, name: str) -> bool:
        """Tell whether a web answers, and the proxy has seen so: one that it has not is asked for nothing."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=PATIENCE_SECONDS)
        with closing(connection), suppress(OSError):
            connection.request("GET", "/health/", headers={"Host": "localhost"})
            return connection.getresponse().status == 200 and self.seen(name)["status"] == "UP"
        return False

    def seen(self, name: str) -> dict[str, str]:
        """Return what the proxy holds of a web, by the names of its columns: `status`, and `scur` connections."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.told))
            asking.sendall(b"show stat\n")
            rows = csv.DictReader(asking.makefile(encoding="ascii"))
            return next(row for row in rows if (row["# pxname"], row["svname"]) == ("webs", name))

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        """Ask through the proxy, over a connection of its own. Raises: IncompleteRead for a page that is cut."""
        response = self.open(method, path, body, **headers)
        with response:
            return response, response.read()

    def open(self, method: str, path: str, body: str = "", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS, context=self.trust)
        try:
            connection.request(method, path, body or None, {"Cookie": self.cookies, "Connection": "close", **headers})
            return connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def log_in(self) -> None:
        response, page = self.ask("GET", "/login/")
        [form_token] = re.findall(rb'name="csrfmiddlewaretoken" value="(\w+)"', page)[:1]
        self.keep(response)
        body = {"username": "asha", "password": PASSWORD, "csrfmiddlewaretoken": form_token.decode()}
        kind, place = "application/x-www-form-urlencoded", f"https://127.0.0.1:{self.port}/login/"
        response, page = self.ask("POST", "/login/", urlencode(body), **{"Content-Type": kind, "Referer": place})
        assert response.status == 302, page[-2000:]
        self.keep(response)

    def keep(self, response: http.client.HTTPResponse) -> None:
        jar = SimpleCookie(self.cookies)
        for text in response.headers.get_all("Set-Cookie", []):
            jar.load(text)
        self.cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())


def certificate(folder: Path) -> Path:
    """Write a certificate of 127.0.0.1 and its key as HAProxy takes them."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "desk")])
    own = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    signed = made.add_extension(own, critical=False).sign(key, hashes.SHA256())
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / "desk.pem"
    path.write_bytes(signed.public_bytes(pem) + key.private_bytes(pem, form, serialization.NoEncryption()))
    return path


def configured(folder: Path, pem: Path, told: Path, port: int, ports: dict[str, int]) -> Path:
    """Write ops/haproxy.cfg with the addresses of this test, and the socket where the proxy tells its state."""
    text = (ROOT / "ops" / "haproxy.cfg").read_text()
    changes = {"global\n    maxconn": f"global\n    stats socket {told}\n    maxconn", "bind :80\n": ""}
    changes |= {"bind :443 ssl crt /etc/haproxy/desk.pem": f"bind 127.0.0.1:{port} ssl crt {pem}"}
    for place, name in (("10.0.0.11", "web1"), ("10.0.0.12", "web2"), ("10.0.0.10", "recorder")):
        changes[f"{place}:8000"] = f"127.0.0.1:{ports[name]}"
    for stated, here in changes.items():
        assert text.count(stated) == 1, stated
        text = text.replace(stated, here)
    path = folder / "haproxy.cfg"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def webs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webs]:
    """Two webs without a data folder of the recorder's, behind a running HAProxy; the recorder is away."""
    programs, haproxy = postgres_programs(), shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
    if programs is None or haproxy is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs postgresql and haproxy: make servers")
    folder, port = tmp_path_factory.mktemp("webs"), free_port()
    ports = {name: free_port() for name in ("web1", "web2", "recorder")}
    with ExitStack() as stack:
        url, redis = stack.enter_context(postgres(programs)), stack.enter_context(redis_server(folder)).url
        shared = {
            "DATABASE_URL": url, "CACHE_URL": redis, "SECRET_KEY": secrets.token_urlsafe(40),
            "VELOX_SITE_URL": f"https://127.0.0.1:{port}", "VELOX_TRUSTED_PROXIES": "127.0.0.1",
        }  # fmt: skip
        recorder = environment(folder / "recorder", **shared)
        run = {"cwd": ROOT, "env": recorder, "check": True, "capture_output": True, "timeout": PATIENCE_SECONDS}
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], **run)
        token = subprocess.run([sys.executable, "-c", FILL], **run).stdout.decode().strip()
        environments = {}
        for name in ("web1", "web2"):
            (folder / name).mkdir(mode=0o700)
            shutil.copy(folder / "recorder" / "journal.key", folder / name)
            environments[name] = environment(folder / name, VELOX_RECORDER_ELSEWHERE="on", **shared)
        pem = certificate(folder)
        told = Path(stack.enter_context(TemporaryDirectory())) / "haproxy"  # as short as a socket's name has to be
        desk = Webs(port, told, ssl.create_default_context(cafile=str(pem)), environments, ports, token)
        for name in environments:
            desk.start(name)
            stack.callback(lambda name=name: desk.kill(name))
        command = [haproxy, "-db", "-f", str(configured(folder, pem, told, port, ports))]
        proxy = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(proxy.wait)
        stack.callback(proxy.send_signal, signal.SIGKILL)
        until(lambda: all(map(desk.is_well, environments)), pause_seconds=0.2)
        until(lambda: _is_served(desk), pause_seconds=0.2)
        desk.log_in()
        yield desk


def _is_served(desk: Webs) -> bool:
    try:
        return desk.ask("GET", "/login/")[0].status == 200
    except OSError:
        return False


def whole(desk: Webs, number: int) -> str:
    """Ask for a page; return what became of it."""
    try:
        response, page = desk.ask("GET", ADDRESSES[number % len(ADDRESSES)])
    except http.client.IncompleteRead:
        return "cut"
    return "answered" if response.status == 200 and b"asha" in page else f"{response.status} {page[:200]!r}"


def test_every_page_is_answered_while_a_web_is_killed(webs: Webs) -> None:
    outcomes: list[str] = []
    numbers = iter(range(PAGES))
    lock = threading.Lock()

    def ask() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            outcomes.append(whole(webs, number))

    threads = [threading.Thread(target=ask) for _ in range(ASKING)]
    for thread in threads:
        thread.start()
    until(lambda: len(outcomes) >= PAGES // 4)
    webs.kill("web1")
    for thread in threads:
        thread.join()
    assert len(outcomes) == PAGES
    assert set(outcomes) <= {"answered", "cut"}, outcomes
    assert outcomes.count("cut") <= 1, "of what has sent its first byte nothing can be asked again"
    webs.start("web1")
    until(lambda: webs.is_well("web1"), pause_seconds=0.2)


def first_picture(response: http.client.HTTPResponse) -> str:
    """Return the data of the first picture of a live page's stream."""
    for line in iter(response.readline, b""):
        if line.startswith(b"event: picture"):
            return response.readline().decode()
    raise ConnectionError("cut")


def test_a_live_page_goes_on_at_the_other_web(webs: Webs) -> None:
    streams = [webs.open("GET", "/events/") for _ in range(4)]
    for stream in streams:
        assert stream.status == 200 and first_picture(stream)
    name = next(name for name in webs.environments if webs.seen(name)["scur"] != "0")
    webs.kill(name)
    killed_at = time.monotonic()
    cut = [stream for stream in streams if _ends(stream, killed_at)]
    assert cut
    until(lambda: webs.ask("GET", "/")[0].status == 200)
    for _ in cut:  # as a browser does, which connects again
        assert first_picture(webs.open("GET", "/events/"))
    print(f"live pages resumed {time.monotonic() - killed_at:.2f} s after the kill")
    webs.start(name)
    until(lambda: webs.is_well(name), pause_seconds=0.2)
    for stream in streams:
        stream.close()


def _ends(stream: http.client.HTTPResponse, killed_at: float) -> bool:
    """Tell whether a stream is cut: one that lives has another beat, long after all that had come before the kill."""
    try:
        for _ in iter(stream.readline, b""):
            if time.monotonic() - killed_at > BEAT_SECONDS:
                return False
    except (http.client.HTTPException, OSError):
        pass
    return True


def test_points_are_left_to_the_recorder(webs: Webs) -> None:
    headers = {"Authorization": f"Bearer {webs.token}", "Content-Type": "application/json"}
    response, page = webs.ask("POST", "/api/v1/ticks?stream=s&sequence=1", "[]", **headers)
    assert response.status == 503 and b"held_by_recorder" not in page  # the proxy's own: the recorder is away
    for name in ("web1", "web2"):
        folder = Path(webs.environments[name]["VELOX_DATA_DIR"])
        assert not list(folder.rglob("*.seg")) and not (folder / "companion.lock").exists()
