"""Booking what breaks propose, each by the operation that a person would call: void, amend, state_charges, or a fill.

For use inside the transaction of an approval: a proposal that fits no longer raises, and then nothing is booked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from trading.domain.breaks import Break, BreakKind, Figures, Remedy
from trading.domain.charge_breaks import BrokerCharge, charge_breaks
from trading.domain.charge_heads import Head
from trading.domain.stated_charges import ChargeSource, ChargeStatement
from trading.errors import InvalidValue
from trading.models import Account, BrokerFile, Fill, Trade
from trading.operations.amend import amend
from trading.operations.book_missing_fills import MissingFill, book_missing_fills
from trading.operations.state_charges import state_charges
from trading.operations.void_fills import void_fills
from trading.queries import facts
from trading.queries.ledger_side import charges_between

AGAIN = "Reconcile again: the ledger or the break has changed since."
_HEADS = {head.value for head in Head}


def book_proposals(account: Account, breaks: Sequence[Break], *, by: str, reason: str) -> None:
    """Book what some breaks of an account propose; of one that proposes nothing to book nothing.

    Raises: InvalidValue where a proposal fits no longer; CrossesZero and others that the operations raise.
    """
    by_action: defaultdict[Remedy, list[Break]] = defaultdict(list)
    for each in breaks:
        by_action[each.proposal.action].append(each)
    _void(account, by_action[Remedy.VOID_FILL], by=by, reason=reason)
    for each in by_action[Remedy.AMEND_FILL]:
        _amend(account, each, by=by, reason=reason)
    missing = [MissingFill.of(each.proposal.arguments) for each in by_action[Remedy.BOOK_FILL]]
    book_missing_fills(account, missing, by=by, reason=reason)
    _state(account, by_action[Remedy.STATE_CHARGES], by=by, reason=reason)


def _void(account: Account, breaks: Sequence[Break], *, by: str, reason: str) -> None:
    """Void the fills that breaks name."""
    by_trade: defaultdict[int, set[int]] = defaultdict(set)
    for each in breaks:
        rows = list(_rows(account, each))
        _must_stand(each, [fill for _, fill in rows])
        for trade, fill in rows:
            by_trade[trade.pk].add(fill.sequence)
    if by_trade:
        void_fills(by_trade, by=by, reason=reason)


def _amend(account: Account, each: Break, *, by: str, reason: str) -> None:
    ((trade, fill),) = _rows(account, each)
    _must_stand(each, [fill])
    arguments = each.proposal.arguments
    at = arguments.get("at")
    amend(
        trade.pk,
        by=by,
        reason=reason,
        fill=fill.sequence,
        price=arguments.get("price"),
        quantity=arguments.get("quantity"),
        at=None if at is None else datetime.fromisoformat(at),
    )


def _state(account: Account, breaks: Sequence[Break], *, by: str, reason: str) -> None:
    """State charges as those of the documents that they stand in. Raises: InvalidValue where firmer ones stand."""
    by_document: defaultdict[tuple[str, ChargeSource], list[ChargeStatement]] = defaultdict(list)
    for each in breaks:
        arguments = each.proposal.arguments
        source = ChargeSource(_text(arguments, "source"))
        by_document[_text(arguments, "document"), source] += [
            ChargeStatement(
                day=date.fromisoformat(_text(arguments, "day")),
                last_day=date.fromisoformat(_text(arguments, "last_day")),
                segment=_text(arguments, "segment"),
                head=Head(name),
                amount=Decimal(amount),
                source=source,
            )
            for name, amount in arguments.items()
            if name in _HEADS and amount is not None
        ]
    for (document, _), lines in by_document.items():
        files = BrokerFile.objects.filter(account=account, sha256=document).exclude(sha256="")
        broker = files.values_list("broker", flat=True).first() or ""
        # Another document may have said otherwise since: what was approved stands all the same.
        state_charges(account.code, lines, by=by, text=reason, document=document, broker=broker, in_place_of_all=True)
    for (document, source), lines in by_document.items():
        _must_count(account, lines, document, is_note=source is ChargeSource.NOTE)


def _must_count(account: Account, lines: Sequence[ChargeStatement], document: str, *, is_note: bool) -> None:
    """Raise InvalidValue where the ledger does not have what was just stated: something firmer within it stands."""
    days = min(line.day for line in lines), max(line.last_day for line in lines)
    stated = [
        BrokerCharge(line.day, line.last_day, line.segment, line.head, line.amount, document, is_note) for line in lines
    ]
    for each in charge_breaks(charges_between(account, *days, plan=None), stated).breaks:
        if each.kind is BreakKind.CHARGES:
            raise InvalidValue(
                f"{each.proposal.text} That would change nothing: other statements of these days stand before it.",
                field="breaks",
                hint="Accept it as it is, or approve it without breaks of another file of the same days.",
            )


def _rows(account: Account, each: Break) -> Iterator[tuple[Trade, Fill]]:
    """Yield the ledger's rows that a proposal names, as corrections have left them. Raises: InvalidValue."""
    arguments, figures = each.proposal.arguments, each.ledger or {}
    seen = (figures.get("side"), Decimal(figures.get("price") or 0))
    for suffix in ("", "_2"):
        if f"trade_id{suffix}" not in arguments:
            return
        sequence = int(_text(arguments, f"sequence{suffix}"))
        trades = Trade.objects.filter(account=account, trade_id=_text(arguments, f"trade_id{suffix}"))
        trades = trades.filter(strategy__code=_text(arguments, f"strategy{suffix}")).exclude(state=Trade.State.VOID)
        rows = [
            (trade, fill)
            for trade in trades.select_related("account", "strategy", "instrument__exchange")
            for fill in facts.fills_of(trade)
            if fill.sequence == sequence and (fill.side, fill.price) == seen
        ]
        if len(rows) != 1:
            raise _unfit(each)
        yield rows[0]


def _must_stand(each: Break, fills: Sequence[Fill]) -> None:
    """Raise InvalidValue where the rows are of another quantity than the break was seen with."""
    quantity = Decimal((each.ledger or {}).get("quantity") or 0)
    if sum((fill.quantity for fill in fills), Decimal(0)) != quantity:
        raise _unfit(each)


def _text(arguments: Figures, name: str) -> str:
    return arguments.get(name) or ""


def _unfit(each: Break) -> InvalidValue:
    return InvalidValue(f"What break {each.id} proposes fits the ledger no longer.", field="breaks", hint=AGAIN)
