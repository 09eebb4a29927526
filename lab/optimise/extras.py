"""What is installed only where it is wanted: found by name, and named where it is missing."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeVar

from django.utils.module_loading import import_string

from trading.errors import VeloxError

Answer = TypeVar("Answer")


class MissingExtra(VeloxError):
    """A package that this command needs and that is not installed."""

    code = "missing_extra"


def need(package: str, extra: str, what: str) -> None:
    """Raise MissingExtra where a package is not installed."""
    if find_spec(package) is None:
        raise MissingExtra(
            f"{what} needs {package}, which is not installed.",
            hint=f"Install the extra `{extra}`: pip install --no-deps --require-hashes -r requirements-{extra}.txt",
        )


def of_extra(name: str, package: str, extra: str, what: str) -> Callable[..., Answer]:
    """Return a function by its full name, whose module imports a package of an extra. Raises: MissingExtra."""
    need(package, extra, what)
    function: Callable[..., Answer] = import_string(name)
    return function
