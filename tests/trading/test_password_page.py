"""The page on which everybody changes the own password, staff or not, in a group or in none."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests import page_desk
from tests.trading.test_web_pages import words
from trading import login_tries
from trading.models import User

pytestmark = pytest.mark.usefixtures("ledger")
NEW = "crorepati-11"


@pytest.fixture(autouse=True)
def fast_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def logged_in(name: str) -> Client:
    client = Client()
    assert client.login(username=name, password=page_desk.PASSWORD)
    return client


def test_who_is_no_staff_changes_the_password_and_is_logged_out_everywhere_else() -> None:
    viewer = page_desk.member("viewer", password=page_desk.PASSWORD)
    User.objects.filter(pk=viewer.pk).update(is_staff=False)
    here, elsewhere = logged_in("viewer"), logged_in("viewer")
    assert '<a href="/password/">Change password</a>' in here.get("/").content.decode()
    sent = {"old_password": page_desk.PASSWORD, "new_password1": NEW, "new_password2": NEW}
    wrong = here.post("/password/", sent | {"old_password": "guessed"})
    assert (wrong.status_code, "old password was entered incorrectly" in words(wrong.content.decode())) == (200, True)
    answer = here.post("/password/", sent, follow=True)
    assert answer.redirect_chain == [("/password/done/", 302)] and "Password changed" in words(answer.content.decode())
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302
    assert User.objects.get(pk=viewer.pk).check_password(NEW)


def test_the_old_password_is_throttled_as_the_login_is_and_with_it() -> None:
    page_desk.member("viewer", password=page_desk.PASSWORD)
    here = logged_in("viewer")
    right = {"old_password": page_desk.PASSWORD, "new_password1": NEW, "new_password2": NEW}
    for _ in range(login_tries.TRIES_MAX + 1):  # the old one is right: no try that counts
        assert here.post("/password/", right | {"new_password2": "another"}).status_code == 200
    for _ in range(login_tries.TRIES_MAX):
        assert here.post("/password/", right | {"old_password": "guessed"}).status_code == 200
    refused = here.post("/password/", right)
    assert (refused.status_code, "Too many tries" in refused.content.decode()) == (429, True)
    assert int(refused["Retry-After"]) > 60
    assert User.objects.get(username="viewer").check_password(page_desk.PASSWORD)
    assert Client().post("/login/", {"username": "viewer", "password": page_desk.PASSWORD}).status_code == 429
    login_tries.unlock("viewer")
    assert here.post("/password/", right).status_code == 302


def test_the_page_is_the_sites_own_for_staff_and_for_who_is_in_no_group() -> None:
    page_desk.member("operator", password=page_desk.PASSWORD)
    User.objects.create_user("nobody", password=page_desk.PASSWORD)
    for name in ("operator", "nobody"):
        page = logged_in(name).get("/password/")
        assert [part.name for part in page.templates][:2] == [
            "registration/password_change_form.html",
            "velox/alone.html",
        ]
        assert f"Of {name}." in words(page.content.decode())
    assert '<a href="/password/">Change password</a>' in logged_in("operator").get("/admin/").content.decode()


def test_the_icon_stands_on_pages_alone_and_in_the_admin() -> None:
    client = Client()
    pages = [client.get("/login/").content.decode()]
    client.force_login(page_desk.member("operator"))
    pages += [client.get(address).content.decode() for address in ("/", "/nothing/", "/admin/", "/password/")]
    assert all('rel="icon"' in page and "icon.svg" in page for page in pages)
