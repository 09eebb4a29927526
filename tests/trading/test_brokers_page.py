"""The page of brokers' files: who may hand files over, what is shown before anything is booked, and what is kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests import page_desk
from trading.models import BrokerFill, Trade
from trading.web import upload_stash

pytestmark = pytest.mark.usefixtures("proved")
TRADEBOOK = (
    "symbol,isin,trade_date,exchange,segment,series,trade_type,auction,quantity,price,trade_id,order_id,"
    "order_execution_time\n"
    "INFY,INE009A01021,2025-06-02,NSE,EQ,EQ,buy,false,10,1500.50,1001,11,2025-06-02T09:21:55\n"
    "INFY,INE009A01021,2025-06-02,NSE,EQ,EQ,sell,false,10,1510.00,1002,12,2025-06-02T10:21:55\n"
)


def handed(name: str = "book.csv", content: str = TRADEBOOK) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode())


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(page_desk.member("operator"))
    return client


def posted(client: Client, status: int = 200, **fields: Any) -> str:
    answer = client.post("/brokers/", fields)
    assert answer.status_code == status
    return answer.content.decode()


def token_of(page: str) -> str:
    match = re.search(r'name="token" value="(\w+)"', page)
    assert match
    return match[1]


def waiting() -> list[Path]:
    folder = upload_stash._folder()
    return sorted(folder.iterdir()) if folder.is_dir() else []


def test_files_are_looked_at_first_and_booked_when_confirmed(operator: Client) -> None:
    page = posted(operator, files=[handed()])
    assert "What would be booked" in page
    assert "zerodha tradebook" in page
    assert "2025-06-02 – 2025-06-02" in page
    assert (BrokerFill.objects.count(), len(waiting())) == (0, 1)
    page = posted(operator, token=token_of(page))
    assert "Booked" in page
    assert Trade.objects.get().realised_pnl == 95
    assert waiting() == []
    listed = operator.get("/brokers/").content.decode()
    assert "operator" in listed
    assert "book.csv" not in listed


def test_a_file_that_nobody_knows_is_shown_as_refused(operator: Client) -> None:
    page = posted(operator, files=[handed("<b>.csv", "a,b\n1,2\n")])
    assert "unknown_layout" in page
    assert "<b>.csv" not in page
    posted(operator, token=token_of(page), leave="1", status=302)
    assert waiting() == []


def test_viewers_see_what_was_imported_and_hand_nothing_over(client: Client) -> None:
    client.force_login(page_desk.member("viewer"))
    page = client.get("/brokers/").content.decode()
    assert "No file was imported" in page
    assert 'type="file"' not in page
    posted(client, files=[handed()], status=403)


def test_what_one_person_handed_over_is_nobody_elses(operator: Client) -> None:
    token = token_of(posted(operator, files=[handed()]))
    other = Client()
    other.force_login(page_desk.member("asha"))
    assert "These files are gone" in posted(other, token=token)
    assert "These files are gone" in posted(operator, token="../../etc")
    assert BrokerFill.objects.count() == 0


def test_a_password_is_kept_nowhere_and_shown_nowhere(operator: Client, settings: Any) -> None:
    page = posted(operator, files=[handed()], password="ABCDE1234F")
    assert "ABCDE1234F" not in page
    assert "Password, once more" in page
    kept = [path.read_bytes() for path in Path(settings.DATA_DIR).rglob("*") if path.is_file()]
    assert not any(b"ABCDE1234F" in content for content in kept)


def test_files_that_nobody_confirms_are_removed(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    posted(operator, files=[handed()])
    monkeypatch.setattr(upload_stash, "KEPT_SECONDS", -1)
    upload_stash.forget_old()
    assert waiting() == []
