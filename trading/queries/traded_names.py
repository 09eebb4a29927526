"""The names that an account has traded under, as forms offer them."""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from trading.models import Account, Instrument, Strategy, Trade
from trading.queries.instruments import shown_symbol

NAMES_MAX = 500


def symbols_of(account: Account) -> list[str]:
    """Return the symbols that an account has traded, in order; at most 500."""
    traded = Exists(Trade.objects.filter(account=account, instrument=OuterRef("pk")))
    rows = Instrument.objects.filter(traded).order_by("symbol").values_list("exchange__code", "symbol")[:NAMES_MAX]
    return [shown_symbol(exchange, symbol) for exchange, symbol in rows]


def strategies_of(account: Account) -> list[str]:
    """Return the strategies that an account has traded by, in order."""
    # Only what this account traded: a name from another account would tell of it.
    traded = Exists(Trade.objects.filter(account=account, strategy=OuterRef("pk")))
    return list(Strategy.objects.filter(traded).order_by("code").values_list("code", flat=True))
