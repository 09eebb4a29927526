"""The intake: a busy ledger's facts are kept, posted once and in order, and each has its outcome."""

from __future__ import annotations

import functools
import inspect
import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.core.management import call_command

from tests.companions import ended_afterwards
from tests.trading.book import AT, MINUTE, fills, row, snapshot
from tests.trading.test_ledger_processes import go, workers
from tests.waiting import until
from trading import summon, transactions
from trading.account_operations import OPERATIONS, AccountOperations
from trading.data_manager import DataManager
from trading.domain.values import Pending
from trading.errors import IdConflict, InvalidValue, LedgerBusy
from trading.intake import Intake, of_this_folder
from trading.intake_log import MARK, FrameLog, alone
from trading.ledger import Ledger
from trading.models import Fill, FillKey, Journal, Signal, Trade
from trading.operations.add_fill import add_fill
from trading.proof.verify import verify_ledger

OPEN = ("T1", "orb", "RELIANCE", 2450.05, 10, AT)


ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def dm(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataManager]:
    monkeypatch.setattr(summon, "summon", lambda: None)
    with DataManager(ledger_intake=True) as manager:
        yield manager


@contextmanager
def held(ledger: Any) -> Iterator[None]:
    """Another process holds the ledger."""
    with workers(("hold", "60")) as (holder,):
        go([holder])
        assert json.loads(holder.stdout.readline()) == {"held": True}
        yield


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a held ledger no longer than a moment."""
    monkeypatch.setattr(transactions, "PATIENCE_SECONDS", 0.05)


def shown(*args: str) -> tuple[dict[str, Any], int]:
    out, code = io.StringIO(), 0
    try:
        call_command("intake", *args, "--format", "json", stdout=out, stderr=io.StringIO())
    except SystemExit as end:
        code = int(str(end.code))
    return dict(json.loads(out.getvalue())), code


@pytest.mark.ledger
def test_a_free_ledger_answers_as_without(dm: DataManager) -> None:
    assert dm.open_position(*OPEN).state == "OPEN"
    assert shown() == ({"waiting": 0, "posted": 0, "refused": 0, "facts": []}, 0)


@pytest.mark.ledger
def test_a_busy_ledgers_facts_are_pending_and_posted_in_order(dm: DataManager, ledger: Any) -> None:
    before = snapshot()
    with held(ledger):
        started = time.monotonic()
        first = dm.open_position(
            *OPEN, signal_conditions={"rsi": np.float64(61.5), "volume": 10**30}, stop_price=np.float32(2440.5)
        )
        assert 1.5 < time.monotonic() - started < 3.5
        said = [
            dm.add_fill("T1", "SELL", Decimal("2460.10"), 4, AT + MINUTE),
            dm.update_trailing_sl("T1", "orb", "RELIANCE", 2445, 2461, "atr", at=AT + MINUTE),
            dm.record_signal("orb", "RELIANCE", datetime(2024, 3, 15, 9, 40), {"rsi": 40}, decision="SKIPPED"),
            dm.close_position("T1", "orb", "RELIANCE", 2465.0, AT + 2 * MINUTE, exit_reason="target"),
            dm.set_charges("T1", 20.5, source="note"),
        ]
        tried = [one["is_tried"] for one in of_this_folder().waiting()]
        assert tried == [True, *[False] * 5], "who queues behind others does not wait for the ledger"
        assert isinstance(first, Pending)
        assert (first.sequence, first.operation, first.trade_id, first.state) == (1, "open_position", "T1", "PENDING")
        assert [one.sequence for one in said] == [2, 3, 4, 5, 6]  # type: ignore[union-attr]
        assert shown()[0]["waiting"] == 6
    assert snapshot() == before
    assert (of_this_folder().post(), of_this_folder().post()) == (6, 0)
    trade = row()
    assert (trade.state, trade.exit_reason, trade.charges) == ("CLOSED", "target", Decimal("20.5"))
    assert (trade.realised_pnl, trade.initial_stop_price) == (Decimal("129.9"), Decimal("2440.5"))
    assert trade.stop_price == 2445
    assert Signal.objects.get(decision="SKIPPED").at == datetime(2024, 3, 15, 9, 40, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert [one.operation for one in Journal.objects.order_by("sequence")] == [
        *("open_position", "add_fill", "update_trailing_sl", "record_signal", "close_position", "set_charges")
    ]
    told, code = shown()
    assert (told["posted"], told["waiting"], code) == (6, 0, 0)
    assert verify_ledger().ok
    assert dm.open_position("T2", *OPEN[1:]).state == "OPEN", "nothing waits any more: at once again"


@pytest.mark.ledger
def test_fills_that_had_to_wait_have_keys_of_their_own_and_the_journal_tells_them(dm: DataManager) -> None:
    with transactions.aside():
        dm.open_position(*OPEN, fill_id="7")
        dm.open_position(*OPEN, fill_id="7")  # said again
        dm.open_position("T9", *OPEN[1:], fill_id="7")  # of another trade: refused once it is posted
        dm.add_fill("T1", "SELL", 2460, 15, AT + MINUTE, fill_id="8", flip_to="T2")
    assert not FillKey.objects.exists()
    assert of_this_folder().post() == 4
    keys = FillKey.objects.order_by("pk")
    of = [(key.broker_fill_id, key.day.isoformat(), key.number, key.trade.trade_id) for key in keys]
    assert of == [("7", "2024-03-15", 0, "T1"), ("8", "2024-03-15", 0, "T1"), ("8", "2024-03-15", 1, "T2")]
    bodies = Journal.objects.order_by("sequence").values_list("body", flat=True)
    told = [json.loads(text) for body in bodies for text in re.findall(r'"fill_key":(\{[^}]*\})', body)]
    assert told == [{"pk": key.pk, "day": key.day.isoformat(), "number": key.number} for key in keys]
    assert [fact.operation for fact in of_this_folder().facts() if fact.state == "refused"] == ["open_position"]
    assert verify_ledger().ok


@pytest.mark.ledger
def test_bad_input_raises_and_is_not_kept(dm: DataManager, ledger: Any, impatient: None) -> None:
    with held(ledger):
        for _ in range(2):  # with nothing waiting, and behind a fact that waits
            with pytest.raises(InvalidValue):
                dm.open_position("T1", "orb", "RELIANCE", 2450, -10, AT)
            dm.open_position(*OPEN)
    assert [fact.operation for fact in of_this_folder().facts()] == ["open_position"] * 2


@pytest.mark.ledger
def test_a_refused_fact_is_kept_with_its_reason_and_stops_no_other(
    dm: DataManager, ledger: Any, impatient: None
) -> None:
    with held(ledger):
        dm.close_position("T9", "orb", "RELIANCE", 2465, AT + MINUTE)
        dm.open_position(*OPEN)
        dm.open_position("T1", "orb", "RELIANCE", 2450.05, 11, AT)
    told, code = shown("--post")
    assert code == 1
    assert [(one["state"], one["code"]) for one in told["facts"]] == [
        ("refused", "unknown_trade"),
        ("posted", ""),
        ("refused", "id_conflict"),
    ]
    assert "known as LONG 10" in told["facts"][2]["reason"]
    assert Trade.objects.get().state == "OPEN"
    with pytest.raises(IdConflict):
        dm.open_position("T1", "orb", "RELIANCE", 2450.05, 12, AT)


@pytest.mark.ledger
def test_what_was_posted_by_a_process_that_died_is_not_posted_again(
    dm: DataManager, ledger: Any, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    dm.open_position(*OPEN)
    with held(ledger):
        for _ in range(3):
            dm.add_fill("T1", "SELL", 2460, 2, AT + MINUTE)  # without a fill_id: said twice it would be two
    files = of_this_folder().folder

    def die(_said: dict[str, Any]) -> dict[str, Any]:
        raise SystemExit(9)

    for _ in range(3):  # each time the ledger has committed and the outcome is not written
        dying = Intake(files)
        monkeypatch.setattr(dying._outcomes, "append", die)
        with pytest.raises(SystemExit):
            dying.post()
    assert len(fills()) == 2
    assert Intake(files).post() == 3
    assert [fill.quantity for fill in fills()] == [10, 2, 2, 2]


@pytest.mark.ledger
def test_a_call_whose_commit_was_in_doubt_is_not_posted_again(dm: DataManager, ledger: Any) -> None:
    dm.open_position(*OPEN)

    @functools.wraps(add_fill)
    def committed_but_unheard(*arguments: Any, **keywords: Any) -> Any:
        add_fill(*arguments, **keywords)
        raise LedgerBusy("the connection was lost while it committed")

    assert isinstance(dm.ledger.carry_out(committed_but_unheard, "T1", "SELL", 2460, 2, AT + MINUTE), Pending)
    assert of_this_folder().post() == 1
    assert Fill.objects.count() == 2


@pytest.mark.ledger
def test_one_process_posts_at_a_time(dm: DataManager, ledger: Any, impatient: None) -> None:
    with held(ledger):
        dm.open_position(*OPEN)
        assert of_this_folder().post() == 0, "still busy"
    with alone(of_this_folder().folder / "post.lock"):
        assert Intake(of_this_folder().folder).post() == 0
    assert of_this_folder().post() == 1


@pytest.mark.ledger
def test_without_an_intake_a_busy_ledger_raises_and_keeps_nothing(ledger: Any, impatient: None) -> None:
    with DataManager() as dm, held(ledger), pytest.raises(LedgerBusy):
        dm.open_position(*OPEN)
    assert not of_this_folder().folder.exists()


@pytest.mark.ledger
def test_the_companion_posts(ledger: Any, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", ledger.url)  # what a companion started from here is to use
    with ended_afterwards(), DataManager(ledger_intake=True) as dm:
        with held(ledger):
            assert isinstance(dm.open_position(*OPEN), Pending)
        until(lambda: not of_this_folder().waiting())
        assert dm.get_trade("T1").state == "OPEN"


def test_the_facade_the_ledger_and_the_intake_have_the_same_operations() -> None:
    of_the_ledger = {name for name in vars(AccountOperations) if not name.startswith("_")} - {"carry_out"}
    assert set(OPERATIONS) == of_the_ledger
    for name, operation in OPERATIONS.items():
        account, *own = inspect.signature(operation).parameters
        assert account == "account_code"
        assert list(inspect.signature(getattr(Ledger, name)).parameters)[1:] == own, name
        assert set(own) - {"by"} == set(list(inspect.signature(getattr(DataManager, name)).parameters)[1:]), name
    writing = set(re.findall(r"self\.ledger\.(\w+)\(", inspect.getsource(DataManager))) & of_the_ledger
    assert writing == set(OPERATIONS), "each is handed on by the facade"


# -- the files -------------------------------------------------------------------------------------------------------
def test_many_processes_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "facts"
    script = (
        "import sys; from pathlib import Path; from trading.intake_log import FrameLog\n"
        "log = FrameLog(Path(sys.argv[1]))\n"
        "for number in range(40): log.append({'who': sys.argv[2], 'number': number})"
    )
    names = ("W0", "W1", "W2")
    writers = [subprocess.Popen([sys.executable, "-c", script, str(path), name], cwd=ROOT) for name in names]
    assert [one.wait() for one in writers] == [0, 0, 0]
    frames = FrameLog(path).frames()
    assert [one["sequence"] for one in frames] == list(range(1, 121))
    for name in names:
        assert [one["number"] for one in frames if one["who"] == name] == list(range(40))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_torn_or_damaged_frame_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "facts"
    log = FrameLog(path)
    sizes = [0]
    for number in range(3):
        log.append({"number": number, "text": "é" * 20})
        sizes.append(path.stat().st_size)
    whole = path.read_bytes()
    for cut in range(sizes[2] + 1, sizes[3]):
        path.write_bytes(whole[:cut])
        assert [one["number"] for one in FrameLog(path).frames()] == [0, 1], cut
        after = FrameLog(path)
        assert after.append({"number": 9})["sequence"] == 3
        assert [one["number"] for one in after.frames()] == [0, 1, 9], cut
    for place in range(sizes[1], sizes[2]):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        assert [one["number"] for one in FrameLog(path).frames()] == [0, 2], place
    assert MARK not in "é".encode() * 9


def test_a_reader_follows_a_growing_file(tmp_path: Path) -> None:
    reader, writer = FrameLog(tmp_path / "facts"), FrameLog(tmp_path / "facts")
    assert reader.frames() == []
    for number in range(5):
        writer.append({"number": number})
        assert [one["number"] for one in reader.frames()] == list(range(number + 1))
