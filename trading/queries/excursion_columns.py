"""What the measured trades of a period went through, as columns: read once, whatever their parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trading.domain import figures, statistics
from trading.domain.exit_columns import group_sums
from trading.domain.exit_runs import Flags, Integers
from trading.domain.shapes import Excursions
from trading.models import Realisation
from trading.queries.as_known import untouched
from trading.queries.lines import WHOLE, WORDS, numbers, table_of, words
from trading.queries.statistics import Cut

COLUMNS = {
    **dict.fromkeys(("trade__excursion__mae", "trade__excursion__mfe", "trade__realised_pnl", "instrument_id"), WHOLE),
    **dict.fromkeys(("strategy__code", "trade__excursion__quiet_seconds"), WORDS),
}


@dataclass(frozen=True, slots=True)
class ExcursionColumns:
    """Measured trades that closed, an entry each; money in units of 10^-8, ``in_gap`` where ticks were missing."""

    strategies: NDArray[np.object_]
    instruments: Integers
    mae: Integers
    mfe: Integers
    pnl: Integers
    in_gap: Flags

    def of(self, cut: Cut) -> Excursions:
        """Return the figures of those that belong to a strategy, an instrument, or both."""
        places = np.arange(len(self.mae))
        if cut.strategy_id is not None:
            places = places[self.strategies[places] == cut.strategy_id]
        if cut.instrument_id is not None:
            places = places[self.instruments[places] == cut.instrument_id]
        size = len(places)
        mae, mfe, pnl = (
            sum(group_sums(column[places], np.zeros(min(1, size), dtype=np.int64)))
            for column in (self.mae, self.mfe, self.pnl)
        )
        return {
            "measured_trades": size,
            "avg_mae": figures.to_money(statistics.average(mae, size)),
            "avg_mfe": figures.to_money(statistics.average(mfe, size)),
            "given_back": figures.to_money(mfe - pnl) or Decimal(0),
            "trades_in_feed_gaps": int(self.in_gap[places].sum()),
        }


def excursions_as_columns(cut: Cut, days: tuple[date, date] | None) -> ExcursionColumns:
    """Return the measured trades of a cut that closed on these days; None are no days."""
    closing = Realisation.objects.filter(**cut.lookups(), closes=True, trade__excursion__isnull=False)
    closing = closing.none() if days is None else closing.filter(day__gte=days[0], day__lte=days[1])
    if cut.known_at is not None:
        closing = closing.filter(untouched(cut.known_at, of="trade__"))
        closing = closing.filter(trade__excursion__measured_at__lt=cut.known_at)
    table = table_of(closing, COLUMNS, by=["day"], stage="reading excursions")
    of_strategy, names = words(table["strategy__code"])
    quiet, seconds = words(table["trade__excursion__quiet_seconds"])
    return ExcursionColumns(
        np.array(names, dtype=object)[of_strategy],
        numbers(table["instrument_id"]),
        numbers(table["trade__excursion__mae"]),
        numbers(table["trade__excursion__mfe"]),
        numbers(table["trade__realised_pnl"]),
        np.array([text != "" for text in seconds], dtype=bool)[quiet],
    )
