"""The symbol of a file's ticks: the caller's name for it, else the file's own name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trading.errors import InvalidValue

_ENDINGS = (".gz", ".csv")


@dataclass(frozen=True, slots=True)
class FileSymbols:
    """Symbols by file: ``--symbol S`` names that of every file, ``--symbol STEM=S`` that of the files of this stem."""

    default: str | None = None
    by_stem: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, options: Iterable[str]) -> FileSymbols:
        """Return the symbols that options of ``--symbol`` name.

        Raises: InvalidValue, for two answers to one question, and for an empty half.
        """
        default: str | None = None
        by_stem: dict[str, str] = {}
        for option in options:
            stem, equals, symbol = option.partition("=")
            if not stem or (equals and not symbol):
                raise InvalidValue(f"--symbol {option!r} is not SYMBOL or STEM=SYMBOL.", field="symbol")
            earlier = by_stem.setdefault(stem, symbol) if equals else (default or stem)
            if earlier != (symbol or stem):
                raise InvalidValue(f"--symbol names both {earlier!r} and {symbol or stem!r}.", field="symbol")
            default = default if equals else stem
        return cls(default, by_stem)

    def named(self, path: Path) -> str | None:
        """Return the symbol that the caller gave this file, None where none was given."""
        for name in (path.name, bare_name(path), stem_of(path)):
            if name in self.by_stem:
                return self.by_stem[name]
        return self.default

    def unused(self, paths: Sequence[Path]) -> list[str]:
        """Return the stems that name none of the files."""
        names = {name for path in paths for name in (path.name, bare_name(path), stem_of(path))}
        return [stem for stem in self.by_stem if stem not in names]


def bare_name(path: Path) -> str:
    """Return the file's name without `.csv`, `.gz` or `.csv.gz`."""
    name = path.name
    for ending in _ENDINGS:
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name


def stem_of(path: Path) -> str:
    """Return what stands before the first `_<digits>`: RELIANCE of RELIANCE_12_April.csv."""
    return re.split(r"_\d", bare_name(path), maxsplit=1)[0]
