"""What every test shares: a data folder of its own, a ledger of its own, real servers, the real market files."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import pytest

from tests.data_folder import FOLDER, SHARED, made_once

# What a CI has not: a server of InfluxDB, and one of S3, which takes Go and some minutes to build.
MAY_BE_SKIPPED = ("VELOX_TEST_INFLUX_URL", "needs an S3 server")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")

# A time limit per example says something about the machine of the moment, nothing about the code. Many examples are
# tried by `make chaos`.
EXAMPLES = int(os.environ.get("VELOX_EXAMPLES", "40"))
hypothesis.settings.register_profile("velox", deadline=None, max_examples=EXAMPLES)
hypothesis.settings.load_profile("velox")


# The workers take whole files: what is long must not be what one of them begins last.
FIRST = (
    "tests/functional/",
    "tests/meta/",
    *(f"tests/trading/test_{name}.py" for name in ("verify_ledger", "simulator", "routes", "odd_queries")),
    *(f"tests/velox_site/test_{name}.py" for name in ("package", "serve")),
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):  # not skipped: there they do run
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("postgres")])
        items[:] = [item for item in items if not item.get_closest_marker("postgres")]
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


def pytest_collection_finish() -> None:
    """Let no garbage collection look again at what was collected: it stays until the end."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # what is frozen at the end is taken for a leak by packages that look for one


def pytest_configure() -> None:
    from django.conf import settings

    # The real one is slow on purpose; what other processes hashed with it is still read.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


@dataclass(frozen=True)
class Ledger:
    """A migrated ledger of one test's own: its data folder, and the environment that leads a subprocess to it."""

    data_dir: Path
    url: str = ""
    env: dict[str, str] = field(default_factory=dict)

    @property
    def vendor(self) -> str:
        return "postgresql" if self.url else "sqlite"


Maker = Callable[[Callable[[], None]], None]  # of the fixture `made_as`


@pytest.fixture
def market_data() -> Path:
    """The folder of real market files; skips with the reason where it is absent."""
    folder = Path(os.environ.get("VELOX_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real market files are not at {folder}: set VELOX_TEST_DATA to their folder")
    return folder


@pytest.fixture
def data_dir(tmp_path: Path, settings: Any) -> Path:
    """A data folder of the test's own, with the session's journal key; the settings point at it."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    shutil.copy(Path(FOLDER) / "journal.key", folder)
    settings.DATA_DIR, settings.SPOOL_DIR, settings.DELTA_DIR = folder, folder / "spool", folder / "delta"
    return folder


@pytest.fixture
def ledger(data_dir: Path, _new_ledger: Callable[[Path], str], django_db_blocker: Any) -> Iterator[Ledger]:
    """A migrated ledger with real commits, fresh for each test.

    On SQLite it is <data folder>/ledger.sqlite3; with DATABASE_URL set to a server it is a database of that server.
    """
    from django.db import connections

    env = {**os.environ, "VELOX_DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "velox_site.settings"}
    with django_db_blocker.unblock():
        connections.close_all()
        url = _new_ledger(data_dir)
        yield Ledger(data_dir, url, {**env, "DATABASE_URL": url})
        connections.close_all()


@pytest.fixture(scope="session")
def migrated(django_db_blocker: Any) -> Path:
    """A migrated ledger, SQLite's file, made once for all workers of a run. Copied by whoever writes."""
    from django.core.management import call_command
    from django.db import connections

    connection = connections["default"]
    with made_once("template.sqlite3") as template:
        if template is not None:
            name, connection.settings_dict["NAME"] = connection.settings_dict["NAME"], template
            with django_db_blocker.unblock():
                call_command("migrate", verbosity=0)
                connections.close_all()
            connection.settings_dict["NAME"] = name
    return SHARED / "template.sqlite3"


@pytest.fixture(scope="session")
def _new_ledger(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], str]]:
    """Return what makes a migrated ledger for a test and answers with its DATABASE_URL ("" for SQLite)."""
    from django.db import connections

    connection = connections["default"]
    name = connection.settings_dict["NAME"]
    yield request.getfixturevalue("_on_postgres" if connection.vendor == "postgresql" else "_on_sqlite")
    connection.settings_dict["NAME"] = name


