"""Who sees which page, what stands in the headers, and the pages that say that something went wrong."""

from __future__ import annotations

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django_structlog.signals import bind_extra_request_metadata
from structlog.contextvars import get_contextvars

from tests import page_desk
from trading.health import recent as health
from trading.models import Trade, User
from trading.web import health as health_page
from trading.web import overview

pytestmark = pytest.mark.usefixtures("ledger")

LISTS = ("/trades/", "/strategies/", "/calendar/", "/days/2024-03-15/", "/symbols/", "/signals/", "/reconcile/")


@pytest.fixture
def asha(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("asha"))
    return client


def test_the_admins_own_login_is_the_login_of_all_pages(client: Client) -> None:
    answer = client.get("/admin/login/?next=/admin/trading/trade/")
    assert answer["Location"] == "/login/?next=/admin/trading/trade/"


def test_a_login_leads_back_to_the_page_that_was_asked_for(client: Client) -> None:
    User.objects.create_superuser("asha", password=page_desk.PASSWORD)
    sent = {"username": "asha", "password": page_desk.PASSWORD, "next": "/trades/"}
    assert client.post("/login/", sent)["Location"] == "/trades/"
    assert client.get("/trades/").status_code == 200


def test_a_login_never_leads_to_another_host(client: Client) -> None:
    User.objects.create_superuser("asha", password=page_desk.PASSWORD)
    for place in ("https://evil.example/", "//evil.example"):
        sent = {"username": "asha", "password": page_desk.PASSWORD, "next": place}
        assert client.post("/login/", sent)["Location"] == "/"


def test_a_wrong_password_is_told_without_a_hint_at_which_part_was_wrong(client: Client) -> None:
    User.objects.create_superuser("asha", password=page_desk.PASSWORD)
    pages = [client.post("/login/", {"username": name, "password": "no"}) for name in ("asha", "nobody")]
    errors = {str(page.context["form"].non_field_errors()) for page in pages}
    assert len(errors) == 1
    assert "correct username and password" in errors.pop()


def test_a_user_who_may_not_enter_the_admin_is_told_so(client: Client) -> None:
    guest = User.objects.create_user("guest")
    guest.groups.add(Group.objects.get(name="viewer"))
    client.force_login(guest)
    page = client.get("/admin/", follow=True)
    assert "guest, who may not open that page" in page.content.decode()


def test_cookies_work_on_plain_http(client: Client) -> None:
    User.objects.create_superuser("asha", password=page_desk.PASSWORD)
    client.get("/login/")
    client.post("/login/", {"username": "asha", "password": page_desk.PASSWORD})
    session = client.cookies[settings.SESSION_COOKIE_NAME]
    assert not session["secure"]
    assert session["httponly"]
    assert session["samesite"] == "Lax"


def test_a_form_that_is_sent_after_the_session_ended_leads_back_to_its_page(client: Client) -> None:
    page_desk.trades(1)
    operator, page = page_desk.member("operator"), f"/trades/{Trade.objects.get().pk}/"
    forms = {f"{page}review/?side=LONG": f"{page}?side=LONG", f"{page}screenshots/": page,
             f"{page}screenshots/1/withdraw/": page, "/trades/filters/": "/trades/", "/logout/": "/"}  # fmt: skip
    for form, shown in forms.items():
        client.logout()
        login = client.post(form)["Location"]
        client.force_login(operator)
        address = parse_qs(urlsplit(login).query)["next"][0]
        assert client.get(address)["Location"] == shown
        assert client.get(shown).status_code == 200
        assert client.put(address).status_code == 405


def test_logging_out_needs_a_post(asha: Client) -> None:
    assert asha.get("/logout/")["Location"] == "/"
    assert asha.get("/").status_code == 200
    assert asha.post("/logout/")["Location"] == "/login/"
    assert asha.get("/").status_code == 302


