"""Credentials of a broker's socket: from the environment, or from files that it names, and never logged."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from trading.errors import InvalidValue


class Credentials(dict[str, str]):
    """Secrets by the names of their variables; nothing shows them."""

    def __repr__(self) -> str:
        return f"Credentials({', '.join(self)})"


def read_credentials(names: Iterable[str]) -> Credentials:
    """Return the secrets of some variables, each from ``NAME_FILE`` or ``NAME``; read anew for each connection, since
    brokers' tokens end every day.

    Raises: InvalidValue, which names the variable and never what it holds.
    """
    secrets = Credentials()
    for name in names:
        path = os.environ.get(f"{name}_FILE")
        try:
            secret = Path(path).read_text(encoding="utf-8").strip() if path else os.environ.get(name, "").strip()
        except (OSError, ValueError):
            raise InvalidValue(
                f"{name}_FILE is not the path of a file of text that can be read.", field="credentials"
            ) from None
        if not secret or not secret.isprintable() or " " in secret:
            state = "is not one printable word" if secret else "is not set"
            raise InvalidValue(
                f"{name} {state}.", field="credentials", hint=f"Set {name}, or {name}_FILE to a file that holds it."
            )
        secrets[name] = secret
    return secrets
