"""How commands end: 0 fine, 1 findings, 2 could not run with one clear line on stderr and no traceback."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from trading.errors import VeloxError
from trading.transactions import meaning


class VeloxCommand(BaseCommand, ABC):
    """A command whose `answer` does the work and returns whether it found nothing to object to."""

    requires_system_checks: list[str] = []

    @abstractmethod
    def answer(self, **options: Any) -> bool:
        """Do the work. Return False for findings (exit 1); raise a `VeloxError` for what cannot run (exit 2)."""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            is_fine = self.answer(**options)
        except VeloxError as error:
            raise CommandError(str(error), returncode=2) from error
        except DatabaseError as error:
            raise CommandError(f"the ledger cannot answer: {meaning(error)}", returncode=2) from error
        if not is_fine:
            sys.exit(1)

    def say(self, line: str) -> None:
        """Say something that is not the answer: on stderr, so that stdout stays one object."""
        self.stderr.write(line, self.style.NOTICE)
