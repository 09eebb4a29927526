"""One trade's whole life: its figures, why it was opened, its fills and stops, its prices, its review, its journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.domain.excursions import PathExtremes
from trading.domain.feed_gaps import mark
from trading.domain.flags import DAY_ONLY
from trading.domain.money import from_units
from trading.domain.position import in_risks
from trading.models import Fill, Journal, Screenshot, Signal, StopChange, Trade
from trading.queries import facts
from trading.queries.charge_estimates import estimates_of
from trading.queries.excursions import TickReader, instant, measure, ns, symbol_of, ticks_of
from trading.queries.screenshots import screenshots_of
from trading.queries.trade_list import TradeRow, related, trade_row


@dataclass(frozen=True, slots=True)
class TradeLife:
    """Everything that is known of one trade. ``times`` (ns UTC) and ``prices`` are the ticks while it was open;
    ``excursion`` is None of a void trade, and of one whose times are known to the day only."""

    row: TradeRow
    currency: str
    fills: Sequence[tuple[Fill, Decimal | None]]
    stops: Sequence[StopChange]
    signals: Sequence[Signal]
    journal: Sequence[Journal]
    screenshots: Sequence[Screenshot]
    excursion: PathExtremes | None
    quiet_seconds: float | None
    initial_risk: Decimal | None
    initial_stop_price: Decimal | None
    times: Sequence[int]
    prices: Sequence[float]
    charges_estimated: Decimal | None = None  # where the account has a brokerage plan

    def excursion_fields(self) -> dict[str, Any]:
        """Return MAE and MFE in money and R, where and when, what was given back of it, and the mark of a gap."""
        excursion = self.excursion
        if excursion is None:
            return {}
        ends = {"mae": excursion.mae, "mfe": excursion.mfe}
        fields: dict[str, Any] = {}
        for name, extreme in ends.items():
            pnl = from_units(extreme.pnl)
            risks = in_risks(pnl, self.initial_risk)
            fields |= {name: pnl, f"{name}_r": risks, f"{name}_price": from_units(extreme.price)}
            fields[f"{name}_at"] = instant(extreme.at)
        fields["given_back"] = fields["mfe"] - self.row.trade.realised_pnl
        return {**fields, "ticks": excursion.ticks, "gap": mark(self.quiet_seconds)}


def trade_life(pk: int, reader: TickReader, *, now: datetime) -> TradeLife:
    """Return the life of a trade so far; its ticks are walked anew.

    Raises: Trade.DoesNotExist, StoreUnavailable.
    """
    trade = related(Trade.objects.all()).get(pk=pk)
    fills = facts.fills_with_pnl(trade)
    is_walked = trade.state != Trade.State.VOID and bool(fills) and DAY_ONLY not in trade.flags
    symbol = symbol_of(trade)
    stop = trade.closed_at or now
    table = reader.ticks(symbol, ns(trade.opened_at), ns(stop) + 1000, account=trade.account.code)
    times, prices = ticks_of(table)
    measured = measure(reader, trade.account.code, symbol, [trade]).trades[0] if is_walked else None
    return TradeLife(
        row=trade_row(trade),
        currency=trade.account.currency,
        fills=fills,
        stops=list(trade.stop_changes.order_by("at", "pk")),
        signals=list(trade.signals.order_by("at", "pk")),
        journal=facts.journal_of(trade),
        screenshots=screenshots_of(trade),
        excursion=None if measured is None else measured.excursion,
        quiet_seconds=None if measured is None else measured.quiet_seconds,
        initial_risk=trade.initial_risk,
        initial_stop_price=trade.initial_stop_price,
        times=times.tolist(),
        prices=prices.tolist(),
        charges_estimated=estimates_of(Trade.objects.filter(pk=pk)).get(pk),
    )
