"""Screenshots of reviews: made anew, kept with their trade, proved, backed up and brought back."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests import page_desk
from tests.trading.book import opened, row
from tests.trading.pictures import opened_picture, picture
from trading import picture_files
from trading.bookkeeping import journal
from trading.domain import pictures
from trading.domain.pictures import made_anew
from trading.errors import InvalidValue, LedgerBusy, UnknownTrade
from trading.models import Journal, Screenshot, ScreenshotWithdrawal, Trade
from trading.operations import add_screenshot as adding
from trading.operations.add_screenshot import PER_TRADE_MAX, add_screenshot
from trading.operations.back_up import back_up
from trading.operations.clear_account import clear_account
from trading.operations.restore import restore
from trading.operations.withdraw_screenshot import withdraw_screenshot
from trading.proof.verify import verify_ledger
from trading.queries.facts import journal_of

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture
def pk(ledger: Any) -> int:
    opened()
    return int(row().pk)


def files() -> list[Path]:
    return sorted(path for path in picture_files.folder().rglob("*") if path.is_file())


# -- what is made of a picture --


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_keeps_its_format_and_size_and_loses_what_else_it_carries(form: str) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x8298] = "a maker", "asha's own"
    told = {"exif": exif, "icc_profile": b"profile of a screen"}
    if form == "PNG":
        told["pnginfo"] = PngInfo()
        told["pnginfo"].add_text("Comment", "client 4711")
    elif form == "WEBP":
        told["xmp"] = b"<x:xmpmeta>client 4711</x:xmpmeta>"
    content = picture(form, **told)
    kept = made_anew(content)
    again = opened_picture(kept.content)
    assert (kept.format, again.format, again.size, (kept.width, kept.height)) == (form, form, (40, 30), (40, 30))
    for secret in (b"a maker", b"asha", b"4711", b"profile"):
        assert secret not in kept.content
    assert not again.getexif() and not {"icc_profile", "xmp", "exif", "Comment"} & set(again.info)


def test_a_picture_on_its_side_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert (made_anew(picture("JPEG", exif=exif)).width, made_anew(picture("JPEG")).width) == (30, 40)


def test_pictures_of_every_usual_kind_are_taken() -> None:
    for form, mode in (
        ("JPEG", "CMYK"),
        ("JPEG", "L"),
        ("PNG", "1"),
        ("PNG", "LA"),
        ("PNG", "P"),
        ("PNG", "RGBA"),
        ("WEBP", "RGBA"),
    ):
        kept = made_anew(picture(form, mode=mode))
        assert opened_picture(kept.content).convert("RGB").size == (40, 30), (form, mode)
    assert opened_picture(made_anew(picture("PNG", mode="RGBA")).content).mode == "RGBA"


def moving(form: str) -> bytes:
    file = io.BytesIO()
    first, second = (opened_picture(picture(shade=shade)) for shade in (10, 200))
    first.save(file, form, save_all=True, append_images=[second])
    return file.getvalue()


def bomb() -> bytes:
    """A PNG of a few hundred bytes whose head promises 60,000 × 60,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "can be read"),
        (b"GIF89a" + b"\0" * 50, "can be read"),
        (picture()[:-30], "can be read"),
        (b"\xff" * (pictures.BYTES_MAX + 1), "larger than 5 MB"),
        (bomb(), "60000 × 60000 pixels"),
        (moving("PNG"), "moves"),
        (moving("WEBP"), "moves"),
        (picture("PNG", mode="I;16"), "greys"),
    ],
)
def test_what_is_no_picture_to_keep_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        made_anew(content)


# -- keeping it --


