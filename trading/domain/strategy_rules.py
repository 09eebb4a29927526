"""Rules that give an imported fill its strategy: by symbol, order tag and time of day; the first that fits. Pure.

A file of rules is a CSV with the columns `strategy,symbol,tag,from,to`: an empty cell fits everything, `*` and `?` in
symbol and tag stand for any characters, times are of the day in the zone of the fill's file, `to` left out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from fnmatch import fnmatchcase

from timeseries.values import parse_name
from trading.errors import InvalidValue

IMPORTED = "imported"  # the strategy of fills that no rule is about
COLUMNS = ("strategy", "symbol", "tag", "from", "to")


@dataclass(frozen=True, slots=True)
class StrategyRule:
    """One rule; an empty pattern fits everything, and a time of None has no bound."""

    strategy: str
    symbol: str = ""
    tag: str = ""
    starts: time | None = None
    stops: time | None = None

    def fits(self, symbol: str, tag: str | None, at: datetime | None) -> bool:
        """Tell whether a fill is this rule's; ``at`` is in its file's zone, None where only the day is known."""
        if self.symbol and not fnmatchcase(symbol, self.symbol):
            return False
        if self.tag and not fnmatchcase(tag or "", self.tag):
            return False
        if self.starts is None and self.stops is None:
            return True
        if at is None:
            return False
        clock = at.time()
        return (self.starts is None or clock >= self.starts) and (self.stops is None or clock < self.stops)


def strategy_of(rules: Sequence[StrategyRule], symbol: str, tag: str | None, at: datetime | None) -> str:
    """Return the strategy of a fill."""
    return next((rule.strategy for rule in rules if rule.fits(symbol, tag, at)), IMPORTED)


def parse_rules(text: str) -> list[StrategyRule]:
    """Return the rules of a file's text, in order. Raises: InvalidValue with the line."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    unknown = [name for name in reader.fieldnames or () if name not in COLUMNS]
    if unknown or "strategy" not in (reader.fieldnames or ()):
        raise InvalidValue(
            f"The rules have the columns {', '.join(reader.fieldnames or ()) or 'none'}.",
            field="rules",
            hint=f"They are {', '.join(COLUMNS)}; all but strategy may be left out.",
        )
    rules = []
    for row in reader:
        cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
        try:
            clocks = [time.fromisoformat(cells[name]) if cells[name] else None for name in ("from", "to")]
            strategy = parse_name(cells["strategy"], "strategy")
        except ValueError as error:
            raise InvalidValue(
                f"Line {reader.line_num} of the rules cannot be read: {error}",
                field="rules",
                hint="Give a strategy, and times as 09:15.",
            ) from error
        rules.append(StrategyRule(strategy, cells["symbol"], cells["tag"], *clocks))
    return rules
