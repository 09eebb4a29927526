"""A commit that a standby must have: in time, or said to be missing; the same call again answers once it is there."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.companions import ended_afterwards
from tests.standby import Pair, standby_pair
from tests.stopped import stopped
from tests.trading.asked_desk import NINE_THIRTY, AskedDesk, open_one
from tests.waiting import until

ANSWER_SECONDS = 30.0  # against a call that hangs, on any machine
DATABASE = "velox"
STOP = ("T1", "ema cross", "RELIANCE", "2440.00", "2460.00", "ATR")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """A pair with an empty ledger, from which each test's is copied."""
    with standby_pair() as pair:
        pair.ask("CREATE DATABASE migrated")
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, env={**os.environ, "DATABASE_URL": pair.url_of("migrated")}, check=True)
        yield pair


@pytest.fixture
def env(pair: Pair, data_dir: Path) -> Iterator[dict[str, str]]:
    """An empty ledger on the pair, in a database of the test's own."""
    pair.ask(f'CREATE DATABASE "{DATABASE}" TEMPLATE migrated STRATEGY FILE_COPY')
    with ended_afterwards():
        yield {**os.environ, "VELOX_DATA_DIR": str(data_dir), "DATABASE_URL": pair.url_of(DATABASE)}
    pair.ask(f'DROP DATABASE "{DATABASE}" WITH (FORCE)')


def open_until_confirmed(desk: AskedDesk, trade_id: str = "T1") -> None:
    """Open it again and again, as the error says: a standby that is back has to catch up first."""
    until(lambda: "answer" in open_one(desk, trade_id))


def rows(pair: Pair, table: str) -> int:
    (count,) = pair.ask(f"SELECT count(*) FROM trading_{table}", DATABASE)[0]
    assert isinstance(count, int)
    return count


def test_a_standby_that_takes_nothing_leaves_a_call_unconfirmed_until_it_does(pair: Pair, env: dict[str, str]) -> None:
    with AskedDesk(env) as desk:
        with pair.frozen():
            first, again = open_one(desk), open_one(desk)
            stop = desk.ask("update_trailing_sl", *STOP, at=NINE_THIRTY + 60_000_000_000)
        open_until_confirmed(desk)
        moved = desk.ask("update_trailing_sl", *STOP, at=NINE_THIRTY + 60_000_000_000)
    assert [first.get("code"), again.get("code")] == ["ledger_unconfirmed"] * 2
    assert "the same call again adds nothing" in first["error"]
    assert max(first["seconds"], again["seconds"], stop["seconds"]) < ANSWER_SECONDS
    assert stop["answer"] is False
    assert moved["answer"] is True
    assert rows(pair, "trade") == rows(pair, "stopchange") == 1


def test_a_standby_that_is_gone_leaves_it_unconfirmed_until_nobody_must_have_it(
    pair: Pair, env: dict[str, str]
) -> None:
    with AskedDesk(env) as desk:
        open_until_confirmed(desk)
        pair.kill()
        try:
            gone = open_one(desk, "T2")
            pair.ask("ALTER SYSTEM SET synchronous_standby_names = ''")
            pair.ask("SELECT pg_reload_conf()")
            open_until_confirmed(desk, "T2")
        finally:
            pair.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
            pair.ask("SELECT pg_reload_conf()")
            pair.start()
    assert gone["code"] == "ledger_unconfirmed"
    assert gone["seconds"] < ANSWER_SECONDS
    assert rows(pair, "trade") == 2


def test_the_head_of_a_commit_is_told_outside_once_a_commit_behind_it_is_confirmed(
    pair: Pair, env: dict[str, str]
) -> None:
    """Where the old primary is lost such a head would stay a finding of every later proof."""

    def told() -> list[int]:
        files = Path(env["VELOX_DATA_DIR"]).glob("heads/*/account-main")
        return [int(file.read_text().split()[0]) for file in files]

    with AskedDesk(env) as desk:
        with pair.frozen():
            assert open_one(desk)["code"] == "ledger_unconfirmed"
        untold = told()
        open_until_confirmed(desk)
        open_until_confirmed(desk, "T2")
    journal = rows(pair, "journal")
    log = "".join(file.read_text() for file in (Path(env["VELOX_DATA_DIR"]) / "logs").glob("velox-*.jsonl"))
    assert (untold, told(), log.count('"head"')) == ([], [journal], 1)


