"""The page of breaks: who sees them, who settles them, and what stands side by side."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests import page_desk
from tests.trading.test_brokers_page import TRADEBOOK
from trading.models import BreakEvent, Fill

pytestmark = pytest.mark.usefixtures("proved")


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(page_desk.member("operator"))
    return client


def posted(client: Client, status: int = 200, **fields: Any) -> str:
    answer = client.post("/reconcile/", fields)
    assert answer.status_code == status
    return answer.content.decode()


def compared(client: Client) -> str:
    return posted(client, compare="1", files=[SimpleUploadedFile("AB1234-book.csv", TRADEBOOK.encode())])


def ids() -> list[str]:
    return list(BreakEvent.objects.filter(event="opened").order_by("pk").values_list("break_id", flat=True))


def test_breaks_are_shown_side_by_side_and_booked_when_they_are_approved(operator: Client) -> None:
    page = compared(operator)
    assert "2 breaks are open; nothing was booked." in page
    assert page.count("Fill missing in the ledger") == 2
    assert "1500.5" in page and "AB1234" not in page
    assert not Fill.objects.exists()
    posted(operator, 302, breaks=ids(), reason="They are in the broker’s file.", approve="1")
    assert Fill.objects.count() == 2
    page = operator.get("/reconcile/").content.decode()
    assert "No break is open" in page
    assert "Approved and booked" in page and "operator" in page


def test_what_is_accepted_as_it_is_books_nothing(operator: Client) -> None:
    compared(operator)
    posted(operator, 302, breaks=ids(), reason="Another account’s.", as_it_is="1")
    assert not Fill.objects.exists()
    assert "Accepted as it is" in operator.get("/reconcile/").content.decode()


def test_a_reason_and_a_choice_are_asked_for(operator: Client) -> None:
    compared(operator)
    assert "This field is required." in posted(operator, breaks=ids(), reason="", approve="1")
    assert "Choose at least one break." in posted(operator, reason="x", approve="1")
    assert "Select a valid choice" in posted(operator, breaks=["0" * 16], reason="x", approve="1")
    assert not Fill.objects.exists()


def test_viewers_see_the_breaks_and_settle_none(operator: Client) -> None:
    compared(operator)
    viewer = Client()
    viewer.force_login(page_desk.member("viewer"))
    page = viewer.get("/reconcile/").content.decode()
    assert page.count("Fill missing in the ledger") == 2
    assert 'type="checkbox"' not in page and "<textarea" not in page and 'type="file"' not in page
    for fields in ({"compare": "1"}, {"breaks": ids(), "reason": "x", "approve": "1"}):
        posted(viewer, 403, **fields)
    assert not Fill.objects.exists()


def test_a_look_at_the_page_writes_nothing(operator: Client) -> None:
    began = datetime.now(UTC)
    assert operator.get("/reconcile/?account=paper").status_code in (200, 404)
    operator.get("/reconcile/")
    assert not BreakEvent.objects.filter(recorded_at__gte=began).exists()


def test_a_file_that_nobody_knows_is_refused_in_a_sentence(operator: Client) -> None:
    page = posted(operator, compare="1", files=[SimpleUploadedFile("<b>.csv", b"a,b\n1,2\n")])
    assert 'role="alert"' in page and "<b>.csv" not in page
