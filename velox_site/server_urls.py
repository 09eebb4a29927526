"""URLs of servers, which may hold a password: what is wrong with one is told without a word of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import environ

MANY_HOSTS = ("postgres", "postgresql")
# A path in the place of a host.
_FILES = ("unix", "sqlite", "memory")
_ENCODE = "write a reserved character of the user or password in percent encoding, as # %23, / %2F, @ %40"
_HOST = re.compile(r"\[[0-9A-Fa-f:.%a-z]+\]|[^\[\]:@\s]+")


class UnusableUrl(ValueError):
    """Why a URL cannot be used; its text holds no part of the URL."""


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
        _check_file(scheme, authority, rest[len(authority) :])
        return
    found = list(hosts(url))
    if not all(host for host, _ in found) or (len(found) > 1 and scheme not in MANY_HOSTS):
        raise UnusableUrl(f"one host is expected; {_ENCODE}")


def hosts(url: str) -> Iterator[tuple[str, str]]:
    """Yield each host of a URL with its port, "" where none is given. Raises: UnusableUrl."""
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    for part in authority.rpartition("@")[2].split(","):
        host = _HOST.match(part)
        port = part[host.end() :] if host else part
        if port and not (port[0] == ":" and port[1:].isdecimal() and 0 < int(port[1:]) < 65536):
            raise UnusableUrl(f"a port is no number from 1 to 65535; {_ENCODE}")
        yield unquote(host.group()) if host else "", port[1:]


def database(url: str) -> dict[str, Any]:
    """Return Django's settings of a database's URL; with several hosts each has its own port, as libpq takes them."""
    made: dict[str, Any] = environ.Env.db_url_config(url)
    if urlsplit(url).scheme in MANY_HOSTS and len(found := list(hosts(url))) > 1:
        made["HOST"] = ",".join(host.strip("[]") for host, _ in found)
        made["PORT"] = ",".join(port for _, port in found)
    return made


def _check_file(scheme: str, authority: str, path: str) -> None:
    if scheme == "sqlite" and (authority or path.strip("/") == ""):
        raise UnusableUrl(
            "a file's URL has three slashes and its path: sqlite:///ledger.sqlite3, sqlite:////srv/l.sqlite3"
        )
