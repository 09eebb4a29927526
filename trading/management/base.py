"""The base of commands: exit 0 fine, 1 findings, 2 could not run, 130 broken off, with one clear line on stderr and no
traceback."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from trading.errors import InvalidValue, VeloxError
from trading.management.files import ending_of
from trading.management.output import emit
from trading.management.progress_bars import PATIENCE_SECONDS, progress_bars
from trading.management.report import Report
from trading.models import Account, BrokerFill, CorporateAction
from trading.progress import listening
from trading.transactions import meaning

# What Django's own arguments and `call_command` leave among the options: no command asks for them.
DJANGOS_OWN = frozenset({
    "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks", "stdout", "stderr",
})  # fmt: skip


# What an option may hold, None or empty where it was not given.
Option = str | float | Path | Sequence[str] | Sequence[int] | Sequence[Path] | None

BROKEN_OFF = 130  # the exit code of what Ctrl-C ended, as shells have it


class VeloxCommand(BaseCommand, ABC):
    """A command whose `answer` does the work and returns whether it found nothing to object to.

    `answer` takes the command's own arguments by name; ``--format`` and ``--output`` are kept for `emit`.
    """

    requires_system_checks: list[str] = []
    form = "table"
    output: str | None = None

    @abstractmethod
    def answer(self, *args: Any, **options: Any) -> bool:
        """Do the work. Return False for findings (exit 1); raise a `VeloxError` for what cannot run (exit 2)."""

    def handle(self, *args: str, **options: Any) -> None:
        own = {name: value for name, value in options.items() if name not in DJANGOS_OWN}
        self.form, self.output = own.pop("format", "table"), own.pop("output", None)
        try:
            given = (each for words in own.values() for each in (words if isinstance(words, list) else [words]))
            _must_be_text(word for word in given if isinstance(word, str))  # a file's name may be any bytes
            with progress_bars(patience_seconds=PATIENCE_SECONDS) as bars, listening(bars):
                is_fine = self.answer(**own)
            self.stdout.flush()  # a full disk is told here, not once the interpreter ends
        except KeyboardInterrupt as error:
            unwritten = "." if self.output is None else f": {self.output} was not written."
            raise CommandError(f"Broken off{unwritten}", returncode=BROKEN_OFF) from error
        except VeloxError as error:
            raise CommandError(str(error), returncode=2) from error
        except DatabaseError as error:
            raise CommandError(f"the ledger cannot answer: {meaning(error)}", returncode=2) from error
        except OSError as error:
            raise CommandError(ending_of(error), returncode=2) from error
        if not is_fine:
            sys.exit(1)

    def emit(self, report: Report) -> None:
        """Write a report in the format that was asked for. Raises: OutputFailed."""
        emit(report, form=self.form, stdout=self.stdout, output=self.output)

    def say(self, line: str) -> None:
        """Write a line that is not the answer to stderr, so that stdout stays one object."""
        self.stderr.write(line, self.style.NOTICE)


def refuse_idle(where: str, options: Mapping[str, Option]) -> None:
    """Refuse options that were given and would do nothing; ``where`` says beside or without what: "without --give".

    An option was given where its setting is anything but None, False or empty.

    Raises: InvalidValue.
    """
    for option, setting in options.items():
        if setting is not None and setting is not False and setting not in ("", []):
            dest = option.removeprefix("--").replace("-", "_")
            raise InvalidValue(f"{option} does nothing {where}.", field=dest, hint="Leave it out.")


def refuse_idle_beside(
    others: Mapping[str, str | bool | None], options: Mapping[str, Option], *, why: str = ""
) -> None:
    """Refuse options that would do nothing beside each of the others, where one of these was given, be it as "".

    Raises: InvalidValue.
    """
    for other, setting in others.items():
        if setting not in (None, False):
            refuse_idle(f"beside {other}{why}", options)


def refuse_of_another(account: Account, model: type[BrokerFill | CorporateAction], number: int) -> None:
    """Refuse the number of a row that is another account's: who took it from one list meant that one.

    Raises: InvalidValue; one that there is not at all is left to what is asked of it.
    """
    owner = model.objects.filter(pk=number).values_list("account__code", flat=True).first()
    if owner not in (None, account.code):
        raise InvalidValue(
            f"{number} is of account {owner}, and this is {account.code}.",
            field="account",
            hint=f"Take a number of its own list, or give --account {owner}.",
        )


def _must_be_text(words: Iterable[str]) -> None:
    """Refuse words that are no text in the encoding of the command line."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise InvalidValue(f"An argument is no text: {word!r}.", hint="Write it in UTF-8.") from error
