"""No page of one account has a word or a figure of another, and each leads to the other accounts."""

from __future__ import annotations

import re
from datetime import timedelta
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib import admin
from django.test import Client

from tests import page_desk
from tests.routes import Route, routes, sample
from trading.admin.base import AccountFilter
from trading.data_manager import DataManager
from trading.models import Instrument, Strategy, Trade
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.publish_daily_summary import publish_daily_summary
from trading.operations.record_signal import record_signal
from trading.operations.write_day_note import write_day_note
from trading.queries.accounts import get_account
from trading.web import live

pytestmark = pytest.mark.usefixtures("ledger", "alone")

DAY = page_desk.DAY.date()
# Of each account: a word that stands in all its names and texts, and a price whose digits stand in its figures.
OWN = {"main": ("kestrel", "3713"), "replay": ("ospreys", "8597")}
DESK_WIDE = ("/static/", "/health/", "/login/", "/logout/", "/password/", "/events/", "/admin/", "/api/v1/docs/")


def fill(account: str) -> None:
    """Book a won, a lost and an open trade, signals, ticks and a note, all with the account's own word and price."""
    (word, digits), at = OWN[account], page_desk.OPENING
    names = {"strategy_id": f"{word} way", "symbol": word.upper()}
    price = f"{digits}.37"
    for number, (side, reason) in enumerate((("LONG", "stop"), ("SHORT", "target"))):
        trade_id = f"{word}-{number}"
        open_position(
            account, trade_id, **names, entry_price=price, quantity=1, entry_time=at, side=side,
            stop_price=int(digits) + (-9, 9)[number], signal_conditions={f"{word}_gap": int(digits)}, charges=1,
        )  # fmt: skip
        close_position(
            account, trade_id, **names, exit_price=int(digits) * 2, exit_time=at + timedelta(minutes=5),
            exit_reason=f"{word} {reason}", charges=1,
        )  # fmt: skip
    open_position(account, f"{word}-open", **names, entry_price=price, quantity=1, entry_time=at)
    record_signal(account, *names.values(), at, {word: digits}, decision="SKIPPED", reason=f"{word} was late")
    write_day_note(get_account(account), DAY, f"The {word} day", by="asha", after=0)
    publish_daily_summary(get_account(account), DAY)
    with DataManager(source=f"feed-of-{account}", account=account) as dm:
        assert dm.process_tick(word.upper(), {"ltp": int(digits) + 1}, at=at)


def keys_of(account: str) -> dict[str, str]:
    """Return the keys of the account's rows for `sample`."""
    word = OWN[account][0]
    return {
        "/trades/": str(Trade.objects.get(trade_id=f"{word}-0").pk),
        "/strategies/": str(Strategy.objects.get(code=f"{word} way").pk),
        "/symbols/": str(Instrument.objects.get(symbol=word.upper()).pk),
    }


def is_of_one_account(route: Route) -> bool:
    if not route.pattern.startswith(DESK_WIDE):
        return True
    lists = {f"/admin/trading/{model._meta.model_name}/": one for model, one in admin.site._registry.items()}
    listed = lists.get(route.pattern)
    return route.pattern.endswith("/csv/") or (listed is not None and AccountFilter in listed.list_filter)


def text_of(content: bytes) -> str:
    """Return what is written in an answer: of a workbook in its parts, of a picture nothing that matters."""
    if content.startswith(b"PK"):
        with ZipFile(BytesIO(content)) as workbook:
            content = b"\n".join(workbook.read(part) for part in workbook.namelist())
    return content.decode(errors="replace")


def strange(text: str, other: str) -> list[str]:
    """Return what of another account stands in a text."""
    word, digits = OWN[other]
    # Whole numbers alone: a link of a chain or a token may have any digits in it.
    figures = re.findall(rf"(?<![\w-]){digits[0]},?{digits[1:]}(?![\w-])", text)
    return [match[:80] for match in re.findall(rf"(?i)\S*{word}\S*", text) + figures]


def test_no_page_of_an_account_has_anything_of_another(client: Client) -> None:
    for account in OWN:
        fill(account)
    client.force_login(page_desk.member("asha"))
    faults, own_words = [], 0
    for account, other in (("main", "replay"), ("replay", "main")):
        for route in filter(is_of_one_account, routes()):
            address = sample(route, keys_of(account))
            answer: Any = client.get(address, {"account": account, "days": "all", "followed": "5"})
            if answer.status_code != 200:
                continue
            page = text_of(answer.getvalue())
            own_words += bool(strange(page, account))
            faults += [f"{address} of {account}: {match}" for match in strange(page, other)]
            is_page = "<main" in page and not route.pattern.startswith("/admin/")
            if is_page and f'?account={other}"' not in page:
                faults.append(f"{address}: no way to {other}")
            if is_page and not re.search(rf'\?account={account}" aria-current="true"', page):
                faults.append(f"{address}: does not say that it is of {account}")
    assert faults == []
    assert own_words > 30  # of both: else nothing was looked at
    for account, other in (("main", "replay"), ("replay", "main")):
        picture = live.OverviewLook(account)(True)
        assert picture is not None
        drawn = "".join(html for name, html in picture.sections.items())
        assert strange(drawn, account) and not strange(drawn, other)


def test_a_page_of_a_row_of_one_account_is_none_of_another(client: Client) -> None:
    for account in OWN:
        fill(account)
    client.force_login(page_desk.member("asha"))
    keys = keys_of("main")
    for route in routes():
        if route.pattern.startswith(("/strategies/<", "/symbols/<")):
            assert client.get(sample(route, keys), {"account": "replay"}).status_code == 404, route.pattern
        elif route.pattern.startswith("/trades/<"):  # a trade's account is its own, whatever is asked
            answer: Any = client.get(sample(route, keys), {"account": "replay"})
            assert strange(text_of(answer.getvalue()), "replay") == [], route.pattern