def test_with_an_intake_an_unconfirmed_fact_waits_and_is_posted_once(pair: Pair, env: dict[str, str]) -> None:
    def post() -> dict[str, Any]:
        command = [sys.executable, "manage.py", "intake", "--post", "--format", "json"]
        states: dict[str, Any] = json.loads(
            subprocess.run(command, env=env, stdout=subprocess.PIPE, check=False).stdout
        )
        return states

    with AskedDesk(env, ledger_intake=True) as desk, pair.frozen():
        assert open_one(desk)["answer"]["sequence"] == 1
        assert post()["waiting"] == 1
        assert rows(pair, "trade") == 1  # written, and not told as posted: the standby has it not
    until(lambda: post()["posted"] == 1)
    assert rows(pair, "trade") == rows(pair, "fill") == 1


@contextmanager
def served(env: dict[str, str]) -> Iterator[Callable[..., tuple[int, dict[str, str], Any]]]:
    """Serve the HTTP interface; yield how to post to it under a key."""
    command = [sys.executable, "manage.py", "token", "make", "shell", "--scope", "record", "--format", "json"]
    secret = json.loads(subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True).stdout)["secret"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, descriptor = listener.getsockname()[1], listener.fileno()
        serve = [sys.executable, "-m", "uvicorn", "velox_site.asgi:application", "--fd", str(descriptor)]

        def post(key: str, trade_id: str = "T1") -> tuple[int, dict[str, str], Any]:
            body = {"trade_id": trade_id, "strategy_id": "ema cross", "symbol": "RELIANCE", "entry_price": "2450.05",
                    "quantity": "10", "entry_time": "2024-03-15T04:00:00Z"}  # fmt: skip
            headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "Idempotency-Key": key}
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2 * ANSWER_SECONDS)
            try:
                connection.request("POST", "/api/v1/positions", json.dumps(body), headers)
                response = connection.getresponse()
                return response.status, dict(response.getheaders()), json.loads(response.read())
            finally:
                connection.close()

        quiet = {"--lifespan": "off", "--log-level": "error"}
        server = subprocess.Popen([*serve, *(word for pair in quiet.items() for word in pair)], env=env,
                                  pass_fds=[descriptor])  # fmt: skip
        try:
            yield post
        finally:
            server.kill()
            server.wait()


def test_over_http_it_is_told_by_its_status_and_the_same_key_again_answers_once(
    pair: Pair, env: dict[str, str]
) -> None:
    with served(env) as post:
        assert post("k0", "T0")[0] == 200
        with pair.frozen():
            status, headers, problem = post("k1")
            another = post("k1", "T2")
        until(lambda: post("k1")[0] == 200)
        answer, again = post("k1"), post("k1")
    assert (status, problem["code"]) == (503, "ledger_unconfirmed")
    assert int(headers["Retry-After"]) >= 1
    assert (another[0], another[2]["code"]) == (422, "key_reused")
    assert again[::2] == answer[::2]
    assert again[0] == 200
    assert (again[2]["trade_id"], again[2]["open_quantity"]) == ("T1", "10")
    assert rows(pair, "trade") == rows(pair, "fill") == 2


def test_a_server_that_says_nothing_at_the_commit_leaves_it_unconfirmed(pair: Pair, env: dict[str, str]) -> None:
    """The server's process stops at the commit: the standby keeps it waiting there until we stop it."""
    with AskedDesk(env) as desk:
        open_until_confirmed(desk)
        with pair.frozen():
            desk.send("open_position", "T2", "ema cross", "RELIANCE", "2450.05", 10, entry_time=NINE_THIRTY)
            waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            until(lambda: pair.ask(waiting), pause_seconds=0.001)
            (pid,) = pair.ask(waiting)[0]
            assert isinstance(pid, int)
            with stopped(pid):
                silent = desk.receive()
        open_until_confirmed(desk, "T2")
    assert silent["code"] == "ledger_unconfirmed"
    assert "the server gave no answer" in silent["error"]
    assert silent["seconds"] < ANSWER_SECONDS
    assert rows(pair, "trade") == 2