@pytest.mark.parametrize("address", ["/login/", "/", *LISTS, "/admin/", "/nothing/", "/health/"])
def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere(asha: Client, address: str) -> None:
    policy = asha.get(address)["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("address", ["/login/", "/", *LISTS, "/admin/", "/admin/trading/trade/"])
def test_pages_hold_nothing_that_the_policy_forbids(asha: Client, address: str) -> None:
    text = asha.get(address).content.decode()
    for forbidden in ("<style", " style=", " onclick=", " onload=", "javascript:", "http://", "https://"):
        assert forbidden not in text.replace("http://www.w3.org/2000/svg", ""), forbidden


@pytest.mark.parametrize(("status", "code"), [("ok", 200), ("degraded", 200), ("down", 503)])
def test_health_says_one_word_to_everybody(
    client: Client, monkeypatch: pytest.MonkeyPatch, status: str, code: int
) -> None:
    monkeypatch.setattr(health_page, "recent", health.RecentReport())
    monkeypatch.setattr(health, "report", lambda **_: {"status": status, "parts": {"ledger": {"detail": "secret"}}})
    answer = client.get("/health/")
    assert (answer.status_code, answer.json()) == (code, {"status": status})
    assert "no-store" in answer["Cache-Control"]


def test_health_looks_once_a_second_however_many_ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    all_ask, another = threading.Barrier(8), threading.Event()

    def report(**_: Any) -> dict[str, Any]:
        looks.append("ok")
        if len(looks) > 1:
            another.set()
        another.wait(0.5)  # long enough for a second one to come in, where one could
        return {"status": "ok"}

    def ask(_: int) -> str:
        all_ask.wait(30)
        return recent.get()["status"]

    clock = SimpleNamespace(monotonic=lambda: seconds)
    seconds, recent = 100.0, health.RecentReport()
    monkeypatch.setattr(health, "report", report)
    monkeypatch.setattr(health, "time", clock)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == ["ok"] * 8
    assert len(looks) == 1
    seconds = 100.999
    assert (recent.get()["status"], len(looks)) == ("ok", 1)
    seconds = 101.0
    assert (recent.get()["status"], len(looks)) == ("ok", 2)


def test_health_that_could_not_look_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    recent = health.RecentReport()
    monkeypatch.setattr(health, "report", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        recent.get()
    monkeypatch.setattr(health, "report", lambda **_: {"status": "down"})
    assert recent.get()["status"] == "down"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("velox/velox.css", "text/css; charset=utf-8"),
        ("velox/icon.svg", "image/svg+xml"),
        ("admin/css/base.css", "text/css; charset=utf-8"),
        ("admin/js/core.js", "text/javascript; charset=utf-8"),
    ],
)
def test_a_static_file_is_served_once_and_then_known(client: Client, name: str, kind: str) -> None:
    first = client.get(f"/static/{name}")
    assert (first.status_code, first["Content-Type"]) == (200, kind)
    assert len(first.content) > 100
    again = client.get(f"/static/{name}", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_static_files_are_packed_and_pages_never(asha: Client) -> None:
    """A page holds secrets beside what its address said: its packed length would tell of them."""
    as_browsers_ask = {"accept-encoding": "gzip, deflate, br"}
    packed = asha.get("/static/velox/velox.css", headers=as_browsers_ask)
    plain = asha.get("/static/velox/velox.css")
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content) / 3
    assert packed["ETag"] != plain["ETag"]
    assert "Accept-Encoding" in packed["Vary"] and "Accept-Encoding" in plain["Vary"]
    assert (
        asha.get("/static/velox/velox.css", headers={**as_browsers_ask, "if-none-match": packed["ETag"]}).status_code
        == 304
    )
    for address in ("/", "/trades/", "/login/", "/admin/", "/trades/csv/"):
        assert "Content-Encoding" not in asha.get(address, headers=as_browsers_ask), address


def test_a_static_file_asks_the_ledger_nothing_and_the_log_names_who_asks_for_a_page(
    asha: Client, django_assert_num_queries: Any
) -> None:
    bound: list[dict[str, Any]] = []

    def note(**_: Any) -> None:
        bound.append(get_contextvars())

    bind_extra_request_metadata.connect(note)
    try:
        with django_assert_num_queries(0):
            asha.get("/static/velox/velox.css")
        asha.get("/password/")
    finally:
        bind_extra_request_metadata.disconnect(note)
    static, page = bound
    assert "user_id" not in static and page["user_id"] == User.objects.get(username="asha").pk
    assert static["request_id"] != page["request_id"]


@pytest.mark.parametrize(
    "name",
    ["nothing.css", "velox", "", "../settings.py", "..%2f..%2f..%2fmanage.py", "/etc/passwd", "velox/../../urls.py"],
)
def test_nothing_else_on_the_disk_is_served(client: Client, name: str) -> None:
    assert client.get(f"/static/{name}").status_code in (400, 404)


def test_an_unknown_address_has_a_page(client: Client) -> None:
    page = client.get("/nothing/")
    assert page.status_code == 404
    assert "Nothing at this address" in page.content.decode()


def test_an_unknown_account_or_day_is_named_and_escaped(asha: Client) -> None:
    for query in ("account=<script>x</script>", "day=<script>x</script>", "day=9999-12-31", "day=0001-01-01"):
        page = asha.get(f"/?{query}")
        assert page.status_code == 404
        assert "<script>" not in page.content.decode()
    assert "There is no account “&lt;script&gt;" in asha.get("/?account=<script>").content.decode()


def test_a_fault_has_a_page_that_tells_nothing_of_the_inside(asha: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(overview, "chosen_account", fail)
    asha.raise_request_exception = False
    page = asha.get("/")
    assert page.status_code == 500
    assert "Something broke" in page.content.decode()
    assert "the inside" not in page.content.decode()


def test_a_form_from_elsewhere_is_refused_with_a_page() -> None:
    page = Client(enforce_csrf_checks=True).post("/login/", {"username": "asha", "password": "x"})
    assert page.status_code == 403
    assert "out of date" in page.content.decode()


@pytest.mark.parametrize("address", ["/", *LISTS, "/admin/", "/admin/trading/trade/", "/nothing/"])
def test_a_demo_says_so_on_every_page(asha: Client, settings: Any, address: str) -> None:
    banner = '<p class="demo-banner"'
    assert banner not in asha.get(address).content.decode()
    settings.IS_DEMO = True
    assert banner in asha.get(address).content.decode()


def test_a_demo_says_so_before_the_login_and_after_a_fault(client: Client, settings: Any) -> None:
    settings.IS_DEMO = True
    assert '<p class="demo-banner"' in client.get(reverse("login")).content.decode()
    client.raise_request_exception = False
    client.force_login(User.objects.create_superuser("asha"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overview, "chosen_account", None)
        assert '<p class="demo-banner"' in client.get("/").content.decode()