@pytest.fixture(scope="session")
def _on_sqlite(migrated: Path) -> Callable[[Path], str]:
    from django.db import connections

    def make(data_dir: Path) -> str:
        connections["default"].settings_dict["NAME"] = data_dir / "ledger.sqlite3"
        shutil.copy(migrated, data_dir / "ledger.sqlite3")
        return ""

    return make


@pytest.fixture(scope="session")
def _on_postgres(django_db_blocker: Any) -> Callable[[Path], str]:
    from django.core.management import call_command
    from django.db import connections

    connection = connections["default"]
    url, number = urlsplit(os.environ["DATABASE_URL"]), itertools.count()
    with made_once("template.postgres") as template, django_db_blocker.unblock():
        if template is not None:
            _create_database("velox_template", "template0", gone="velox_template")
            connection.settings_dict["NAME"] = "velox_template"
            call_command("migrate", verbosity=0)
            connections.close_all()

    def make(_data_dir: Path) -> str:
        # Never a name again: the companion of an earlier test may live still, and would follow this one's journal.
        now = next(number)
        name = connection.settings_dict["NAME"] = f"velox_{WORKER}_{now}"
        _create_database(name, "velox_template", gone=f"velox_{WORKER}_{now - 1}")
        return urlunsplit(url._replace(path=f"/{name}"))

    return make


def _create_database(new: str, template: str, *, gone: str) -> None:
    """Create a database of PostgreSQL as a copy of another, and drop one before."""
    import psycopg

    url = urlsplit(os.environ["DATABASE_URL"])
    with psycopg.connect(urlunsplit(url._replace(scheme="postgresql", path="/postgres")), autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{gone}" WITH (FORCE)')
        server.execute(f'CREATE DATABASE "{new}" TEMPLATE "{template}" STRATEGY FILE_COPY')


@pytest.fixture
def made_as(ledger: Ledger) -> Maker:
    """Let the test's ledger and data folder be what a function makes of them that takes its time.

    The first test of a process has it called; the others get a copy of what it made.
    """
    from django.db import connections

    connection = connections["default"]

    def make(by: Callable[[], None]) -> None:
        name = f"{by.__module__.rpartition('.')[2]}_{by.__name__}"
        folder, database, now = Path(FOLDER) / name, f"velox_{WORKER}_{name}", connection.settings_dict["NAME"]
        on_server = ledger.vendor == "postgresql"
        if folder.exists():
            connections.close_all()
            shutil.rmtree(ledger.data_dir)
            shutil.copytree(folder, ledger.data_dir)
            if on_server:
                _create_database(now, database, gone=now)
            return
        by()
        connections.close_all()
        if on_server:
            _create_database(database, now, gone=database)
        shutil.copytree(ledger.data_dir, folder)

    return make


@pytest.fixture
def no_tables(data_dir: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any) -> Iterator[Path]:
    """A ledger that nobody has migrated; gives the file that it would be on SQLite."""
    from django.db import connections

    connection, nothing = connections["default"], data_dir / "nothing.sqlite3"
    monkeypatch.setitem(connection.settings_dict, "NAME", nothing if connection.vendor == "sqlite" else "postgres")
    with django_db_blocker.unblock():
        connections.close_all()
        yield nothing
        connections.close_all()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """In CI every server is there: a test that is skipped there would never run anywhere."""
    report = yield
    return _without_skips(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    report = yield
    return _without_skips(report)


def _without_skips(report: Any) -> Any:
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if (
        os.environ.get("CI") == "true"
        and skipped
        and not any(words in str(report.longrepr) for words in MAY_BE_SKIPPED)
    ):
        report.outcome, report.longrepr = "failed", f"skipped, which CI does not allow: {report.longrepr}"
    return report
