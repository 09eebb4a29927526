"""Making an account."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from timeseries.values import Number, parse_name
from trading.bookkeeping import arguments, contract_terms, journal
from trading.domain.chain import JournalEntry
from trading.domain.money import parse_amount
from trading.errors import IdConflict, InvalidValue
from trading.models import Account, CapitalFlow
from trading.transactions import writing

BOOKS = ("live", "paper", "replay", "demo")


def create_account(
    code: str, *, book: str, currency: str, zone: str, capital: Number, capital_date: date, by: str = ""
) -> Account:
    """Make an account with its starting capital, dated, and return it; the same again changes nothing.

    Raises: InvalidValue, IdConflict, LedgerBusy, LedgerNotReady.
    """
    code = parse_name(code, "code")
    book = arguments.one_of(book, "book", BOOKS)
    currency = contract_terms.currency(currency)
    try:
        zone = ZoneInfo(zone).key
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise InvalidValue(f"zone is {zone!r}.", field="zone", hint="Give one such as Asia/Kolkata.") from error
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
            body: JournalEntry = {**content, "capital": amount, "capital_date": capital_date}
            journal.append(account, "create_account", body, now=now, by=by)
        elif (account.book, account.currency, account.zone) != (book, currency, zone):
            raise IdConflict(
                f"Account {code} is there as {account.book}, {account.currency}, {account.zone}.",
                field="code",
                hint="Choose another code.",
            )
    return account
