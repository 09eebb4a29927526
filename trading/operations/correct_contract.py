"""Put right what the desk knows of an instrument. What was traded in it follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trading.bookkeeping import correcting
from trading.bookkeeping.contract_terms import FOLDED, terms_of, text_of
from trading.errors import CurrencyMismatch, InvalidValue
from trading.models import Instrument, Trade
from trading.queries import facts
from trading.transactions import writing

NAMED_MAX = 5


@dataclass(frozen=True, slots=True)
class CorrectedContract:
    """The instrument as it is now, the terms that changed, and how many trades were folded anew."""

    instrument: Instrument
    changed: tuple[str, ...]
    trades: int


def correct_contract(
    instrument_pk: int, *, by: str, reason: str, reviewed: bool = True, **terms: Any
) -> CorrectedContract:
    """Return the instrument with these terms (`contract_terms.PARSERS`); what is right already changes nothing.

    Every trade in it that is not void is folded anew, in whatever account, with a correction that says who and why, and
    the totals of its days follow, all in one transaction. Instrument, author and reason are sealed. ``reviewed`` tells
    whether a person has now looked at all of it.

    Raises: InvalidValue; CurrencyMismatch for a currency that accounts with trades in it do not keep; InvalidValue and
        CrossesZero where a trade would not stand with these terms; LedgerBusy, LedgerNotReady.
    """
    by, reason, given = correcting.author(by), correcting.why(reason), terms_of(terms)
    now = datetime.now(UTC)
    with writing():
        instrument = Instrument.objects.select_related("exchange").filter(pk=instrument_pk).first()
        if instrument is None:
            raise InvalidValue(f"There is no instrument {instrument_pk}.", field="instrument")
        was = {name: getattr(instrument, name) for name, value in given.items() if getattr(instrument, name) != value}
        if not was and instrument.reviewed == reviewed:
            return CorrectedContract(instrument, (), 0)
        if "currency" in was:
            _must_be_kept_in(given["currency"], instrument)
        for name in was:
            setattr(instrument, name, given[name])
        instrument.reviewed = reviewed
        instrument.save(because={"by": by, "reason": reason})
        trades = _fold_anew(instrument, was, by=by, reason=reason, now=now)
    return CorrectedContract(instrument, tuple(was), trades)


def _fold_anew(instrument: Instrument, was: Mapping[str, Any], *, by: str, reason: str, now: datetime) -> int:
    folded = [name for name in FOLDED if name in was]
    if not folded:
        return 0
    body = {
        "was": {name: text_of(was[name]) for name in folded},
        "now": {name: text_of(getattr(instrument, name)) for name in folded},
    }
    # In the order of the accounts: whoever else holds two of their chains takes them in that order, too.
    rows = _standing(instrument).order_by("account", "pk").values_list("pk", flat=True)
    for pk in rows:
        trade, head = correcting.locked(pk)
        correcting.write(trade, head, kind=facts.CONTRACT, body=body, reason=reason, by=by, now=now)
    return len(rows)


def _must_be_kept_in(currency: str, instrument: Instrument) -> None:
    others = _standing(instrument).exclude(account__currency=currency).order_by("pk")
    booked = [f"{trade.trade_id} of {trade.account}" for trade in others.select_related("account")[: NAMED_MAX + 1]]
    if booked:
        listed = ", ".join(booked[:NAMED_MAX]) + (", and more" if len(booked) > NAMED_MAX else "")
        raise CurrencyMismatch(
            f"{instrument.symbol} has trades in accounts that are not kept in {currency}: {listed}.",
            field="currency",
            hint=f"Void them first (`manage.py void ID`), and book them in an account in {currency}.",
        )


def _standing(instrument: Instrument) -> Any:
    return Trade.objects.filter(instrument=instrument).exclude(state=Trade.State.VOID)
