"""`manage.py unlock NAME`: let somebody log in again before the lock ends by itself."""

from __future__ import annotations

from argparse import ArgumentParser

from trading import login_tries
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand


class Command(VeloxCommand):
    help = "Forget the failed tries to log in for a user name, or with --all for every one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="the user name, as it is typed at the login")
        parser.add_argument("--all", action="store_true", help="every user name, from every address")

    def answer(self, *, name: str | None, all: bool) -> bool:
        if (name is None) is not all:
            raise InvalidValue("Nobody is named.", field="name", hint="Give a user name, or --all.")
        count = login_tries.unlock(name)
        self.stdout.write(f"Forgotten: the tries from {count} address{'' if count == 1 else 'es'}.")
        return True
