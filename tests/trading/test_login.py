"""The login is throttled for a user name from an address, in all processes together, and never for ever."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from tests import page_desk
from tests.velox_site.test_logs import kept
from trading import login_tries
from trading.models import User
from trading.proof.verify import verify_ledger
from velox_site import logs, serve

pytestmark = pytest.mark.usefixtures("ledger")
MAX = login_tries.TRIES_MAX
SECRET = "a wrong secret"


@pytest.fixture
def asha() -> User:
    return User.objects.create_superuser("asha", password=page_desk.PASSWORD)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock of the tries, which stands until a test sets it on."""
    now = SimpleNamespace(seconds=2_000_000_000.0)
    monkeypatch.setattr(login_tries, "time", SimpleNamespace(time=lambda: now.seconds))
    return now


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The logs are written to this folder."""
    before, logs.sinks.files = logs.sinks.files, []
    logs.sinks.open_in(tmp_path / "logs")
    yield tmp_path / "logs"
    logs.sinks.close()
    logs.sinks.files = before


def attempt(password: str = SECRET, *, name: str = "asha", address: str = "192.0.2.7", **headers: str) -> Any:
    return Client().post(
        "/login/", {"username": name, "password": password}, REMOTE_ADDR=address, headers=headers or None
    )


def is_in(answer: Any) -> bool:
    return bool(answer.status_code == 302 and answer["Location"] == "/")


@pytest.mark.ledger
def test_after_five_tries_even_the_right_password_is_not_looked_at(asha: User, clock: SimpleNamespace) -> None:
    assert [attempt().status_code for _ in range(MAX)] == [200] * MAX
    locked = attempt(page_desk.PASSWORD)
    assert (locked.status_code, locked["Retry-After"]) == (429, "900")
    page = locked.content.decode()
    assert "Nothing more is looked at until" in page
    assert "manage.py unlock" in page
    assert "no-store" in locked["Cache-Control"]


def test_a_lock_ends_by_itself_however_often_it_is_tried_meanwhile(asha: User, clock: SimpleNamespace) -> None:
    for _ in range(MAX):
        attempt()
    for _ in range(30):
        clock.seconds += 29
        assert attempt(page_desk.PASSWORD).status_code == 429
    clock.seconds += 31
    assert is_in(attempt(page_desk.PASSWORD))


def test_who_gets_in_has_all_tries_again(asha: User, clock: SimpleNamespace) -> None:
    for _ in range(3):
        for _ in range(MAX - 1):
            assert attempt().status_code == 200
        assert is_in(attempt(page_desk.PASSWORD))


def test_others_and_other_addresses_are_not_locked(asha: User, clock: SimpleNamespace) -> None:
    page_desk.member("viewer", password=page_desk.PASSWORD)
    for _ in range(MAX + 1):
        attempt()
    assert is_in(attempt(page_desk.PASSWORD, name="viewer"))
    assert is_in(attempt(page_desk.PASSWORD, address="192.0.2.8"))


def test_one_user_has_one_count_however_the_name_is_written(asha: User, clock: SimpleNamespace) -> None:
    for name in ("asha", " asha", "asha ", "\uff41sha", "as\uff48a"):  # all of them are asha to Django
        assert attempt(name=name).status_code == 200
    assert attempt(page_desk.PASSWORD).status_code == 429


def test_a_name_that_nobody_has_is_locked_like_any_other(asha: User, clock: SimpleNamespace) -> None:
    assert [attempt(name="nobody").status_code for _ in range(MAX + 1)] == [200] * MAX + [429]


@pytest.mark.ledger
@pytest.mark.parametrize("name", ["", "\x00", "a" * 5000, "\ud800", "😀", "../../x"])
def test_whatever_is_typed_as_a_name_is_no_fault(asha: User, name: str) -> None:
    tries = login_tries.begin(name, "192.0.2.7")
    assert tries.count == 1
    if "\ud800" not in name:
        assert attempt(name=name).status_code == 200


def test_no_header_names_another_address(asha: User, clock: SimpleNamespace) -> None:
    for number in range(MAX):
        forged = f"198.51.100.{number}"
        attempt(**{"x-forwarded-for": forged, "forwarded": f"for={forged}", "x-real-ip": forged})
    assert attempt(page_desk.PASSWORD, **{"x-forwarded-for": "198.51.100.99"}).status_code == 429


def test_the_server_believes_a_proxys_headers_only_where_the_proxy_is_named(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    assert serve.server_config().proxy_headers is False
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.2")
    config = serve.server_config()
    assert (config.proxy_headers, config.forwarded_allow_ips) == (True, "10.0.0.2")
    settings.VELOX_TRUSTED_PROXIES = ["10.0.0.3", "10.1.0.0/16"]
    assert serve.server_config().forwarded_allow_ips == "10.0.0.3,10.1.0.0/16"


def test_of_many_tries_at_once_no_more_than_five_are_looked_at(data_dir: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        tries = list(pool.map(lambda _: login_tries.begin("asha", "192.0.2.7"), range(64)))
    assert sum(one.wait_seconds == 0 for one in tries) == MAX


def _tries_of_a_process(data_dir: str) -> int:
    from django.conf import settings

    settings.DATA_DIR = data_dir
    return sum(login_tries.begin("asha", "192.0.2.7").wait_seconds == 0 for _ in range(8))


def test_all_processes_count_together(data_dir: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        assert sum(pool.map(_tries_of_a_process, [str(data_dir)] * 4)) == MAX


def test_every_failed_try_is_logged_with_the_users_name_and_the_address_and_no_secret(
    asha: User, folder: Path, clock: SimpleNamespace
) -> None:
    attempt()
    attempt(name="hunter2-typed-as-a-name")
    for _ in range(MAX):
        attempt()
    lines = [line for line in kept(folder) if line["message"].startswith("login")]
    told = [(line["message"], line["context"]["user"], line["context"].get("tries")) for line in lines]
    assert told == [
        ("login failed", "asha", 1),
        ("login failed", "***", 1),
        *(("login failed", "asha", number) for number in range(2, MAX + 1)),
        ("login refused: too many tries", "asha", None),
    ]
    assert {line["context"]["address"] for line in lines} == {"192.0.2.7"}
    for path in folder.iterdir():
        assert SECRET not in path.read_text()
        assert "hunter2" not in path.read_text()


def test_nothing_of_what_was_typed_is_kept_and_the_files_are_the_owners_alone(asha: User, data_dir: Path) -> None:
    attempt(name="hunter2")
    [path] = (data_dir / "logins").iterdir()
    assert "hunter2" not in path.name + path.read_text()
    assert SECRET not in path.read_text()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_old_tries_leave_nothing_behind(data_dir: Path) -> None:
    login_tries.begin("asha", "192.0.2.7")
    [old] = (data_dir / "logins").iterdir()
    os.utime(old, (1, 1))
    login_tries.begin("ravi", "192.0.2.7")
    assert old not in set((data_dir / "logins").iterdir())


@pytest.mark.ledger
def test_an_operator_lets_somebody_in_at_once(asha: User, clock: SimpleNamespace) -> None:
    page_desk.member("viewer", password=page_desk.PASSWORD)
    for name in ("asha", "viewer"):
        for _ in range(MAX):
            attempt(name=name)
    out = io.StringIO()
    call_command("unlock", "asha", stdout=out)
    assert out.getvalue() == "Forgotten: the tries from 1 address.\n"
    assert is_in(attempt(page_desk.PASSWORD))
    assert attempt(page_desk.PASSWORD, name="viewer").status_code == 429
    call_command("unlock", "--all", stdout=out)
    assert is_in(attempt(page_desk.PASSWORD, name="viewer"))
    with pytest.raises(CommandError) as refused:
        call_command("unlock", stdout=out)
    assert refused.value.returncode == 2


def test_a_full_disk_keeps_nobody_out(asha: User, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(login_tries.os, "pwrite", full)
    assert is_in(attempt(page_desk.PASSWORD))
    assert "a try to log in cannot be counted" in [line["message"] for line in kept(folder)]


@pytest.mark.ledger
def test_the_ledger_knows_nothing_of_it(asha: User) -> None:
    before = verify_ledger().checked
    for _ in range(MAX + 1):
        attempt()
    proof = verify_ledger()
    assert (proof.differences, proof.checked) == ([], before)
