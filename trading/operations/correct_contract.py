"""Correcting the terms of an instrument; what was traded in it is folded anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db.models import QuerySet

from timeseries.values import Number
from trading.bookkeeping import correcting
from trading.bookkeeping.contract_terms import FOLDED, Term, terms_of, text_of
from trading.errors import CurrencyMismatch, InvalidValue
from trading.models import Instrument, Trade
from trading.queries import facts
from trading.transactions import writing

NAMED_MAX = 5


@dataclass(frozen=True, slots=True)
class CorrectedContract:
    """A corrected instrument, the names of the terms that changed, and the number of trades that were folded anew."""

    instrument: Instrument
    changed: tuple[str, ...]
    trades: int


def correct_contract(
    instrument_pk: int, *, by: str, reason: str, reviewed: bool = True, **terms: Number | date | None
) -> CorrectedContract:
    """Give an instrument these terms (`contract_terms.PARSERS`) and return it; what is right already changes nothing.

    Every trade in it that is not void is folded anew, in whatever account, with a correction that says who and why, and
    the totals of its days follow, all in one transaction. Instrument, author and reason are sealed. ``reviewed`` tells
    whether a person has now looked at all of it.

    Raises: InvalidValue; CurrencyMismatch for a currency that accounts with trades in it do not keep; InvalidValue and
        CrossesZero where a trade would not stand with these terms; LedgerBusy, LedgerNotReady.
    """
    by, reason, right = correcting.author(by), correcting.why(reason), terms_of(terms)
    now = datetime.now(UTC)
    with writing():
        instrument = Instrument.objects.select_related("exchange").filter(pk=instrument_pk).first()
        if instrument is None:
            raise InvalidValue(f"There is no instrument {instrument_pk}.", field="instrument")
        trades = Trade.objects.filter(instrument=instrument).exclude(state=Trade.State.VOID)
        was = {name: getattr(instrument, name) for name, term in right.items() if getattr(instrument, name) != term}
        if not was and instrument.reviewed == reviewed:
            return CorrectedContract(instrument, (), 0)
        if "currency" in was:
            _must_be_kept_in(str(right["currency"]), instrument, trades)
        for name in was:
            setattr(instrument, name, right[name])
        instrument.reviewed = reviewed
        instrument.save(because={"by": by, "reason": reason})
        count = _fold_anew(instrument, trades, was, by=by, reason=reason, now=now)
    return CorrectedContract(instrument, tuple(was), count)


def _fold_anew(
    instrument: Instrument,
    trades: QuerySet[Trade],
    was: Mapping[str, Term],
    *,
    by: str,
    reason: str,
    now: datetime,
) -> int:
    """Correct these trades in the instrument, where a term that its figures follow from changed; return how many."""
    folded = [name for name in FOLDED if name in was]
    if not folded:
        return 0
    body = {
        "was": {name: text_of(was[name]) for name in folded},
        "now": {name: text_of(getattr(instrument, name)) for name in folded},
    }
    # In the order of the accounts: whoever else holds two of their chains takes them in that order, too.
    rows = trades.order_by("account", "pk").values_list("pk", flat=True)
    for pk in rows:
        trade, head = correcting.locked(pk)
        correcting.write(trade, head, kind=facts.CONTRACT, body=body, reason=reason, by=by, now=now)
    return len(rows)


def _must_be_kept_in(currency: str, instrument: Instrument, trades: QuerySet[Trade]) -> None:
    """Raise CurrencyMismatch where an account with trades in the instrument is not kept in the currency."""
    others = trades.exclude(account__currency=currency).order_by("pk")
    booked = [f"{trade.trade_id} of {trade.account}" for trade in others.select_related("account")[: NAMED_MAX + 1]]
    if booked:
        listed = ", ".join(booked[:NAMED_MAX]) + (", and more" if len(booked) > NAMED_MAX else "")
        raise CurrencyMismatch(
            f"{instrument.symbol} has trades in accounts that are not kept in {currency}: {listed}.",
            field="currency",
            hint=f"Void them first (`manage.py void ID`), and book them in an account in {currency}.",
        )