@pytest.mark.ledger
def test_a_picture_is_kept_once_under_a_name_that_tells_nothing_and_is_proved(pk: int) -> None:
    first = add_screenshot(pk, picture(), by="asha")
    assert add_screenshot(pk, picture(), by="ravi").pk == first.pk
    (path,) = files()
    assert (path.name, path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (first.name, 0o600, 0o700)
    assert len(first.name.split(".")[0]) == 32
    line = Journal.objects.get(operation="add_screenshot")
    assert (line.recorded_by, json.loads(line.body)["screenshot"]["sha256"]) == ("asha", first.sha256)
    proof = verify_ledger()
    assert proof.ok and proof.checked["screenshot"] == 1


def test_a_trade_keeps_twenty(pk: int) -> None:
    for shade in range(PER_TRADE_MAX):
        add_screenshot(pk, picture(shade=shade + 10), by="asha")
    with pytest.raises(InvalidValue, match="has 20 screenshots"):
        add_screenshot(pk, picture(shade=200), by="asha")
    assert (len(files()), Screenshot.objects.count()) == (PER_TRADE_MAX, PER_TRADE_MAX)
    with pytest.raises(UnknownTrade):
        add_screenshot(pk + 1, picture(), by="asha")
    assert len(files()) == PER_TRADE_MAX


def test_nothing_is_left_of_a_picture_whose_row_was_not_written(pk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise LedgerBusy("The ledger could not be written.")

    monkeypatch.setattr(adding, "_kept", refuse)
    with pytest.raises(LedgerBusy):
        add_screenshot(pk, picture(), by="asha")
    assert files() == []


def test_a_kill_between_file_and_row_leaves_nothing_half_done(pk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    orphan = picture_files.write(made_anew(picture(shade=1)))  # killed before its row
    monkeypatch.setattr(picture_files, "settle", lambda _: None)
    kept = add_screenshot(pk, picture(shade=2), by="asha")  # killed after its row
    monkeypatch.undo()
    add_screenshot(pk, picture(shade=3), by="asha")
    assert (picture_files.folder() / orphan).exists()  # somebody may be just about to write its row
    for path in (picture_files.folder() / "new").iterdir():
        os.utime(path, (time.time() - 7200,) * 2)
    add_screenshot(pk, picture(shade=4), by="asha")
    assert not (picture_files.folder() / orphan).exists()
    assert (picture_files.folder() / kept.name).exists()
    assert list((picture_files.folder() / "new").iterdir()) == [] and verify_ledger().ok


@pytest.mark.ledger
def test_a_missing_or_an_altered_file_is_found_and_comes_back_from_the_backup(pk: int) -> None:
    rows = [add_screenshot(pk, picture(shade=shade), by="asha") for shade in (1, 2, 3)]
    backup = back_up()
    paths = [picture_files.folder() / row.name for row in rows]
    paths[0].unlink()
    paths[1].write_bytes(picture(shade=77))
    proof = verify_ledger()
    assert [(one.kind, one.pk, one.stored) for one in proof.differences] == [
        ("file", rows[0].pk, "missing"),
        ("file", rows[1].pk, "altered"),
    ]
    assert not proof.ok
    back_up()  # what was lost keeps no fact from being backed up, and takes no good copy away
    assert restore(backup, force=True).screenshots_lost == []
    assert verify_ledger().ok
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}


def test_what_was_replayed_goes_with_its_pictures(pk: int) -> None:
    add_screenshot(pk, picture(shade=1), by="asha")
    opened(account_code="replay")
    add_screenshot(row(account="replay").pk, picture(shade=2), by="asha")
    assert clear_account("replay")["screenshots"] == 1
    assert len(files()) == 1 and verify_ledger().ok


# -- taking it back --


@pytest.mark.ledger
def test_a_picture_is_taken_back_once_and_its_hash_stays_proved(pk: int) -> None:
    shot, other = (add_screenshot(pk, picture(shade=shade), by="asha") for shade in (1, 2))
    for author, reason in (("", "why"), ("asha", " \n"), ("asha", "x" * 201)):
        with pytest.raises(InvalidValue):
            withdraw_screenshot(shot.pk, by=author, reason=reason)
    with pytest.raises(InvalidValue, match="no screenshot"):
        withdraw_screenshot(other.pk + 1, by="asha", reason="why")
    assert len(files()) == 2
    end = withdraw_screenshot(shot.pk, by="ravi", reason=" shows a\nclient ")
    assert withdraw_screenshot(shot.pk, by="asha", reason="again").pk == end.pk
    assert (end.author, end.reason, [path.name for path in files()]) == ("ravi", "shows a client", [other.name])
    line = Journal.objects.get(operation="withdraw_screenshot")
    body = json.loads(line.body)
    assert (line.recorded_by, body["screenshot_pk"], body["reason"], body["trade"]["pk"]) == (
        *("ravi", shot.pk, "shows a client"), pk)  # fmt: skip
    assert line in journal_of(Trade.objects.get(pk=pk))
    proof = verify_ledger()
    assert proof.ok and (proof.checked["screenshot"], proof.checked["screenshotwithdrawal"]) == (2, 1)
    with pytest.raises(InvalidValue, match="taken this very picture back"):
        add_screenshot(pk, picture(shade=1), by="asha")
    assert len(files()) == 1
    picture_files.remove([other.name])
    assert [(one.kind, one.pk, one.stored) for one in verify_ledger().differences] == [("file", other.pk, "missing")]


def test_what_was_taken_back_makes_room_for_another(pk: int) -> None:
    shots = [add_screenshot(pk, picture(shade=shade + 10), by="asha") for shade in range(PER_TRADE_MAX)]
    withdraw_screenshot(shots[0].pk, by="asha", reason="too small")
    add_screenshot(pk, picture(shade=200), by="asha")
    with pytest.raises(InvalidValue, match="has 20 screenshots"):
        add_screenshot(pk, picture(shade=201), by="asha")


@pytest.mark.ledger
def test_no_picture_is_removed_whose_withdrawal_was_not_booked(pk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shot = add_screenshot(pk, picture(), by="asha")

    def refuse(*_: Any, **__: Any) -> None:
        raise LedgerBusy("The ledger could not be written.")

    monkeypatch.setattr(journal, "append", refuse)
    with pytest.raises(LedgerBusy):
        withdraw_screenshot(shot.pk, by="asha", reason="why")
    monkeypatch.undo()
    assert len(files()) == 1 and not ScreenshotWithdrawal.objects.exists() and verify_ledger().ok


@pytest.mark.ledger
def test_backups_keep_a_picture_as_long_as_one_of_them_has_it(pk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shot = add_screenshot(pk, picture(), by="asha")
    before = back_up()
    monkeypatch.setattr(picture_files, "remove", lambda *_: None)
    withdraw_screenshot(shot.pk, by="asha", reason="shows a client")  # killed before the file was removed
    monkeypatch.undo()
    assert len(files()) == 1 and verify_ledger().ok
    after, kept = back_up(), before.parent / "screenshots" / shot.name
    assert (files(), kept.exists()) == ([], True)
    assert restore(before, force=True).screenshots_lost == []
    assert [path.name for path in files()] == [shot.name] and verify_ledger().ok
    assert restore(after, force=True).screenshots_lost == []
    assert files() == [] and verify_ledger().ok
    monkeypatch.setattr("trading.operations.back_up.BOOKED", timedelta(0))
    for path in before.parent.glob("replaced-*"):
        path.unlink()
    back_up(keep=2)
    assert not before.exists() and not kept.exists()


# -- the pages --


def handed(client: Client, pk: int, *contents: bytes) -> Any:
    sent = [SimpleUploadedFile(f"shot {number}.png", content) for number, content in enumerate(contents)]
    return client.post(f"/trades/{pk}/screenshots/", {"screenshots": sent})


def test_who_handed_a_picture_over_takes_it_back_and_so_do_operators(pk: int, client: Client) -> None:
    rows = [add_screenshot(pk, picture(shade=shade), by=by) for shade, by in enumerate(("reviewer", "asha", "asha"))]

    def sent(shot: Screenshot, **fields: str) -> Any:
        return client.post(f"/trades/{pk}/screenshots/{shot.pk}/withdraw/", fields)

    for group, offered in (("viewer", 0), ("reviewer", 1), ("operator", 3)):
        client.force_login(page_desk.member(group))
        assert client.get(f"/trades/{pk}/").content.decode().count("Take it back") == offered, group
        assert sent(rows[1], reason="mine").status_code == (403 if group != "operator" else 302)
    client.force_login(page_desk.member("reviewer"))
    page = sent(rows[0])
    assert page.status_code == 400 and "Say why" in page.content.decode()
    assert sent(rows[0], reason="shows <b>")["Location"] == f"/trades/{pk}/#screenshots"
    assert client.get(f"/trades/{pk}/screenshots/{rows[0].pk}/").status_code == 404
    text = client.get(f"/trades/{pk}/").content.decode()
    assert text.count("<img") == 1 and "taken back by reviewer" in text and "shows &lt;b&gt;" in text
    assert client.post(f"/trades/{pk + 1}/screenshots/{rows[2].pk}/withdraw/", {"reason": "x"}).status_code == 404


def test_a_reviewer_hands_pictures_over_and_each_viewer_sees_them(pk: int, client: Client) -> None:
    client.force_login(page_desk.member("reviewer"))
    assert handed(client, pk, picture(shade=1), picture("JPEG", shade=2))["Location"] == f"/trades/{pk}/#screenshots"
    page = handed(client, pk, b"nothing", picture(shade=3))
    assert page.status_code == 400 and "shot 0.png" in page.content.decode()
    assert handed(client, pk).status_code == 400
    client.force_login(page_desk.member("viewer"))
    assert handed(client, pk, picture(shade=4)).status_code == 403
    rows = list(Screenshot.objects.order_by("pk"))
    assert [(shot.format, shot.author) for shot in rows] == [
        ("PNG", "reviewer"),
        ("JPEG", "reviewer"),
        ("PNG", "reviewer"),
    ]
    text = client.get(f"/trades/{pk}/").content.decode()
    assert text.count("<img") == 3 and 'name="screenshots"' not in text
    answer = client.get(f"/trades/{pk}/screenshots/{rows[1].pk}/")
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("image/jpeg", "nosniff")
    assert answer["Content-Disposition"].startswith("inline") and "no-store" in answer["Cache-Control"]
    assert opened_picture(answer.content).size == (40, 30)
    (picture_files.folder() / rows[1].name).write_bytes(b"<script>")
    for address in (f"/trades/{pk}/screenshots/{rows[1].pk}/", f"/trades/{pk + 1}/screenshots/{rows[0].pk}/"):
        assert client.get(address).status_code == 404
    client.logout()
    assert client.get(f"/trades/{pk}/screenshots/{rows[0].pk}/").status_code == 302
