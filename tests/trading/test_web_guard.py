"""Who may look at the desk at all, and what others are told; docs/routes.md has every route for every role."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from tests import page_desk
from trading.models import User
from trading.web.guard import NO_GROUP

pytestmark = pytest.mark.usefixtures("ledger")

PAGES = (
    "/",
    "/trades/",
    "/trades/1/",
    "/strategies/",
    *("/calendar/", "/days/2024-03-15/", "/strategies/1/", "/symbols/", "/signals/"),
)
LISTS = (
    "/admin/",
    "/admin/trading/trade/",
    "/admin/trading/trade/csv/",
    "/admin/trading/signal/",
    "/admin/trading/journal/",
)


def _plain() -> User:
    return User.objects.filter(username="plain").first() or User.objects.create_user("plain")


def _staff() -> User:
    return User.objects.create_user("staff", is_staff=True)


def _allowed_alone() -> User:
    user = User.objects.create_user("alone", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


def _in_an_empty_group() -> User:
    user = User.objects.create_user("empty", is_staff=True)
    user.groups.add(Group.objects.create(name="empty"))
    return user


def _left() -> User:
    user = page_desk.member("viewer")
    user.groups.clear()
    return user


@pytest.mark.parametrize("user", [_plain, _staff, _allowed_alone, _in_an_empty_group, _left])
def test_a_user_whom_no_group_lets_look_sees_nothing_and_is_told_whom_to_ask(
    client: Client, user: Callable[[], User]
) -> None:
    page_desk.trades(1)
    client.force_login(user())
    for address in (*PAGES, *LISTS):
        for answer in (client.get(address), client.post(address)):
            assert answer.status_code == 403, address
            page = answer.content.decode()
            assert NO_GROUP.replace("'", "&#x27;") in page, address
            assert "RELIANCE" not in page, address


def test_such_a_user_can_leave(client: Client) -> None:
    client.force_login(_plain())
    assert 'action="/logout/"' in client.get("/").content.decode()
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/")["Location"].startswith("/login/")


@pytest.mark.parametrize("name", ["viewer", "reviewer", "operator"])
def test_a_member_who_may_not_do_a_thing_has_a_page_that_says_whom_to_ask(client: Client, name: str) -> None:
    client.force_login(page_desk.member(name))
    for address in ("/admin/trading/user/", "/admin/trading/account/add/"):
        answer = client.get(address)
        assert answer.status_code == 403
        assert "ask whoever keeps VELOX" in answer.content.decode()


def test_a_group_of_the_desks_own_that_may_view_trades_opens_the_pages(client: Client) -> None:
    group = Group.objects.create(name="auditors")
    group.permissions.add(Permission.objects.get(codename="view_trade"))
    user = _plain()
    user.groups.add(group)
    client.force_login(user)
    assert client.get("/").status_code == 200


def test_a_user_who_was_made_inactive_is_sent_to_the_login(client: Client) -> None:
    user = page_desk.member("viewer")
    client.force_login(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get("/trades/")["Location"].startswith("/login/")


def test_what_is_not_there_and_a_file_of_records_are_not_kept_on_a_disk(client: Client) -> None:
    page_desk.trades(1)
    for name in (None, "plain", "viewer"):
        if name is not None:
            client.force_login(_plain() if name == "plain" else page_desk.member(name))
        for address in ("/nothing/", "/?account=nobody", "/static/nothing.css", "/trades"):
            assert "no-store" in client.get(address).headers.get("Cache-Control", ""), f"{address} for {name}"
    chosen = {"action": "download", "_selected_action": ["1"]}
    client.force_login(page_desk.member("viewer"))
    csv = client.post("/admin/trading/trade/", chosen)
    assert csv["Content-Type"] == "text/csv; charset=utf-8"
    assert "no-store" in csv["Cache-Control"]


def test_an_answer_to_a_fault_is_not_kept_either(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.force_login(page_desk.member("asha"))
    client.raise_request_exception = False
    monkeypatch.setattr("trading.web.overview.chosen_account", None)
    answer = client.get("/")
    assert (answer.status_code, answer["Cache-Control"]) == (500, "no-store")


def test_a_static_file_stays_in_the_browser_for_a_while(client: Client) -> None:
    first = client.get("/static/velox/velox.css")
    assert first["Cache-Control"] == "public, max-age=60"
    again = client.get("/static/velox/velox.css", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again["Cache-Control"]) == (304, "public, max-age=60")
