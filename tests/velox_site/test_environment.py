"""What the environment says is taken as it was meant, or refused with its name, and no secret is ever told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.exceptions import ImproperlyConfigured

from velox_site import server_urls
from velox_site.environment import Environment
from velox_site.log_masks import masked_text

ROOT = Path(__file__).resolve().parents[2]
SECRET = "hunter2"
SCHEMES = {
    "DATABASE_URL": ("sqlite", "postgres", "postgresql"),
    "CACHE_URL": ("redis", "rediss", "unix"),
    "CELERY_BROKER_URL": ("redis", "rediss", "amqp", "amqps", "memory"),
    "INFLUXDB_V2_URL": ("http", "https"),
    "VELOX_SITE_URL": ("http", "https"),
    "VELOX_ARCHIVE_ENDPOINT": ("http", "https"),
}


def read(name: str, url: str) -> str:
    return Environment({name: url}).url(name, "", schemes=SCHEMES[name])


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("host", ["db", "127.0.0.1:5432", "[::1]:5432", "db.example:6379/0"])
def test_a_url_is_taken_as_it_stands(name: str, host: str) -> None:
    for user in ("", "desk@", f"desk:{SECRET}@", f":{SECRET}%23%2F%40'\"!$&()*+;=~@"):
        url = f"{SCHEMES[name][-2 if name == 'CELERY_BROKER_URL' else 1]}://{user}{host}"
        assert read(name, url) == url


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize(
    "rest",
    [
        f"://desk:12#{SECRET}@db/velox",
        f"://desk:{SECRET}#1@db/velox",
        f"://desk:{SECRET}/1@db/velox",
        f"://desk:12/{SECRET}@db/velox",
        f"://desk:{SECRET}?1@db/velox",
        f"://desk:[{SECRET}@db:x/velox",
        f"://desk:{SECRET} 1@db/velox",
        f"://desk:{SECRET}\n1@db/velox",
        f"://desk:{SECRET}\\@db/velox",
        f"://desk:{SECRET}@db:99999/velox",
        f"://desk:{SECRET}@/velox",
        f":/desk:{SECRET}@db/velox",
        f"//desk:{SECRET}@db/velox",
        f"@{SECRET}",
    ],
)
def test_a_wrong_url_is_named_and_nothing_of_it_is_told(name: str, rest: str) -> None:
    for url in (SCHEMES[name][1] + rest, SECRET + rest):
        with pytest.raises(ImproperlyConfigured, match=f"{name} is no URL that can be used") as refused:
            read(name, url)
        chain = [refused.value, refused.value.__cause__]
        assert refused.value.__suppress_context__
        assert not any(SECRET in str(error) or "desk" in str(error) for error in chain)


def test_a_wrong_file_of_a_secret_is_named_and_not_told(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for value in (SECRET, str(tmp_path), str(tmp_path / "binary"), f"a\0{SECRET}"):
        with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FILE is not the path") as refused:
            Environment({"SECRET_KEY_FILE": value}).text("SECRET_KEY")
        assert SECRET not in str(refused.value)


def test_the_start_stops_with_the_name_and_without_the_secret(tmp_path: Path) -> None:
    """Of the whole process: neither the message nor the traceback around it."""
    environment = {**os.environ, "VELOX_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "velox_site.settings"}
    url = f"postgres://desk:12#{SECRET}@db/velox"
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**environment, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "DATABASE_URL is no URL that can be used" in done.stderr and "%23" in done.stderr
    assert SECRET not in done.stderr + done.stdout


def test_an_endpoint_that_is_no_url_stops_the_start(tmp_path: Path) -> None:
    """It would be told by the first request alone, as a crash of the client's."""
    environment = {**os.environ, "VELOX_DATA_DIR": str(tmp_path), "VELOX_ARCHIVE_ENDPOINT": "minio"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "VELOX_ARCHIVE_ENDPOINT is no URL that can be used" in done.stderr


def test_hours_from_a_time_to_the_same_time_are_refused() -> None:
    """They may be meant as all of the day, and would hold nothing back."""
    assert Environment({"VELOX_ALERT_QUIET": "22:00-07:00"}).hours("VELOX_ALERT_QUIET") == "22:00-07:00"
    with pytest.raises(ImproperlyConfigured, match="'22:00-22:00': expected hours that end at another time"):
        Environment({"VELOX_ALERT_QUIET": "22:00-22:00"}).hours("VELOX_ALERT_QUIET")


def test_ctrl_c_while_modules_are_loaded_is_one_line_and_exit_130() -> None:
    code = "import signal, sys; from velox_site import __main__ as start; sys.argv = ['manage.py', 'check']\n"
    code += "start.execute_from_command_line = lambda argv: signal.raise_signal(signal.SIGINT)\n"
    done = subprocess.run([sys.executable, "-c", code + "start.main()"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "Broken off.\n")


@pytest.mark.parametrize("url", ["s3://bucket/velox", f"s3://key:{SECRET}@bucket", "file:///srv/velox", "gs://x"])
def test_a_data_folder_is_a_path(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="VELOX_DATA_DIR is a URL: expected the path of a folder") as refused:
        Environment({"VELOX_DATA_DIR": url}).folder("VELOX_DATA_DIR", None)
    assert SECRET not in str(refused.value)


def test_a_data_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImproperlyConfigured, match=r"VELOX_DATA_DIR .* there is a file"):
        Environment({"VELOX_DATA_DIR": str(tmp_path / "file")}).folder("VELOX_DATA_DIR", None)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite://ledger.sqlite3", "sqlite://:memory:"])
def test_a_ledger_is_never_in_memory(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="three slashes"):
        read("DATABASE_URL", url)


@pytest.mark.parametrize(
    ("netloc", "host", "port"),
    [
        ("h1:5432,h2:5433", "h1,h2", "5432,5433"),
        ("h1,h2:5433", "h1,h2", ",5433"),
        ("h1,h2", "h1,h2", ","),
        ("[::1]:5432,[fe80::2]:5433", "::1,fe80::2", "5432,5433"),
    ],
)
def test_a_ledger_may_have_many_hosts(netloc: str, host: str, port: str) -> None:
    url = f"postgres://desk:{SECRET}%23@{netloc}/velox?target_session_attrs=read-write"
    made = server_urls.database(read("DATABASE_URL", url))
    assert (made["HOST"], made["PORT"], made["NAME"]) == (host, port, "velox")
    assert (made["USER"], made["PASSWORD"]) == ("desk", f"{SECRET}#")
    assert made["OPTIONS"] == {"target_session_attrs": "read-write"}


def test_one_host_alone_is_expected_elsewhere() -> None:
    with pytest.raises(ImproperlyConfigured, match="one host"):
        read("CACHE_URL", "redis://a:1,b:2/0")


@pytest.mark.ledger
def test_of_many_hosts_the_one_that_answers_is_the_ledger() -> None:
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        return
    parts = urlsplit(url)
    user, _, server = parts.netloc.rpartition("@")
    many = urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:1,{server}", query="target_session_attrs=read-write"))
    asked = (
        "import django; django.setup(); from django.db import connection; from trading.bookkeeping import copying; "
        "cursor = connection.cursor(); cursor.execute('SELECT 41 + 1'); print(cursor.fetchone()[0]); "
        "copying.run('pg_dump', '--schema-only', '--file=/dev/null', connection.settings_dict['NAME'])"
    )
    environment = {**os.environ, "DATABASE_URL": many, "DJANGO_SETTINGS_MODULE": "velox_site.settings"}
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr


@pytest.mark.parametrize("password", [SECRET, f"{SECRET}'x", f'{SECRET}"x', f"a:{SECRET}", f"{SECRET}@x"])
def test_a_log_masks_any_password_of_a_url(password: str) -> None:
    for text in (f"postgres://desk:{password}@db/velox is gone", f"('redis://:{password}@db', 1)"):
        assert SECRET not in masked_text(text)


def test_names_of_hosts_stand_between_commas() -> None:
    assert Environment({"VELOX_HOSTS": " web, velox.example,"}).names("VELOX_HOSTS") == ["web", "velox.example"]
    assert Environment({}).names("VELOX_HOSTS") == []


@pytest.mark.parametrize("text", ["*", ".example", "web:8000", "http://web"])
def test_what_would_let_in_any_host_is_no_name_of_one(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="names of hosts"):
        Environment({"VELOX_HOSTS": text}).names("VELOX_HOSTS")


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("VELOX_RETENTION_DAYS", {"36500": "36500\n", "36501": "at least 1 and at most 36500", "": "None\n"}),
        ("VELOX_SPOOL_SYNC_MS", {"60000": "60000\n", "60001": "at least 1 and at most 60000", "": "200\n"}),
        ("VELOX_CURRENCY", {"USD": "USD\n", "I": "three capital letters", "US1": "three capital letters", "": "INR\n"}),
    ],
)
def test_what_no_desk_can_mean_is_refused_at_the_start(name: str, texts: dict[str, str], tmp_path: Path) -> None:
    show = f"from velox_site import settings; print(settings.{name})"
    for text, said in texts.items():
        variables = {**os.environ, "VELOX_DATA_DIR": str(tmp_path), name: text}
        done = subprocess.run([sys.executable, "-c", show], cwd=ROOT, env=variables, capture_output=True, text=True)
        assert said in done.stdout + done.stderr
