"""Booking a split or a bonus that a broker's file proposes, once a person confirms it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from timeseries.values import Number
from trading.bookkeeping import arguments, correcting
from trading.bookkeeping.deciding import action_of, decide, is_decided
from trading.bookkeeping.splitting import cut_before, follow, groups_of
from trading.domain import money
from trading.domain.split import BONUS, SPLIT, text_of
from trading.domain.values import Position
from trading.errors import IdConflict, InvalidValue
from trading.models import ActionDecision, CorporateAction
from trading.operations.apply_split import apply_split
from trading.queries.instruments import find_instrument, plain_name
from trading.transactions import together

SPLITS = (CorporateAction.Kind.SPLIT, CorporateAction.Kind.BONUS, CorporateAction.Kind.QUANTITY)


def confirm_split(
    action_pk: int,
    *,
    by: str,
    reason: str,
    new: Number | None = None,
    old: Number | None = None,
    kind: str | None = None,
    day: date | None = None,
    symbol: str | None = None,
) -> list[Position]:
    """Book a proposed split or bonus on what was open at the start of its day, and return the trades.

    What the file does not tell, or tells wrongly, the person gives: ``new`` units for ``old`` (of a bonus on top of
    them), ``kind`` split or bonus, the ``day`` from which on prices are of new units, the ``symbol``. Imported fills of
    that day and later are of new units: trades with such fills are booked anew around the split. The same again
    changes nothing.

    Raises: InvalidValue where a term is not known, units would become fractions or somebody had a hand in a trade;
        UnknownTrade where nothing was held; IdConflict where something else was decided; LedgerBusy, LedgerNotReady.
    """
    by, reason = correcting.author(by), correcting.why(reason)
    with together():
        action = action_of(action_pk)
        if action.kind not in SPLITS:
            raise InvalidValue(f"Action {action.pk} is of kind {action.kind}, and no split.", field="action")
        kind = arguments.one_of(kind or (BONUS if action.kind == BONUS else SPLIT), "kind", (SPLIT, BONUS))
        new, old = (new, old) if new is not None or old is not None else (action.new, action.old)
        if new is None or old is None:
            raise InvalidValue(
                f"The file does not tell the ratio of action {action.pk}.",
                field="new",
                hint="Give it, such as --split 2:1 or --bonus 1:1.",
            )
        symbol = plain_name(symbol or action.symbol) if symbol or action.symbol else ""
        instrument = find_instrument(symbol) if symbol else None
        if instrument is None:
            raise InvalidValue(
                f"Which symbol action {action.pk} is of is not known.", field="symbol", hint="Give it with --symbol."
            )
        day = day or action.day
        text = text_of(kind, money.parse_quantity(new, "new"), money.parse_quantity(old, "old"))
        terms = f"{text} of {symbol} from {day}"
        at = datetime.combine(day, time(), ZoneInfo(instrument.exchange.zone))
        key = f"action-{action.key}"
        if is_decided(action, terms):
            return apply_split(action.account.code, symbol, new, old, at, key=key, kind=kind, by=by)
        twin = ActionDecision.objects.filter(account=action.account, terms=terms).first()
        if twin is not None:
            raise IdConflict(
                f"Action {twin.action_id} was the same: {terms}.",
                field="action",
                hint="Dismiss this one: two files tell one action.",
            )
        groups = groups_of(action.account, instrument)
        for group in groups:
            cut_before(group, day, by=by)
        positions = apply_split(action.account.code, symbol, new, old, at, key=key, kind=kind, by=by)
        for group in groups:
            follow(group, day, by=by)
        decide(action, terms, by=by, reason=reason, now=datetime.now(UTC), since=day)
    return positions
