"""docs/routes.md: every route, and what each role is answered there; a route without a row is none that anybody saw."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve

from tests import screenshots
from tests.functional import test_browser
from tests.routes import Route, fill_desk, first_keys, routes, sample
from trading.models import User
from trading.web import system

pytestmark = pytest.mark.usefixtures("ledger", "alone")

ROOT = Path(__file__).parents[2]
DOCUMENT, MADE = ROOT / "docs" / "routes.md", ROOT / "var" / "routes.md"
ROLES = ("anonymous", "no group", "viewer", "reviewer", "operator", "superuser")
PEOPLE = dict(zip(ROLES, (None, "nobody", "viewer", "reviewer", "operator", "asha"), strict=True))
OWN_AFFAIRS = {"/logout/", "/password/", "/password/done/", "/trades/filters/"}  # what everybody does for himself
OPEN = {"/login/", "/health/", "/health/live", "/metrics", "/static/<path:name>"}  # who asks for numbers shows a token
NO_PAGES = re.compile(  # what has no look: files, data, and what only says that something was done
    r"/(trades/(csv|xlsx|<int:pk>/(chart|screenshots/.*))|health(/live)?|password/done|static/.*|api/v1/openapi.json|admin/.+)/?"
)
# The login is throttled; of the admin its lists, histories and the way to a row do with a POST what they do with a GET.
NOT_POSTED = re.compile(r"/login/|/admin/(\w+/\w+/)?|.*(/history/|<path:object_id>/)")
HEAD = """\
# Routes and roles

Made by asking each address as each role (`tests/trading/test_routes.py`); do not edit it. When it differs, look at what
differs; then `cp var/routes.md docs/routes.md`.

`login`: sent to the login. 200: the page. 302: on to another page, as after what was done, from the key of a row that
is not there, or from where a form is sent to the page that has it. 400: the page, with what is wrong with what was
sent. 401: for a token alone. 403: told whom to ask. 404: not there. 405: not by this method. 501: only by the server of
`make serve`. A POST is sent with nothing in it; of routes without such a row it is 405 or does what a GET does. All
users are staff here, who enter the admin; others are sent from it to the login.

"""


def status(answer: Any) -> str:
    is_login = answer.status_code == 302 and "login/?next=" in answer["Location"]
    return "login" if is_login else str(answer.status_code)


def rows() -> Iterator[str]:
    """Yield the rows, those of the pages before the admin's: of each route one for GET, and for POST where it posts."""
    fill_desk()
    User.objects.create_user("nobody", is_staff=True)
    keys, sessions = first_keys(), {role: Client() for role in ROLES}

    def log_in(role: str) -> None:
        if PEOPLE[role]:
            sessions[role].force_login(User.objects.get(username=PEOPLE[role]))

    def ask(route: Route, role: str, method: str) -> str:
        answer = getattr(sessions[role], method.lower())(sample(route, keys))
        if route.pattern.endswith("/logout/"):
            log_in(role)
        is_kept = route.pattern.startswith("/static/") and answer.status_code == 200
        assert is_kept or "no-store" in answer.headers.get("Cache-Control", ""), f"{route.pattern} for {role}"
        return status(answer)

    for role in ROLES:
        log_in(role)
    once = {route.pattern: route for route in routes()}.values()
    for route in sorted(once, key=lambda route: route.pattern.startswith("/admin/")):
        for method in ("GET", "POST"):
            if method == "POST" and NOT_POSTED.fullmatch(route.pattern):
                continue
            last = ask(route, ROLES[-1], method)
            if method == "GET" or last != "405":
                statuses = [*(ask(route, role, method) for role in ROLES[:-1]), last]
                yield f"| `{route.pattern}` | {method} | {' | '.join(statuses)} |"


def test_every_role_is_answered_as_the_table_says_and_no_answer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "begin_proof", lambda _: True)
    heading = f"| route | method | {' | '.join(ROLES)} |\n|{'---|' * (2 + len(ROLES))}\n"
    text = HEAD + heading + "\n".join(rows()) + "\n"
    if DOCUMENT.read_text() != text:
        MADE.parent.mkdir(exist_ok=True)
        MADE.write_text(text)
    listed, answered = (page.splitlines() for page in (DOCUMENT.read_text(), text))
    assert [row for row in answered if row not in listed] == []
    assert [row for row in listed if row not in answered] == []
    assert listed == answered


@pytest.mark.parametrize(
    "addresses",
    [
        {*test_browser.PAGES, "/login/"},
        {*screenshots.PAGES.values(), *screenshots.STRANGERS.values()},
    ],
    ids=["in the browser's tests", "in the pictures"],
)
def test_every_page_is_looked_at(addresses: set[str]) -> None:
    rows = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in _lines()]
    operators = 2 + ROLES.index("operator")
    pages = {row[0] for row in rows if row[1] == "GET" and row[operators] == "200" and not NO_PAGES.fullmatch(row[0])}
    keys = re.compile(r"\{.*?\}")  # filled in when the pictures are made
    seen = {f"/{resolve(keys.sub('1', address.split('?')[0])).route}" for address in addresses - {"/nothing/"}}
    assert pages - seen == set()


def test_the_table_lets_nobody_in_who_should_not_be() -> None:
    """What holds for every route holds for the table: a fault that is copied into it does not become the rule."""
    assert len(_lines()) > 150
    for line in _lines():
        pattern, method, *cells = (cell.strip(" `") for cell in line.strip("|").split(" | "))
        answers = dict(zip(ROLES, cells, strict=True))
        if pattern.startswith("/api/") and pattern != "/api/v1/docs/":  # nobody but a token is let in there: test_api
            assert set(cells) <= {"401", "404", "405"} or pattern.endswith("/openapi.json"), line
            continue
        if pattern not in OPEN:
            assert answers["anonymous"] == "login", line
            assert answers["no group"] == "403" or "/log" in pattern or pattern.startswith("/password/"), line
        refused = [answers[role] == "403" for role in ROLES[2:]]
        assert refused == sorted(refused, reverse=True), f"who may more is refused: {line}"
        if not pattern.startswith("/admin/"):
            assert not refused[-1], line
            assert method == "GET" or refused[0] or pattern in OWN_AFFAIRS, f"a viewer writes: {line}"


def _lines() -> list[str]:
    return [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
