"""Run VELOX in the foreground: migrate, start the companion, serve the pages, end all of it together.

``python -m velox_site.serve [--demo] [--port N] [--host H]``: behind `make run` (the demo) and `make serve` (the desk).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

import uvicorn
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from timeseries.spool import lease
from trading import summon
from trading.live.channel import channels
from velox_site.environment import Environment, read_dotenv

if TYPE_CHECKING:
    from uvicorn.server import Protocols

BASE_DIR = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, "-m", "velox_site"]
# Where the real desk keeps something, and who is told of it: a demo is a desk of its own.
OF_THE_REAL_DESK = (
    "DATABASE_URL",
    "DATABASE_REPLICA_URL",
    "CACHE_URL",
    "CELERY_BROKER_URL",
    "INFLUXDB_V2_URL",
    "VELOX_ARCHIVE_URL",
    "VELOX_ALERT_URLS",
    "VELOX_DEADMAN_URL",
    "VELOX_RECORDER_ELSEWHERE",
)
PORT_DEFAULT = 8000
READY_WITHIN_SECONDS = 300.0
WEBSOCKET_BYTES_MAX = 1 << 20  # of one message
REQUEST_SECONDS_MAX = 5  # of a request that is not answered yet when the server ends
THREADS_SECONDS = 10.0  # for what a thread is at when all else has ended, such as an import


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it; return the exit code: 0 ended, 2 could not run, else that of a failed command."""
    # Whoever ends us, from the first moment on, ends us as Ctrl-C does: with all that we started.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        read_dotenv(BASE_DIR)
        return _run(_options(arguments))
    except ImproperlyConfigured as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def _run(options: argparse.Namespace) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")
    try:
        listener = _listen(options.host, options.port)
    except OSError as error:
        print(f"Cannot listen on port {options.port}: {error.strerror}. Choose another: PORT=n", file=sys.stderr)
        return 2
    variables = dict.fromkeys(OF_THE_REAL_DESK, "") if options.demo else {}
    if options.demo:
        variables["VELOX_DATA_DIR"] = str(BASE_DIR / "var" / "demo")
    if options.demo or not Environment().text("VELOX_SITE_URL"):
        variables["VELOX_SITE_URL"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
    os.environ |= variables | {f"{name}_FILE": "" for name in variables}  # each could come as a file, too
    if settings.VELOX_RECORDER_ELSEWHERE:
        return _serve(PageServer(server_config(), watches=False), listener, demo=False)
    code = 0 if options.demo else subprocess.run([*MANAGE, "migrate", "--verbosity", "0"], check=False).returncode
    return code or _with_companion(listener, demo=options.demo)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="velox_site.serve", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="a finished trading day, in var/demo")
    parser.add_argument("--port", type=int, help="default: the site URL's, else 8000, else a free one")
    parser.add_argument("--host", default=None, help="default: loopback; every address where the site URL is https://")
    options = parser.parse_args(arguments)
    site = urlsplit("" if options.demo else Environment().url("VELOX_SITE_URL", "", schemes=("http", "https")))
    is_plain = site.scheme != "https"
    options.port = options.port or (site.port if is_plain else None)
    options.host = options.host or ("127.0.0.1" if is_plain else "0.0.0.0")  # noqa: S104  (TLS ends in front of us)
    return options


def _listen(host: str, port: int | None) -> socket.socket:
    """Return a bound socket, so that nobody takes the port before the server has it."""
    if port is None:
        try:
            return _listen(host, PORT_DEFAULT)
        except OSError:
            return _listen(host, 0)  # a copy runs beside this one
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # or another could bind it, too, and the later of the two would find out when it serves
    except OSError:
        listener.close()
        raise
    return listener


