"""The totals of any trades: how many, how they went, and their P&L, all by one statement."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal

from django.db.models import Count, Q, QuerySet

from trading.domain.money import from_units
from trading.models import Account, Trade
from trading.queries.columns import UnitsSum
from trading.queries.kept import KeptAnswers
from trading.queries.results import BREAKEVEN, LOSS, WIN, with_result
from trading.queries.trade_filter import TradeFilter, matching
from trading.queries.trades import OPEN, VOID


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeTotals:
    """The totals of trades, void ones counted in ``trades`` alone.

    ``gross_pnl`` is realised, of open trades so far; ``charges`` adds up what is known, and
    ``trades_without_charges`` counts the others.
    """

    trades: int
    winning_trades: int
    losing_trades: int
    breakeven_trades: int
    open_trades: int
    void_trades: int
    gross_pnl: Decimal
    charges: Decimal
    trades_without_charges: int

    @property
    def earned(self) -> Decimal:
        """The gross P&L less the charges that are known."""
        return self.gross_pnl - self.charges

    def as_dict(self) -> dict[str, int | Decimal]:
        """Return the totals by name, as a command's JSON has them."""
        return {**asdict(self), "total_pnl": self.earned}


def filtered_totals(account: Account, filters: TradeFilter) -> TradeTotals:
    """Return the totals of the account's trades under a filter; a page is asked for again and again."""
    return _kept_totals.of(account, filters, lambda: totals_of(matching(account, filters)))


def totals_of(trades: QuerySet[Trade]) -> TradeTotals:
    """Return the totals of trades."""
    sums = trades.order_by().aggregate(
        all=Count("pk"),
        won=Count("pk", filter=with_result(WIN)),
        lost=Count("pk", filter=with_result(LOSS)),
        even=Count("pk", filter=with_result(BREAKEVEN)),
        open=Count("pk", filter=Q(state=OPEN)),
        void=Count("pk", filter=Q(state=VOID)),
        unknown=Count("pk", filter=Q(charges__isnull=True) & ~Q(state=VOID)),
        gross=UnitsSum("realised_pnl"),
        costs=UnitsSum("charges"),
    )
    return TradeTotals(
        trades=sums["all"],
        winning_trades=sums["won"],
        losing_trades=sums["lost"],
        breakeven_trades=sums["even"],
        open_trades=sums["open"],
        void_trades=sums["void"],
        gross_pnl=from_units(sums["gross"] or 0),
        charges=from_units(sums["costs"] or 0),
        trades_without_charges=sums["unknown"],
    )


_kept_totals: KeptAnswers[TradeTotals] = KeptAnswers(2**18)
