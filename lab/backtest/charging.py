"""What fills cost by the schedule of charges: told once a walk is over, as whole days decide it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache

from lab.backtest.desk import LabDesk
from lab.domain.fills import UNKNOWN, FillModel, LabTrade, TradedInstrument
from trading.domain import position
from trading.domain.charge_heads import Head
from trading.domain.charge_products import ChargedFill
from trading.domain.charges import DayCharges, estimate
from trading.domain.money import from_units, parse_amount, to_units
from trading.domain.position import Execution, Holding
from trading.errors import InvalidValue
from trading.queries.charge_estimates import DATA_FILE, shipped_schedule


@dataclass(frozen=True, slots=True)
class ChargedLines:
    """Charges head by head, in units, None where a head of a day is not known; and what the schedule does not know."""

    by_head: Mapping[Head, int | None] = field(default_factory=dict)
    findings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PlannedFill:
    """One fill of a walk as the schedule sees it; each is an order of its own."""

    symbol: str
    day: date
    execution: Execution


def charged_model(model: FillModel, charges: str) -> FillModel:
    """Return a model that charges as a text says: by a plan, a percentage, or `UNKNOWN`. Raises: InvalidValue."""
    plans = shipped_schedule().plans()
    if charges == UNKNOWN:
        return model
    if charges in plans:
        return replace(model, plan=charges)
    with suppress(InvalidValue):
        percent = parse_amount(charges, "charges")
        if 0 <= percent < 100:
            return replace(model, charge_percent=percent)
    raise InvalidValue(
        f"charges is {charges}.",
        field="charges",
        hint=f"Give a brokerage plan ({', '.join(plans)}), a percentage of each fill's value, or {UNKNOWN}.",
    )


def charged_as(model: FillModel) -> str:
    """Return how a model charges, as a trial's setup tells it: of a plan with the digest of the schedule."""
    return f"{model.charged} {_digest_of_schedule()}" if model.plan else model.charged


@cache
def _digest_of_schedule() -> str:
    return hashlib.sha256(DATA_FILE.read_bytes()).hexdigest()[:8]


def shares_of(
    fills: Sequence[PlannedFill], instruments: Mapping[str, TradedInstrument], plan: str
) -> tuple[list[int | None], ChargedLines]:
    """Return each fill's charges in units, None where a head is not known, and the sums of the heads.

    All fills of a day are needed: it decides what of a share is intraday, and is rounded as one.
    """
    asked = [_charged_fill(fill, number, instruments[fill.symbol]) for number, fill in enumerate(fills)]
    answer = estimate(asked, shipped_schedule(), plan=plan)
    shares: list[int | None] = []
    for fill in asked:
        amounts = [amount for amount in answer.shares[fill.key].values() if amount is not None]
        is_whole = len(amounts) == len(answer.shares[fill.key])
        shares.append(sum(map(to_units, amounts)) if is_whole else None)
    findings = dict.fromkeys(finding.text for finding in answer.findings)
    return shares, ChargedLines(_sums(answer.days), list(findings))


def charge_by_plan(desk: LabDesk) -> ChargedLines:
    """Charge every fill of a walk by the plan of its model, and fold its trades anew; without a plan change nothing.

    A trade of which one fill's charges are not known has none.
    """
    if not desk.book.model.plan:
        return ChargedLines()
    trades = [trade for trade in desk.trades if trade.fills]
    fills = [PlannedFill(trade.symbol, fill.day, fill.execution) for trade in trades for fill in trade.fills]
    charges, lines = shares_of(fills, desk.book.instruments, desk.book.model.plan)
    shares = iter(charges)
    for trade in trades:
        _fold_anew(trade, [next(shares) for _ in trade.fills])
    return lines


def _charged_fill(fill: PlannedFill, number: int, instrument: TradedInstrument) -> ChargedFill:
    key, execution = f"{number:09}", fill.execution
    return ChargedFill(
        key=key, day=fill.day, segment=instrument.segment, exchange=instrument.exchange, scrip=fill.symbol,
        side=execution.side, quantity=from_units(execution.quantity), price=from_units(execution.price),
        multiplier=from_units(instrument.multiplier), order=key, group=instrument.group, rank=key,
    )  # fmt: skip


def _fold_anew(trade: LabTrade, charges: Sequence[int | None]) -> None:
    are_known = None not in charges
    holding = Holding(trade.holding.side, trade.holding.multiplier)
    for number, (fill, share) in enumerate(zip(trade.fills, charges, strict=True)):
        execution = fill.execution._replace(charges=share if are_known else None)
        holding, realised = position.apply(holding, execution)
        trade.fills[number] = replace(fill, execution=execution, realised=realised)
    trade.holding = holding


def _sums(days: Iterable[DayCharges]) -> dict[Head, int | None]:
    sums: dict[Head, int | None] = {}
    for day in days:
        for head, amount in day.heads.items():
            before = sums.get(head, 0)
            sums[head] = None if amount is None or before is None else before + to_units(amount)
    return sums
