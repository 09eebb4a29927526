"""`manage.py broker_import` as a person runs it: locked notes, clients, currencies, strategies, and what it answers."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import tostring

import pypdf
import pytest
from django.core.management import CommandError, call_command

from tests.trading.book import snapshot
from tests.trading.brokers import test_api_answers, test_ibkr_flex, test_zerodha_tradebook
from tests.trading.brokers.hostile import tradebook
from tests.trading.brokers.test_note_pdfs import close_together
from tests.trading.brokers.test_recognition import FILES
from trading.models import BrokerFile, BrokerFill, Fill, Trade
from trading.operations.import_files import BrokerUpload, ImportOptions, import_files

pytestmark = pytest.mark.usefixtures("proved")
PASSWORD, CLIENT = "ABCDE1234F", "AB1234"
ROOT = Path(__file__).resolve().parents[2]


def imported(*arguments: str | Path, code: int | None = 0) -> Any:
    """Import files and return the answer; ``code`` None allows any exit code."""
    out = io.StringIO()
    exit_code = 0
    try:
        call_command("broker_import", *map(str, arguments), "--format", "json", stdout=out, stderr=io.StringIO())
    except SystemExit as ended:
        exit_code = int(ended.code or 0)
    assert code in (None, exit_code), out.getvalue()
    return json.loads(out.getvalue())


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def book(*rows: str) -> str:
    return "\n".join((test_zerodha_tradebook.HEADER, *rows)) + "\n"


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """Return a contract note that a made-up client's PAN opens."""
    writer = pypdf.PdfWriter(io.BytesIO(close_together(FILES["groww-note"][0]().lines)))
    writer.encrypt(PASSWORD, "owner", algorithm="AES-256")
    writer.write(tmp_path / "note.pdf")
    return tmp_path / "note.pdf"


@pytest.mark.parametrize("text", ["{}", "{}\n", "{}\r\n", "{} \nanother line\n", "\ufeff{}\r\n"])
def test_a_locked_note_opens_with_the_first_line_of_a_file(note: Path, tmp_path: Path, text: str) -> None:
    (file,) = imported(note, "--password-file", written(tmp_path / "pan.txt", text.format(PASSWORD)))["files"]
    assert (file["broker"], file["kind"], file["refused"]) == ("groww", "note", None)
    assert (file["fills"], Fill.objects.count()) == (0, 0)  # a note makes no fills


def test_a_locked_note_without_its_password_is_refused_in_one_sentence(note: Path, tmp_path: Path) -> None:
    before = snapshot()
    wrong = written(tmp_path / "pan.txt", "QQQQQ9999Q")
    for arguments in ([], ["--password-file", wrong]):
        (file,) = imported(note, *arguments, code=1)["files"]
        assert file["refused"]["code"] == "file_locked"
        assert "\n" not in file["refused"]["message"]
        assert "QQQQQ9999Q" not in str(file)
    assert snapshot() == before


def test_an_empty_file_of_a_password_is_named(note: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"pan\.txt is empty"):
        imported(note, "--password-file", written(tmp_path / "pan.txt", "\n"))


