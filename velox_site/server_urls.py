"""URLs of servers, which may hold a password: what is wrong with one is named without a word of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict
from urllib.parse import unquote, urlsplit

import environ

MANY_HOSTS = ("postgres", "postgresql")
# A path in the place of a host.
_FILES = ("unix", "sqlite", "memory")
_ENCODE = "write a reserved character of the user or password in percent encoding, as # %23, / %2F, @ %40"
_HOST = re.compile(r"\[[0-9A-Fa-f:.%a-z]+\]|[^\[\]:@\s]+")


class UnusableUrl(ValueError):
    """The reason why a URL cannot be used; its text holds no part of the URL."""


class DatabaseSettings(TypedDict, total=False):
    """Django's settings of a database."""

    ENGINE: str
    NAME: str | Path
    USER: str
    PASSWORD: str
    HOST: str
    PORT: str | int
    OPTIONS: dict[str, str | int]


def check(url: str, schemes: Sequence[str]) -> None:
    """Raise UnusableUrl for what is no URL of these schemes, or one that would be read otherwise than it looks."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in schemes:
        raise UnusableUrl("it does not begin with one of these")
    if re.search(r"[\s\x00-\x1f\x7f\\]", url):
        raise UnusableUrl("there is a blank, a control character or a backslash in it")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "#" in rest or "@" in rest[len(authority) :]:
        raise UnusableUrl(_ENCODE)
    if scheme in _FILES:
        if scheme == "sqlite" and (authority or rest.strip("/") == ""):
            raise UnusableUrl(
                "a file's URL has three slashes and its path: sqlite:///ledger.sqlite3, sqlite:////srv/l.sqlite3"
            )
        return
    names = [host for host, _ in hosts(url)]
    if not all(names) or (len(names) > 1 and scheme not in MANY_HOSTS):
        raise UnusableUrl(f"one host is expected; {_ENCODE}")


def hosts(url: str) -> Iterator[tuple[str, str]]:
    """Yield each host of a URL with its port, "" where none is given. Raises: UnusableUrl."""
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    for address in authority.rpartition("@")[2].split(","):
        host = _HOST.match(address)
        port = address[host.end() :] if host else address
        if port and not (port[0] == ":" and port[1:].isdecimal() and 0 < int(port[1:]) < 65536):
            raise UnusableUrl(f"a port is no number from 1 to 65535; {_ENCODE}")
        yield unquote(host.group()) if host else "", port[1:]


def database(url: str) -> DatabaseSettings:
    """Return Django's settings of a database's URL; with several hosts each has its own port, as libpq takes them."""
    settings: DatabaseSettings = environ.Env.db_url_config(url)
    if urlsplit(url).scheme in MANY_HOSTS and len(addresses := list(hosts(url))) > 1:
        settings["HOST"] = ",".join(host.strip("[]") for host, _ in addresses)
        settings["PORT"] = ",".join(port for _, port in addresses)
    return settings
