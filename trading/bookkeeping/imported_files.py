"""The row of an imported file, and what keeps a whole file out of an account."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime

from django.conf import settings

from trading.bookkeeping import incoming_fills, journal
from trading.brokers.values import Broker, Statement
from trading.domain.chain import JournalEntry, chain_code
from trading.errors import CurrencyMismatch, InvalidValue, WrongClient
from trading.models import Account, BrokerFile
from trading.transactions import busy, writing

_OF_API = "api_"  # what kinds of answers of an API begin with


def client_code(broker: str, client: str | None) -> str:
    """Return the keyed code that stands for a client of a broker; nobody reads the client's own code from it."""
    name = (client or "").strip().upper()
    return chain_code(str(settings.JOURNAL_KEY), f"client of {broker}", name) if name else ""


def must_fit(account: Account, statement: Statement, tried: Sequence[Statement] = ()) -> None:
    """Raise what keeps the whole file out of the account; ``tried`` are files that would be imported before it."""
    if any(line.at is not None and line.at.tzinfo is None for line in statement.fills):
        raise InvalidValue(
            f"{statement.file} has times without a zone.", field="zone", hint="State it: --zone Asia/Kolkata."
        )
    currencies = sorted({line.currency for line in statement.fills} - {account.currency})
    if currencies:
        code = shlex.quote(f"{account.code}-{currencies[0].lower()}")
        raise CurrencyMismatch(
            f"{statement.file} is in {', '.join(currencies)}, account {account.code} is kept in {account.currency}.",
            field="account",
            hint=f"Make one: `manage.py account create {code} --book {account.book} --currency {currencies[0]}`.",
        )
    house = incoming_fills.house_of(statement.broker)
    client = client_code(house, statement.client)
    files = BrokerFile.objects.filter(account=account, broker=house).values_list("kind", "client").distinct()
    clients = {(kind, code) for kind, code in files.order_by() if code}
    for file in tried:
        if incoming_fills.house_of(file.broker) == house and file.client:
            clients.add((file.kind, client_code(house, file.client)))
    if statement.broker is Broker.DHAN:  # whose API calls a client by another code than its reports do
        is_of_api = statement.kind.startswith(_OF_API)
        clients = {(kind, code) for kind, code in clients if kind.startswith(_OF_API) == is_of_api}
    if client and any(code != client for _, code in clients):
        raise WrongClient(
            f"{statement.file} is of another client than the files of account {account.code} before it.",
            field="account",
            hint="Nothing was booked. Import it into an account of its own.",
        )


def keep_file(account: Account, statement: Statement, *, by: str) -> BrokerFile:
    """Write the row of the file, once."""
    house = incoming_fills.house_of(statement.broker)
    with writing():
        account, head = journal.lock_account(account.code)
        of = {"account": account, "sha256": statement.sha256, "kind": statement.kind}
        earlier = BrokerFile.objects.filter(**of).first()
        if earlier is not None:
            return earlier
        now = datetime.now(UTC)
        cells: JournalEntry = {
            "broker": house,
            "client": client_code(house, statement.client),
            "first_day": statement.first_day,
            "last_day": statement.last_day,
            "rows_read": statement.rows_read,
            "fills": len(statement.fills),
        }
        file = BrokerFile.objects.create(**of, **cells, recorded_at=now, recorded_by=by)
        body = {"file": {"id": file.pk, "sha256": file.sha256, "kind": file.kind, **cells}}
        journal.append(account, "import_file", body, now=now, by=by, head=head)
        return file


def must_be_kept(account_code: str, statement: Statement) -> None:
    """Raise LedgerBusy, within a transaction, where the row of the file is gone: the account was cleared since."""
    account, _ = journal.lock_account(account_code)
    if not BrokerFile.objects.filter(account=account, sha256=statement.sha256, kind=statement.kind).exists():
        raise busy(f"account {account_code} was cleared at the same time")
