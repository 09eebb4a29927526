"""The page of brokers' files: who may hand files over, what is shown before anything is booked, and what is kept."""

from __future__ import annotations

import errno
import io
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pypdf
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from tests import page_desk
from tests.trading.brokers.pdf_writer import pdf_of_lines
from trading.errors import LedgerBusy
from trading.models import BrokerFile, BrokerFill, Trade
from trading.web import brokers, upload_stash

pytestmark = pytest.mark.usefixtures("proved")
PAN = "ABCDE1234F"
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


def heading_of(page: str) -> str:
    match = re.search(r'<h2 id="look">([^<]+)', page)
    assert match
    return match[1]


def locked_note() -> SimpleUploadedFile:
    """Return a note that a made-up client's PAN opens; of no layout that is known."""
    writer = pypdf.PdfWriter(io.BytesIO(pdf_of_lines(["a note of nobody"])))
    writer.encrypt(PAN, "owner", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return SimpleUploadedFile("note.pdf", out.getvalue())


def kept_files() -> list[Path]:
    """Return the uploaded files that are on the disk."""
    return [path for folder in waiting() for path in folder.iterdir() if path.name.isdigit()]


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
    assert heading_of(page) == "Booked"
    assert Trade.objects.get().realised_pnl == 95
    assert kept_files() == []
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
    page = posted(operator, files=[handed()], password=PAN)
    assert PAN not in page
    assert "Password, once more" in page
    kept = [path.read_bytes() for path in Path(settings.DATA_DIR).rglob("*") if path.is_file()]
    assert not any(PAN.encode() in content for content in kept)


def test_files_that_nobody_confirms_are_removed(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    posted(operator, files=[handed()])
    monkeypatch.setattr(upload_stash, "KEPT_SECONDS", -1)
    upload_stash.forget_old()
    assert waiting() == []


def test_a_second_click_is_answered_with_what_the_first_booked(operator: Client) -> None:
    token = token_of(posted(operator, files=[handed()]))
    first, second = posted(operator, token=token), posted(operator, token=token)
    assert "confirmed these files before" not in first
    assert "confirmed these files before" in second
    assert heading_of(second) == heading_of(first) == "Booked"
    assert "1 trade opened, 1 closed" in second
    assert (BrokerFill.objects.count(), BrokerFile.objects.count()) == (2, 1)
    assert "confirmed these files before" in posted(operator, token=token, leave="1")


def test_two_clicks_at_once_book_once_and_both_are_answered(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    token = token_of(posted(operator, files=[handed()]))
    plain, bookings, second, is_there = brokers.import_files, [], [], Event()
    find = upload_stash.waiting_files

    def import_files(*of: Any, **by: Any) -> Any:
        bookings.append(1)
        if len(bookings) == 1:  # the second click comes while the first is at work
            monkeypatch.setattr(upload_stash, "waiting_files", seen_there)
            second.append(clicks.submit(click))
            assert is_there.wait(60)
        return plain(*of, **by)

    def seen_there(*of: Any, **by: Any) -> Any:
        is_there.set()
        return find(*of, **by)

    def click() -> str:
        try:
            return posted(client_of(operator), token=token)
        finally:
            connection.close()

    monkeypatch.setattr(brokers, "import_files", import_files)
    with ThreadPoolExecutor(2) as clicks:
        first = clicks.submit(click).result()
        again = second[0].result()
    assert len(bookings) == 1
    assert "confirmed these files before" not in first
    assert "confirmed these files before" in again
    assert BrokerFill.objects.count() == 2


def client_of(client: Client) -> Client:
    """Return another window of the same person."""
    other = Client()
    other.cookies = client.cookies
    return other


def test_a_wrong_password_at_the_end_books_nothing_of_its_file_and_keeps_it(operator: Client) -> None:
    page = posted(operator, files=[handed(), locked_note()], password=PAN)
    assert "unknown_layout" in page
    token = token_of(page)
    page = posted(operator, token=token, password="wrong")
    assert heading_of(page) == "Booked in part"
    assert "file_locked" in page
    assert BrokerFill.objects.count() == 2
    assert (token_of(page), len(kept_files())) == (token, 2)
    page = posted(operator, token=token, password=PAN)
    assert heading_of(page) == "Booked in part"
    assert 'name="token"' not in page
    assert BrokerFill.objects.count() == 2


def test_a_locked_note_alone_is_not_headed_booked(operator: Client) -> None:
    page = posted(operator, files=[locked_note()])
    assert "Book them" not in page
    assert 'type="password"' in page
    page = posted(operator, token=token_of(page), password="wrong", look="1")
    assert (heading_of(page), "file_locked" in page) == ("What would be booked", True)
    page = posted(operator, token=token_of(page), password="wrong")
    assert heading_of(page) == "Nothing was booked"
    page = posted(operator, token=token_of(page), password=PAN, look="1")
    assert "unknown_layout" in page
    assert "file_locked" not in page


def test_a_form_that_is_wrong_at_the_end_loses_nothing(operator: Client) -> None:
    token = token_of(posted(operator, files=[handed()]))
    page = posted(operator, token=token, password="x" * 129)
    assert "at most 128 characters" in page
    assert (token_of(page), heading_of(page)) == (token, "What would be booked")
    assert heading_of(posted(operator, token=token)) == "Booked"


def test_a_ledger_that_is_busy_at_the_end_loses_nothing(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> Any:
        raise LedgerBusy("The ledger is busy.")

    with monkeypatch.context() as patch:
        patch.setattr(brokers, "import_files", busy)
        page = posted(operator, files=[handed()])
        assert "The ledger is busy." in page
        page = posted(operator, token=token_of(page))
        assert "The ledger is busy." in page
    page = posted(operator, token=token_of(page), look="1")
    assert heading_of(posted(operator, token=token_of(page))) == "Booked"


def test_a_file_that_is_too_large_never_comes_to_the_disk(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_stash, "FILE_BYTES_MAX", 1 << 20)
    assert "book.csv is larger than 1 MB" in posted(operator, files=[handed(content="x" * ((1 << 20) + 1))])
    assert waiting() == []


def test_files_that_are_too_large_together_never_come_to_the_disk(operator: Client, settings: Any) -> None:
    settings.REQUEST_BYTES_MAX = len(TRADEBOOK)
    assert "is larger than" in posted(operator, files=[handed(), handed("more.csv")])
    assert waiting() == []


def test_a_person_fills_no_disk_with_files_that_wait(operator: Client) -> None:
    tokens = [token_of(posted(operator, files=[handed()])) for _ in range(upload_stash.STASHES_MAX + 1)]
    assert len(waiting()) == upload_stash.STASHES_MAX
    assert "These files are gone" in posted(operator, token=tokens[0])
    assert heading_of(posted(operator, token=tokens[-1])) == "Booked"


def test_a_disk_that_is_full_is_named_and_nothing_half_kept(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_stash.json, "dumps", full)
    assert "cannot be kept here: No space left" in posted(operator, files=[handed()])
    assert waiting() == []


def full(*_: Any) -> str:
    raise OSError(errno.ENOSPC, "No space left on device")
