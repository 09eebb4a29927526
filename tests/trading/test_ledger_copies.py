"""A PostgreSQL whose commits go to a standby, or whose log goes to an archive: health tells where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import ConnectionHandler
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.standby import standby_pair
from tests.waiting import until
from tests.with_postgres import OPTIONS, postgres_programs, server
from trading.health import database, faults
from trading.health.state import State


@pytest.fixture(autouse=True)
def _servers_of_their_own(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@contextmanager
def connected(url: str) -> Iterator[BaseDatabaseWrapper]:
    """Give a connection of Django's to a server of the test's own."""
    place = urlsplit(url)
    names = {"NAME": place.path[1:], "USER": place.username, "HOST": place.hostname, "PORT": place.port}
    connection = ConnectionHandler({"default": {"ENGINE": "django.db.backends.postgresql", **names}})["default"]
    try:
        yield connection
    finally:
        connection.close()


def told(state: State | None) -> tuple[str, str]:
    return ("", "") if state is None else (state.code, state.detail)


def missing(needed: int, there: int) -> tuple[str, str]:
    return faults.STANDBY_MISSING.code, f"Each commit waits for {needed} standbys, of which {there} are there."


def test_a_standby_that_each_commit_needs_is_missed_until_it_follows_again() -> None:
    with standby_pair() as pair:
        pair.ask("CREATE ROLE desk LOGIN")  # which may not see how a standby is, and counts those that are there
        with connected(pair.url) as owner, connected(pair.url.replace("postgres@", "desk@")) as desk:
            assert (told(database.unkept_log(owner)), told(database.unkept_log(desk))) == (("", ""),) * 2
            pair.kill()
            assert told(database.unkept_log(owner)) == told(database.unkept_log(desk)) == missing(1, 0)
            pair.start()
            assert (told(database.unkept_log(owner)), told(database.unkept_log(desk))) == (("", ""),) * 2
            pair.ask("ALTER SYSTEM SET synchronous_standby_names = 'ANY 2 (*)'")
            pair.ask("SELECT pg_reload_conf()")
            until(lambda: told(database.unkept_log(owner)) == missing(2, 1))
            assert told(database.unkept_log(desk)) == missing(2, 1)
            pair.ask("ALTER SYSTEM SET synchronous_standby_names = ''")
            pair.ask("SELECT pg_reload_conf()")
            pair.kill()
            until(lambda: database.standbys(owner) == (0, 0, 0))
            assert database.unkept_log(owner) is None


def test_an_archive_that_takes_nothing_is_told_until_it_does() -> None:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with server(programs, f"{OPTIONS} -c archive_mode=on") as url, psycopg.connect(url, autocommit=True) as admin:

        def archive_by(program: str) -> None:
            admin.execute(f"ALTER SYSTEM SET archive_command = '{program}'")  # type: ignore[call-overload]
            admin.execute("SELECT pg_reload_conf()")
            admin.execute("SELECT pg_switch_wal()")

        with connected(url) as connection:
            assert database.archived_at(connection) is None
            archive_by("false")
            until(lambda: told(database.unkept_log(connection))[0] == faults.ARCHIVE_FAILING.code)
            archive_by("true")
            until(lambda: database.unkept_log(connection) is None)
            assert database.archived_at(connection) is not None


@pytest.mark.parametrize(
    ("names", "needed"),
    [("a", "1"), ("a, b", "1"), ("FIRST 2 (a, b)", "2"), ("any 3(a,b,c)", "3"), (" 2 (a, b)", "2"), ("2b", "1")],
)
def test_as_many_are_needed_as_the_setting_says(names: str, needed: str) -> None:
    counted = database._NEEDED.match(names)
    assert (counted[1] if counted else "1") == needed
