"""Instruments and strategies in use that a person has yet to look at."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet, Value

from trading.models import Account, Instrument, Signal, Strategy, Trade
from trading.queries.instruments import shown_symbol


class Unreviewed(NamedTuple):
    """What nobody has confirmed yet, by names as callers know them, in order."""

    instruments: list[str]
    strategies: list[str]


def unreviewed_instruments(account: Account | None = None) -> QuerySet[Instrument]:
    """Return the instruments in use (of an account) whose terms nobody has confirmed: money is counted with them."""
    rows = Instrument.objects.filter(_in_use("instrument", account), reviewed=False)
    return rows.select_related("exchange")


def unreviewed_strategies(account: Account | None = None) -> QuerySet[Strategy]:
    """Return the strategies in use (of an account) that nobody has looked at: a misspelt name is one of its own."""
    return Strategy.objects.filter(_in_use("strategy", account), reviewed=False)


def unreviewed_names(account: Account) -> Unreviewed:
    """Return the names of both in an account, by one question of the ledger."""
    instruments = unreviewed_instruments(account).order_by().values_list("exchange__code", "symbol")
    strategies = unreviewed_strategies(account).order_by().values_list(Value(""), "code")
    rows = sorted(instruments.union(strategies, all=True))
    return Unreviewed(
        [shown_symbol(exchange, name) for exchange, name in rows if exchange],
        [name for exchange, name in rows if not exchange],
    )


def _in_use(key: str, account: Account | None) -> Q:
    """Return the condition that a trade or a signal (of an account) is of the row."""
    of = {} if account is None else {"account": account}
    used = [Exists(model._default_manager.filter(**of, **{key: OuterRef("pk")})) for model in (Trade, Signal)]
    return Q(used[0]) | Q(used[1])
