"""Typed readers of the environment: a wrong variable stops the start with its name and what was expected."""

from __future__ import annotations

import os
import re
import secrets
import zoneinfo
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from ipaddress import ip_network
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from timeseries.spool import durable
from velox_site import server_urls
from velox_site.server_urls import UnusableUrl


def read_dotenv(folder: Path) -> None:
    """Add the variables of the folder's ``.env`` to the process's; what is set in the process wins over the file."""
    if (folder / ".env").is_file():  # its reader would log that there is none
        environ.Env.read_env(folder / ".env")


class Environment:
    """The variables of one mapping (the process's own by default); each may also come as a file, ``NAME_FILE``."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self.variables = os.environ if variables is None else variables

    def text(self, name: str, default: str = "") -> str:
        """Read a text."""
        path = self.variables.get(f"{name}_FILE")
        if not path:
            return self.variables.get(name, "").strip() or default
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            # Not a word of it: somebody may have put the secret itself there.
            raise ImproperlyConfigured(f"{name}_FILE is not the path of a file of text that can be read.") from None

    def words(self, name: str) -> list[str]:
        """Read words, each behind a space or on a line of its own."""
        return self.text(name).split()

    def hours(self, name: str) -> str:
        """Read hours of the day, such as 22:00-07:00; "" where the variable is not set."""
        text = self.text(name)
        if text and not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]", text):
            raise _wrong(name, text, "hours of the day, such as 22:00-07:00")
        if text and text[:5] == text[-5:]:
            raise _wrong(name, text, "hours that end at another time than they begin, such as 22:00-07:00")
        return text

    def folder(self, name: str, default: Path | None) -> Path:
        """Read an absolute path of a folder; without a default the variable has to be set."""
        text = self.text(name)
        if not text and default is None:
            raise ImproperlyConfigured(f"{name} is not set: give it the path of the desk's data folder.")
        if "://" in text or "\0" in text:
            raise ImproperlyConfigured(
                f"{name} is a URL: expected the path of a folder on a local disk, such as /srv/velox. What is kept "
                "there is locked, mapped and synced, which no object store can do."
            )
        folder = Path(text or str(default)).absolute()
        if folder.exists() and not folder.is_dir():
            raise _wrong(name, text, "the path of a folder; there is a file")
        return folder

    def names(self, name: str) -> list[str]:
        """Read host names between commas; a port or a wildcard is none of them."""
        names = [word.strip() for word in self.text(name).split(",") if word.strip()]
        for word in names:
            if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", word):
                raise _wrong(name, word, "names of hosts between commas, such as velox.example,web")
        return names

    def networks(self, name: str) -> list[str]:
        """Read addresses and networks between commas or blanks."""
        words = self.text(name).replace(",", " ").split()
        for word in words:
            try:
                ip_network(word)
            except ValueError as error:
                raise _wrong(
                    name, word, "addresses or networks between commas, such as 10.0.0.2,10.1.0.0/16"
                ) from error
        return words

    def flag(self, name: str, default: bool) -> bool:
        """Read a switch: on or off."""
        words = {
            "1": True,
            "true": True,
            "yes": True,
            "on": True,
            "0": False,
            "false": False,
            "no": False,
            "off": False,
        }
        text = self.text(name)
        if not text:
            return default
        if text.lower() not in words:
            raise _wrong(name, text, "on or off")
        return words[text.lower()]

    def integer(self, name: str, default: int, *, minimum: int, maximum: int | None = None) -> int:
        """Read a whole number of at least ``minimum``, at most ``maximum``."""
        number = self.optional_integer(name, minimum=minimum, maximum=maximum)
        return default if number is None else number

    def optional_integer(self, name: str, *, minimum: int, maximum: int | None = None) -> int | None:
        """Read a whole number of at least ``minimum``, at most ``maximum``; None where the variable is not set."""
        text = self.text(name)
        if not text:
            return None
        expected = f"a whole number, at least {minimum}" + ("" if maximum is None else f" and at most {maximum}")
        try:
            number = int(text)
        except ValueError as error:
            raise _wrong(name, text, expected) from error
        if number < minimum or (maximum is not None and number > maximum):
            raise _wrong(name, text, expected)
        return number

    def money(self, name: str, default: str) -> Decimal:
        """Read an amount of money."""
        text = self.text(name, default)
        expected = "an amount of at most 92,233,720,368 with at most 8 decimals, such as 100000"
        try:
            amount = Decimal(text)
        except InvalidOperation as error:
            raise _wrong(name, text, expected) from error
        if not amount.is_finite() or not 0 <= amount <= 92_233_720_368 or amount != round(amount, 8):
            raise _wrong(name, text, expected)
        return amount

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """Read one of the words in ``choices``, in capital letters."""
        text = self.text(name, default)
        if text.upper() not in choices:
            raise _wrong(name, text, f"one of {', '.join(choices)}")
        return text.upper()

    def zone(self, name: str, default: str) -> str:
        """Read the name of a time zone."""
        text = self.text(name, default)
        try:
            zoneinfo.ZoneInfo(text)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise _wrong(name, text, "a zone of the tz database, such as Asia/Kolkata") from error
        return text

    def currency(self, name: str, default: str) -> str:
        """Read a currency's code of ISO 4217."""
        text = self.text(name, default)
        if not (text.isascii() and text.isalpha() and text.isupper() and len(text) == 3):
            raise _wrong(name, text, "three capital letters, such as INR")
        return text

    def code(self, name: str, default: str, *, length_max: int) -> str:
        """Read a code of capital letters, as of an exchange."""
        text = self.text(name, default)
        if not (text.isascii() and text.isalnum() and text.isupper() and len(text) <= length_max):
            raise _wrong(name, text, f"a code of capital letters, at most {length_max}")
        return text

    def url(self, name: str, default: str, *, schemes: tuple[str, ...]) -> str:
        """Read the URL of a server, of one of these schemes; "" where the variable is not set."""
        text = self.text(name, default)
        if not text:
            return ""
        try:
            server_urls.check(text, schemes)
        except UnusableUrl as error:
            expected = " or ".join(f"{scheme}://" for scheme in schemes)
            raise ImproperlyConfigured(
                f"{name} is no URL that can be used ({error}): expected one that begins with {expected}. Correct it, "
                "or unset it for the default."
            ) from None
        return text


def kept_secret(path: Path) -> str:
    """Return the secret kept at ``path``; make it once (0600, in a folder 0700) when there is none."""
    with suppress(FileNotFoundError):
        return path.read_text(encoding="utf-8").strip()  # every row of the journal asks for one
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Of two processes starting at once, both read the first one's secret.
    return durable.make_file(path, secrets.token_urlsafe(48).encode()).decode().strip()


def _wrong(name: str, text: str, expected: str) -> ImproperlyConfigured:
    safe = text if "://" not in text else f"{text.partition('://')[0]}://…"  # what follows may hold a password
    return ImproperlyConfigured(f"{name} is {safe!r}: expected {expected}. Correct it, or unset it for the default.")
