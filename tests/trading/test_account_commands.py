"""`manage.py account`, `clear_account` and `sessions`."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.trading.desk import trade
from trading.management.commands import clear_account as clearing
from trading.models import Account, CapitalFlow, Exchange, Journal, Trade
from trading.queries import sessions

MONDAY = datetime(2021, 4, 12, 4, tzinfo=UTC)


def answer(*args: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command(*args, "--format", "json", stdout=out, stderr=io.StringIO())
    return dict(json.loads(out.getvalue()))


class TestAccount:
    @pytest.mark.ledger
    def test_it_lists_what_is_there(self, ledger: Any) -> None:
        rows = answer("account", "list")["accounts"]
        assert rows == answer("account")["accounts"]
        assert rows[0] == {
            "code": "main",
            "book": "live",
            "currency": "INR",
            "zone": "Asia/Kolkata",
            "capital": "100000",
            "flows": [{"date": "2000-01-01", "amount": "100000"}],
        }

    @pytest.mark.ledger
    def test_it_makes_an_account_once(self, ledger: Any) -> None:
        args = ("account", "create", "paper desk", "--book", "paper", "--capital", "2500000.50", "--currency", "USD")
        made = answer(*args, "--zone", "America/New_York", "--date", "2021-04-01")["accounts"]
        assert [(row["code"], row["capital"], row["currency"]) for row in made] == [("paper desk", "2500000.5", "USD")]
        assert answer(*args, "--zone", "America/New_York", "--date", "2021-04-01")["accounts"] == made
        assert CapitalFlow.objects.filter(account__code="paper desk").count() == 1
        with pytest.raises(CommandError) as caught:
            answer("account", "create", "paper desk", "--book", "demo")
        assert caught.value.returncode == 2

    @pytest.mark.ledger
    def test_capital_comes_and_goes_on_its_day(self, ledger: Any) -> None:
        answer("account", "capital", "main", "50000", "--date", "2021-04-12")
        row = answer("account", "capital", "main", "-20000.25", "--date", "2021-04-13")["accounts"][0]
        assert row["capital"] == "129999.75"
        assert row["flows"][1:] == [
            {"date": "2021-04-12", "amount": "50000"},
            {"date": "2021-04-13", "amount": "-20000.25"},
        ]

    def test_what_is_wrong_is_said_in_one_line_and_changes_nothing(self, ledger: Any) -> None:
        before = list(CapitalFlow.objects.values_list("pk")), Journal.objects.count()
        for args in (
            ("create", " x "),
            ("create", "x", "--capital", "much"),
            ("create", "x", "--zone", "Mars/Olympus"),
            ("create", "x", "--currency", "rupees"),
            ("create", "x", "--date", "yesterday"),
            ("capital", "nobody", "5"),
            ("capital", "main", "0"),
            ("capital", "main", "nan"),
        ):
            with pytest.raises(CommandError) as caught:
                answer("account", *args)
            assert caught.value.returncode == 2 and "\n" not in str(caught.value)
        assert (list(CapitalFlow.objects.values_list("pk")), Journal.objects.count()) == before
        assert Account.objects.count() == 2

    def test_the_table_says_every_account(self, ledger: Any) -> None:
        out = io.StringIO()
        call_command("account", stdout=out)
        assert "1,00,000.00" in out.getvalue() and "replay" in out.getvalue()


class Points:
    """Stands in for the pump: it has its own tests."""

    def __init__(self) -> None:
        self.cleared: list[str] = []

    def clear_account(self, account: str) -> int:
        self.cleared.append(account)
        return 12


class TestClearAccount:
    @pytest.fixture
    def points(self, ledger: Any, monkeypatch: pytest.MonkeyPatch) -> Points:
        points = Points()
        monkeypatch.setattr(clearing, "open_pump", lambda: points)
        trade(5, at=MONDAY, account="replay")
        trade(5, at=MONDAY)
        return points

    @pytest.mark.ledger
    def test_it_removes_rows_and_points_of_that_account_alone(self, points: Points) -> None:
        said = answer("clear_account", "replay", "--yes")
        assert (said["account"], said["points"], said["rows"]["trades"], said["rows"]["fills"]) == ("replay", 12, 1, 2)
        assert points.cleared == ["replay"]
        assert list(Trade.objects.values_list("account__code", flat=True)) == ["main"]
        assert answer("clear_account", "replay", "--yes")["rows"]["trades"] == 0

    @pytest.mark.parametrize("code", ["main", "nobody"])
    def test_a_live_account_and_an_unknown_one_are_refused_before_anything(self, points: Points, code: str) -> None:
        with pytest.raises(CommandError) as caught:
            answer("clear_account", code, "--yes")
        assert caught.value.returncode == 2
        assert points.cleared == [] and Trade.objects.count() == 2

    @pytest.mark.parametrize(("typed", "removed"), [("replay", 1), ("yes", 0), ("", 0), (None, 0)])
    def test_it_asks_for_the_code(
        self, points: Points, monkeypatch: pytest.MonkeyPatch, typed: str | None, removed: int
    ) -> None:
        def read() -> str:
            if typed is None:
                raise EOFError
            return typed

        monkeypatch.setattr("builtins.input", read)
        if removed:
            answer("clear_account", "replay")
        else:
            with pytest.raises(CommandError, match="Nothing was removed") as caught:
                answer("clear_account", "replay")
            assert caught.value.returncode == 2
        assert len(points.cleared) == removed == 2 - Trade.objects.count()


class TestSessions:
    def test_it_shows_the_phases_of_a_day(self, ledger: Any) -> None:
        said = answer("sessions", "--date", "2021-04-12")
        assert said["open"] is True
        assert said["phases"][1] == {
            "phase": "continuous",
            "opens_at": "2021-04-12T03:45:00Z",
            "closes_at": "2021-04-12T10:00:00Z",
        }
        assert answer("sessions", "--date", "2021-04-14")["open"] is False

    @pytest.mark.ledger
    def test_an_amended_file_replaces_the_hours(self, ledger: Any, tmp_path: Path) -> None:
        file = Path(sessions.__file__).parents[1] / "data" / "exchange_sessions.json"
        content = json.loads(file.read_text())
        content["holidays"]["india"]["2021-04-12"] = "A new holiday"
        del content["exchanges"]["BSE"]
        amended = tmp_path / "amended.json"
        amended.write_text(json.dumps(content))
        assert answer("sessions", "--load", str(amended), "--date", "2021-04-12")["open"] is False
        assert sessions.calendar_of("BSE").continuous(date(2021, 4, 12)) is not None
        assert answer("sessions", "--load", "--date", "2021-04-12")["open"] is True

    def test_it_says_which_exchanges_were_loaded_also_those_without_hours(self, ledger: Any) -> None:
        said = io.StringIO()
        call_command("sessions", "--load", "examples/us_exchanges.json", stdout=io.StringIO(), stderr=said)
        assert said.getvalue().startswith("Loaded: NYSE without hours, NASDAQ without hours, ")
        call_command("sessions", "--load", stdout=io.StringIO(), stderr=said)
        assert re.search(r"Loaded: NSE \d+ rows, ", said.getvalue())

    def test_a_wrong_file_changes_nothing(self, ledger: Any, tmp_path: Path) -> None:
        before = list(Exchange.objects.values_list("sessions__pk").order_by("sessions__pk"))
        wrong = tmp_path / "wrong.json"
        for text in ("{", "{}", '{"exchanges": {"NSE": {}}}', "\udcff"):
            wrong.write_text(text, errors="surrogateescape")
            with pytest.raises(CommandError) as caught:
                answer("sessions", "--load", str(wrong))
            assert caught.value.returncode == 2
        with pytest.raises(CommandError):
            answer("sessions", "--load", str(tmp_path / "absent.json"))
        assert list(Exchange.objects.values_list("sessions__pk").order_by("sessions__pk")) == before