def _with_companion(listener: socket.socket, *, demo: bool) -> int:
    # Before anything is recorded: a recorder that finds none starts one of its own, which would outlive us. It is in a
    # session of its own: Ctrl-C reaches us alone, and we end it after the pages. Where we are killed and cannot, it
    # finds that out, and ends as any companion does: once nobody records.
    with ExitStack() as making:
        if demo:
            making.enter_context(_unwatched())
        companion = subprocess.Popen(
            [*MANAGE, "ship", "--watch", "--stay-with", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            server = PageServer(server_config())
            code = _filled(server) if demo else 0
            making.close()
            return code or _serve(server, listener, demo=demo)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # a second one would leave it behind
            companion.terminate()
            try:
                companion.wait(timeout=10)
            except subprocess.TimeoutExpired:
                companion.kill()  # nothing is lost: what it had in hand is in the spool
                companion.wait()


@contextmanager
def _unwatched() -> Iterator[None]:
    """Let nobody judge the demo while it is made: no ledger yet, and one that is written for a minute, are no faults.

    As the lease of who watches, held by this process: once it is killed, whoever is there watches.
    """
    folder = Path(settings.DATA_DIR) / summon.WATCH_FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as held:
        with suppress(lease.LeaseHeld):  # this demo is served already, and watched
            held.enter_context(lease.hold(folder, owner="demo"))
        yield


def server_config() -> uvicorn.Config:
    """Return uvicorn's configuration of the pages.

    A request's address is its connection's: anybody could write a header that names another, so it is believed only
    from the proxies that VELOX_TRUSTED_PROXIES names, or uvicorn's own variable FORWARDED_ALLOW_IPS.
    """
    proxies = ",".join(settings.VELOX_TRUSTED_PROXIES) or os.environ.get("FORWARDED_ALLOW_IPS")
    return uvicorn.Config(
        "velox_site.asgi:application",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=WEBSOCKET_BYTES_MAX,
        timeout_graceful_shutdown=REQUEST_SECONDS_MAX + 1,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
    )


class PageServer(uvicorn.Server):
    """uvicorn's server, which lets the live pages' streams end first: they would never by themselves. Who takes too
    long to send or to read is cut off.

    ``beside`` is what runs beside the pages: the watch over the desk, from when Django is there, and what lets the lab
    look at a demo. A web without the data folder ``watches`` nothing: whoever has the folder does.
    """

    def __init__(self, config: uvicorn.Config, *, watches: bool = True) -> None:
        super().__init__(config)
        self.beside, self.watches = ExitStack(), watches

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.watches:
            self.beside.enter_context(import_string("trading.alerts.watch.watching")("web"))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        channels.end()
        ending = asyncio.create_task(self._end_connections(set(self.server_state.connections)))
        await super().shutdown(sockets)
        ending.cancel()
        self._cut_off()  # nothing is left but after a second Ctrl-C, which waits for nobody
        await asyncio.sleep(0)  # at the loop's next turn they are

    async def _end_connections(self, informed: set[Protocols]) -> None:
        """Tell connections of the end that came when the others had been told, and cut off what is left of all."""
        loop, connections = asyncio.get_running_loop(), self.server_state.connections
        cut_at = loop.time() + REQUEST_SECONDS_MAX
        while loop.time() < cut_at:
            await asyncio.sleep(0.1)
            for connection in connections - informed:
                connection.shutdown()
            informed |= connections
        self._cut_off()

    def _cut_off(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _filled(server: PageServer) -> int:
    """Let another process make and fill the demo's folder, and load the pages meanwhile; return its exit code."""
    with subprocess.Popen([*MANAGE, "demo", "--prepare", "--fill"]) as filling:
        try:
            server.config.load()
            return filling.wait()
        except BaseException:  # whoever ends us ends what we started
            filling.kill()
            raise


def _serve(server: PageServer, listener: socket.socket, *, demo: bool) -> int:
    signal.signal(signal.SIGHUP, lambda *_: setattr(server, "should_exit", True))  # the terminal was closed
    threading.Thread(target=_announce, args=(server, listener, demo), daemon=True).start()
    with suppress(KeyboardInterrupt), server.beside:  # uvicorn sends the signal again once it has shut down
        server.run(sockets=[listener])
    gc.unfreeze()  # else libraries of C++ complain at the end that nobody freed them
    return 0 if server.started else 2


@contextmanager
def looking() -> Iterator[None]:
    """Let the lab look at the demo beside the pages; where that is broken off, the next start goes on with it."""
    with subprocess.Popen([*MANAGE, "demo", "--look"]) as process:
        try:
            yield
        finally:
            process.terminate()


def _announce(server: PageServer, listener: socket.socket, demo: bool) -> None:
    """Print the READY line once the health page answers 200; stop the server when it never does."""
    port = listener.getsockname()[1]
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while time.monotonic() < deadline and not server.should_exit:
        if server.started and _is_healthy(port):
            gc.freeze()  # what was loaded stays: a full collection that looks through it makes a page wait
            login = "(the first user: manage.py createsuperuser)"
            if demo:
                user, password = (Path(os.environ["VELOX_DATA_DIR"]) / "login").read_text().split()
                login = f"user={user} password={password}"
            print(f"READY http://127.0.0.1:{port}/ {login}", flush=True)
            if demo and not server.should_exit:
                server.beside.enter_context(looking())
            return
        time.sleep(0.1)
    if not server.should_exit:
        print("Not healthy after five minutes: `manage.py health` names the part and its cure.", file=sys.stderr)
        server.should_exit = True


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def end(code: int) -> NoReturn:
    """End this process; a thread that a dead server keeps waiting for ever keeps it no longer than it may."""
    by_force = threading.Timer(THREADS_SECONDS, os._exit, (code,))
    by_force.daemon = True
    by_force.start()
    sys.exit(code)


if __name__ == "__main__":
    end(main())