def test_neither_password_nor_client_stand_anywhere_afterwards(
    note: Path, tmp_path: Path, ledger: Any, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    pan = written(tmp_path / "pan.txt", PASSWORD)
    statement = written(tmp_path / "book.xlsx", tradebook(client=CLIENT))
    answer = imported(note, statement, "--password-file", pan)
    imported(note, code=1)
    told = str(answer) + caplog.text + "".join(capfd.readouterr()) + str(snapshot())
    kept = [path.read_bytes() for path in ledger.data_dir.rglob("*") if path.is_file()]
    assert BrokerFile.objects.exclude(client="").count() == 2
    for secret in (PASSWORD, CLIENT):
        assert secret not in told
        assert not any(secret.encode() in content for content in kept)


def test_a_file_of_another_client_is_refused_and_the_files_beside_it_are_not(tmp_path: Path) -> None:
    own, other = tradebook(client=CLIENT), tradebook(client="ZZ9999", first=50)
    more = written(tmp_path / "more.xlsx", tradebook(client=CLIENT, first=20))
    answer = imported(written(tmp_path / "own.xlsx", own), written(tmp_path / "other.xlsx", other), more, code=1)
    refusals = [file["refused"] and file["refused"]["code"] for file in answer["files"]]
    assert refusals == [None, "wrong_client", None]
    assert Fill.objects.count() == 10


def test_the_line_that_a_refusal_gives_makes_the_account_that_takes_the_file(tmp_path: Path) -> None:
    file = written(
        tmp_path / "flex.xml", tostring(test_ibkr_flex.flex(test_ibkr_flex.trade(listingExchange="CME")).tree)
    )
    zone = ["--zone", "America/New_York"]
    (refused,) = imported(file, *zone, code=1)["files"]
    assert refused["refused"]["code"] == "currency_mismatch"
    line = re.search(r"`manage\.py (account create [^`]+)`", refused["refused"]["message"])
    assert line
    command = shlex.split(line[1])
    call_command(*command, stdout=io.StringIO())
    (taken,) = imported(file, *zone, "--account", command[2])["files"]
    assert (taken["fills"], taken["refused"]) == (1, None)
    assert Trade.objects.get().account.currency == "USD"


def test_rules_give_fills_their_strategies(tmp_path: Path) -> None:
    rows = [
        test_zerodha_tradebook.share("1", at="2026-08-03T09:20:00"),
        test_zerodha_tradebook.share("2", at="2026-08-03T09:30:00"),
        test_zerodha_tradebook.share("3").replace("TATASTEEL", "NIFTYBEES"),
    ]
    rules = "strategy,symbol,tag,from,to\netf,NIFTY*,,,\nopening,,,,09:30\n"
    file = written(tmp_path / "book.csv", book(*rows))
    imported(file, "--rules", written(tmp_path / "rules.csv", rules))
    strategies = dict(Fill.objects.values_list("fill_id", "trade__strategy__code"))
    assert strategies == {"1": "opening", "2": "imported", "3": "etf"}
    imported(file)  # by other rules, it is the same fills
    assert dict(Fill.objects.values_list("fill_id", "trade__strategy__code")) == strategies


def test_strictly_nothing_is_booked_where_anything_is_to_be_looked_at(tmp_path: Path) -> None:
    before = snapshot()
    good = written(tmp_path / "good.csv", book(test_zerodha_tradebook.share()))
    cut = written(tmp_path / "cut.csv", book(test_zerodha_tradebook.share("2")).rstrip()[:-1])
    answer = imported(good, cut, "--strict", code=1)
    assert [file["rejected"]["total"] for file in answer["files"]] == [0, 1]
    assert snapshot() == before
    imported(good, cut, code=1)
    assert Fill.objects.get().fill_id == "70001"


def test_an_amount_in_the_place_of_another_notes_is_named_in_a_trial_too(tmp_path: Path) -> None:
    lines = FILES["groww-note"][0]().lines
    changed = tuple(line.replace("IPFT Charges -0.07 -0.07", "IPFT Charges -0.09 -0.09") for line in lines)
    note = written(tmp_path / "note.pdf", close_together(lines))
    corrected = written(tmp_path / "corrected.pdf", close_together(changed))
    named = "ipft equity 2026-01-05: 0.09 stands in the place of 0.07, which another file states."
    trial = imported(note, corrected, "--dry-run", code=1)
    assert [named in file["findings"] for file in trial["files"]] == [False, True]
    imported(note, code=0)
    assert named in imported(corrected, code=1)["files"][0]["findings"]
    assert named not in imported(note, corrected, code=1)["files"][1]["findings"]  # both are known: nothing changes


def test_a_file_that_is_not_there_is_named_and_the_others_are_taken(tmp_path: Path) -> None:
    good = written(tmp_path / "good.csv", book(test_zerodha_tradebook.share()))
    answer = imported(tmp_path / "nowhere.csv", good, code=1)
    assert ["cannot be read" in str(file["refused"]) for file in answer["files"]] == [True, False]
    assert Fill.objects.count() == 1


def test_of_a_file_that_is_too_large_no_more_is_read_than_shows_it(tmp_path: Path) -> None:
    ticks = written(tmp_path / "ticks.csv", "")
    os.truncate(ticks, 1 << 40)  # with holes: it takes no room
    (file,) = imported(ticks, code=1)["files"]
    assert "ticks.csv is larger than 32 MB" in str(file["refused"])
    with pytest.raises(CommandError, match="larger than 32 MB"):
        call_command("reconcile", str(ticks))


def test_a_layout_that_is_not_the_files_takes_nothing(tmp_path: Path) -> None:
    before = snapshot()
    foreign = written(tmp_path / "foreign.csv", "when,what\n2026-06-02,RELIANCE\n")
    for layout in ("zerodha-tradebook", "zerodha-tax-pnl"):
        (file,) = imported(foreign, "--layout", layout, code=1)["files"]
        assert file["refused"]["code"] == "unknown_layout"
    assert snapshot() == before


def answer_of(fields: Mapping[str, Any]) -> str:
    return json.dumps({"status": "success", "data": [fields]})


TIMES = {"fill_timestamp": "2026-08-03 09:21:55", "exchange_timestamp": "2026-08-03 09:21:55"}
SAME = {"exchange": "NSE", "tradingsymbol": "TATASTEEL", "order_id": "1100000000000001", "average_price": 157.05}
SOURCES = {
    "file": book(test_zerodha_tradebook.share("1"), test_zerodha_tradebook.share("2", quantity="5")),
    "answer": answer_of({**test_api_answers.KITE_TRADE, **SAME, **TIMES, "trade_id": "1", "quantity": 10}),
    "order": answer_of({
        **test_api_answers.KITE_ORDER, **SAME, "transaction_type": "BUY", "quantity": 15, "filled_quantity": 15,
        "order_timestamp": "2026-08-03 09:21:54", "exchange_timestamp": "2026-08-03 09:21:55",
        "exchange_update_timestamp": "2026-08-03 09:21:55",
    }),
}  # fmt: skip


@pytest.mark.parametrize("order", list(permutations(SOURCES)))
@pytest.mark.parametrize("rules", ["", "strategy,tag\norb,orb\n"])
def test_the_same_fills_by_file_by_answer_and_by_order_update_are_booked_once(
    tmp_path: Path, order: tuple[str, ...], rules: str
) -> None:
    by_rules = ["--rules", written(tmp_path / "rules.csv", rules)] if rules else []
    for name in order:
        imported(written(tmp_path / name, SOURCES[name]), *by_rules, code=None)  # an order may wait for fills
    trades = Trade.objects.exclude(state="VOID")
    assert [trade.open_quantity for trade in trades] == [15]
    fills = Fill.objects.filter(trade__in=trades)
    assert sorted(fills.values_list("fill_id", "quantity")) == [("1", 10), ("2", 5)]


def test_of_files_that_are_done_nothing_but_what_is_said_of_them_stays_in_memory() -> None:
    contents = {"a": book(test_zerodha_tradebook.share()), "b": "a,b\n1,2\n", "c": "{"}
    uploads = [BrokerUpload(name, content.encode) for name, content in contents.items()]
    taken, unknown, broken = import_files("main", uploads, ImportOptions(password=PASSWORD))
    assert taken.statement is not None
    assert (taken.fills, taken.statement.fills) == (1, ())
    for report in (unknown, broken):
        assert report.refusal is not None
        assert (report.refusal.__traceback__, report.refusal.__context__) == (None, None)


def test_the_exchanges_of_the_readme_take_a_file_of_the_united_states(tmp_path: Path) -> None:
    option = test_ibkr_flex.OPTION | {"tradeID": "T2", "quantity": "1", "tradePrice": "1.5"}
    trades = (test_ibkr_flex.trade(listingExchange="NASDAQ"), test_ibkr_flex.trade(**option))
    tree = test_ibkr_flex.flex(*trades).tree
    assert tree is not None
    flex = written(tmp_path / "flex.xml", tostring(tree))
    account = ("create", "main-usd", "--book", "live", "--currency", "USD", "--zone", "America/New_York")
    call_command("account", *account, stdout=io.StringIO())
    arguments = (flex, "--account", "main-usd", "--zone", "America/New_York")
    reasons = imported(*arguments, code=1)["files"][0]["rejected"]["by_reason"]
    assert reasons == {"unknown_instrument": 2}
    call_command("sessions", "--load", str(ROOT / "examples" / "us_exchanges.json"), stdout=io.StringIO())
    assert imported(*arguments)["files"][0]["fills"] == 2
    assert set(BrokerFill.objects.values_list("exchange__code", flat=True)) == {"CBOE", "NASDAQ"}
