"""Make an account."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from timeseries.values import parse_name
from trading.bookkeeping import arguments, contract_terms, journal
from trading.domain.money import parse_amount
from trading.errors import IdConflict, InvalidValue
from trading.models import Account, CapitalFlow
from trading.transactions import writing

BOOKS = ("live", "paper", "replay", "demo")


def create_account(
    code: str, *, book: str, currency: str, zone: str, capital: Any, capital_date: date, by: str = ""
) -> Account:
    """Return the account with its starting capital, dated. The same again answers with what is there.

    Raises: InvalidValue, IdConflict, LedgerBusy, LedgerNotReady.
    """
    code = parse_name(code, "code")
    book = arguments.one_of(book, "book", BOOKS)
    currency, zone = contract_terms.currency(currency), _zone(zone)
    amount = parse_amount(capital, "capital")
    now = datetime.now(UTC)
    with writing():
        content = {"book": book, "currency": currency, "zone": zone}
        account, is_new = Account.objects.get_or_create(code=code, defaults=content)
        if is_new:
            if amount:
                CapitalFlow.objects.create(
                    account=account, day=capital_date, amount=amount, note="Starting capital", recorded_at=now
                )
            body = {**content, "capital": amount, "capital_date": capital_date}
            journal.append(account, "create_account", body, now=now, by=by)
        elif any(getattr(account, name) != value for name, value in content.items()):
            raise IdConflict(
                f"Account {code} is there as {account.book}, {account.currency}, {account.zone}.",
                field="code",
                hint="Choose another code.",
            )
    return account


def _zone(value: Any) -> str:
    try:
        return ZoneInfo(value).key
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise InvalidValue(f"zone is {value!r}.", field="zone", hint="Give one such as Asia/Kolkata.") from error
