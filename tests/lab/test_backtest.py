"""`manage.py backtest` over stored ticks: counted apart, replayed into the ledger, before and after compaction."""

from __future__ import annotations

import io
import json
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from lab.models import Trial
from lab.queries.trials import trial_faults
from timeseries.wiring import open_store
from trading import summon
from trading.data_manager import DataManager
from trading.models import Account, Trade
from trading.proof.verify import verify_ledger

PLAIN = "tests.lab.plain_cross:PlainCross"
EXACT = ("--latency-ms", "0", "--slippage-ticks", "0")
SYMBOLS = {"RELIANCE": "RELIANCE", "MM": "M&M", "BAJAJ_AUTO": "BAJAJ-AUTO"}
INDICES = {"Nifty": "NIFTY 50", "Nifty_Bank": "NIFTY BANK"}


@pytest.fixture(autouse=True)
def alone(ledger, monkeypatch):
    """No companion: what a test writes it ships itself."""
    monkeypatch.setattr(summon, "summon", lambda: None)


def called(*arguments: object) -> dict:
    out = io.StringIO()
    call_command(*map(str, arguments), "--format", "json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def backtest(*arguments: object) -> dict:
    return called("backtest", *arguments, "--from", "2021-04-12", "--ticks", "replay")


def refused(*arguments: object) -> str:
    with pytest.raises(CommandError) as error:
        called("backtest", *arguments)
    assert error.value.returncode == 2
    return str(error.value)


def replayed(market_data: Path, strategy: str, stems: dict[str, str]) -> dict:
    folder = market_data / "nse-ticks-2021"
    named = [word for stem in stems for word in ("--symbol", f"{stem}={stems[stem]}")]
    return called("replay", *(folder / f"{stem}_12_April.csv" for stem in stems), *named, "--strategy", strategy)


@pytest.mark.data
def test_the_plain_cross_is_what_was_counted_apart_by_backtest_by_replay_and_after_compaction(market_data):
    """41 trades, 50.50: three stock files of 12 April 2021, counted by a script of its own that knows no VELOX."""
    told = replayed(market_data, PLAIN, SYMBOLS)
    assert (told["trades_closed"], told["total_pnl"]) == (41, "50.5")
    before = backtest(PLAIN, *EXACT)
    assert (before["trades_closed"], before["total_pnl"], before["censored"]) == (41, "50.5", 0)
    with DataManager(source="reader", account="replay") as dm:
        stats = dm.get_strategy_stats("plain_cross", days=None)
    booked = json.loads(
        json.dumps({key: stats[key] for key in before["statistics"]}, default=lambda money: f"{money:f}")
    )
    assert before["statistics"] == booked
    open_store().care(now=time.time_ns())
    assert backtest(PLAIN, *EXACT) == before
    assert Trial.objects.count() == 1  # the same look again
    worse = backtest(PLAIN)
    assert worse["total_pnl"] != before["total_pnl"]
    assert (worse["run"] != before["run"], worse["trials"], worse["ticks"]) == (True, 2, 65145)


@pytest.mark.data
def test_ema_cross_over_the_five_files_is_its_replay(market_data):
    """39 trades, 243.70: as the replay into the ledger says."""
    told = replayed(market_data, "ema_cross", SYMBOLS | INDICES)
    assert (told["trades_closed"], told["total_pnl"]) == (39, "243.7")
    answer = backtest("ema_cross", *EXACT)
    assert (answer["trades_closed"], answer["total_pnl"]) == (39, "243.7")
    kept = backtest("ema_cross", *EXACT, "--keep", "--account", "kept")
    assert {**kept, "statistics": answer["statistics"]} == answer
    trades = [
        {row[0]: row[1:] for row in Trade.objects.filter(account__code=code).values_list(
            "trade_id", "side", "opened_at", "closed_at", "realised_pnl", "initial_risk", "exit_reason", "state")}
        for code in ("replay", "kept")
    ]  # fmt: skip
    assert trades[0] == trades[1]
    backtest("ema_cross", *EXACT, "--keep", "--account", "kept")  # once more changes nothing
    assert Trade.objects.filter(account__code="kept").count() == 39
    assert verify_ledger().ok and list(trial_faults()) == []


@pytest.mark.data
def test_ema_cross_over_ticks_that_were_recorded_many_at_a_time_is_its_replay(market_data):
    """243.70: within a second these files' lines stand in the order in which they came, which no time tells."""
    replayed(market_data, "none", SYMBOLS | INDICES)
    answer = backtest("ema_cross", *EXACT)
    assert (answer["trades_closed"], answer["total_pnl"]) == (39, "243.7")


def recorded(rows: int = 600, *, account: str = "main", **fields: float) -> None:
    """A morning of RELIANCE that rises and falls."""
    with DataManager(source="nse", account=account) as dm:
        for number in range(rows):
            at = datetime(2021, 4, 12, 3, 45, number % 60, tzinfo=UTC).replace(minute=45 + number // 60 % 15)
            dm.process_tick("RELIANCE", {"ltp": 1900 + number % 17, **fields}, at=at)


def morning(*arguments: object) -> dict:
    return called("backtest", *arguments, "--from", "2021-04-12")


def test_the_answer_has_every_key_in_its_order():
    recorded()
    answer = morning("ema_cross", "--symbol", "RELIANCE", "--set", "fast=3", "--set", "slow=5")
    assert list(answer) == [
        "run", "strategy", "parameters", "source", "first_day", "last_day", "days", "ticks", "latency_ms",
        "slippage_ticks", "charges", "charges_by_head", "trades_opened", "trades_closed", "censored", "unfilled",
        "total_pnl", "statistics", "trials", "trials_effective", "psr", "dsr", "pbo", "track_record_days", "why",
    ]  # fmt: skip
    assert (answer["source"], answer["days"], answer["ticks"]) == ("nse", 1, 600)
    assert (answer["latency_ms"], answer["slippage_ticks"], answer["charges"]) == (500, 1, "none")
    assert answer["parameters"] == {
        "fast": 3, "slow": 5, "atr_period": 14, "stop_ranges": 2.0, "quiet_share": 0.0003, "step_ranges": 0.25,
    }  # fmt: skip
    assert set(answer["why"]) == {"psr", "dsr", "pbo"}
    assert answer["statistics"]["trades_without_charges"] == answer["trades_closed"]


def test_charges_of_a_plan_are_told_head_by_head_and_kept_with_the_trades():
    recorded()
    words = (PLAIN, "--set", "fast=2", "--set", "slow=3", *EXACT)
    before = morning(*words)
    charged = morning(*words, "--charges", "zerodha", "--keep", "--account", "kept")
    heads = {head: Decimal(amount) for head, amount in charged["charges_by_head"].items()}
    assert before["charges_by_head"] == {} and heads["brokerage"] > 0 and heads["stt"] == heads["stt"].to_integral()
    assert Decimal(charged["total_pnl"]) == Decimal(before["total_pnl"]) - sum(heads.values())
    assert charged["statistics"]["trades_without_charges"] == 0
    assert (charged["charges"], charged["trials"]) == ("zerodha", 2)
    assert sum(Trade.objects.values_list("charges", flat=True)) == sum(heads.values())
    assert verify_ledger().ok
    unknown = morning(*words, "--charges", "groww")
    assert unknown["charges_by_head"]["brokerage"] is None
    assert "the schedule has no brokerage for groww" in unknown["why"]["charges"]
    assert unknown["statistics"]["trades_without_charges"] == unknown["trades_closed"]


def test_every_trial_counts_whatever_becomes_of_it(tmp_path, monkeypatch):
    recorded()
    for number in range(3):
        assert morning("ema_cross", "--set", f"fast={number + 3}")["trials"] == number + 1
    (tmp_path / "strategies_that_fail.py").write_text(
        "class Broken:\n    strategy_id = 'ema_cross'\n    def on_start(self, dm): ...\n"
        "    def on_tick(self, tick): 1 / 0\n    def on_end(self): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = refused("strategies_that_fail:Broken", "--from", "2021-04-12")
    assert "ZeroDivisionError" in words
    assert morning("ema_cross", "--set", "fast=3")["trials"] == 4
    assert Trial.objects.filter(state="failed").count() == 1


def test_a_call_that_the_ledger_would_refuse_is_a_failed_trial_too(tmp_path, monkeypatch):
    recorded()
    (tmp_path / "strategy_that_asks_ahead.py").write_text(
        "class Ahead:\n    strategy_id = 'ahead'\n    def on_start(self, dm): self.dm = dm\n"
        "    def on_tick(self, tick): self.dm.get_latest_tick(tick.symbol)\n    def on_end(self): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "ahead of the ticks" in refused("strategy_that_asks_ahead:Ahead", "--from", "2021-04-12")
    assert Trial.objects.get().state == "failed"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ema_cross", "--from", "2021-04-13"), "--ticks names the account"),
        (("ema_cross", "--from", "2021-04-12", "--symbol", "TCS"), "no tick of TCS"),
        (("ema_cross", "--from", "2021-04-12", "--to", "2021-04-11"), "--from before --to"),
        (("ema_cross", "--from", "2021-04-12", "--set", "fast"), "NAME=VALUE"),
        (("ema_cross", "--from", "2021-04-12", "--set", "fast=1"), "from 2 to 60"),
        (("ema_cross", "--from", "2021-04-12", "--set", "fast=2.5"), "a whole number"),
        (("ema_cross", "--from", "2021-04-12", "--set", "fast=nan"), "a whole number"),
        (("ema_cross", "--from", "2021-04-12", "--set", "stop_ranges=nan"), "a number from"),
        (("ema_cross", "--from", "2021-04-12", "--set", "speed=2"), "no parameter 'speed'"),
        (("ema_cross", "--from", "2021-04-12", "--latency-ms", "-1"), "from 0 on"),
        (("ema_cross", "--from", "2021-04-12", "--charges", "much"), "brokerage plan (angelone"),
        (("ema_cross", "--from", "2021-04-12", "--charges", "nan"), "charges is nan"),
        (("ema_cross", "--from", "2021-04-12", "--charges", ""), "charges is"),
        (("ema_cross", "--from", "2021-04-12", "--charges", "-1"), "a percentage"),
        (("ema_cross", "--from", "2021-04-12", "--account", "nobody"), "no account"),
        (("ema_cross", "--from", "2021-04-12", "--keep", "--account", "main"), "book replay"),
        (("none", "--from", "2021-04-12"), "nothing to try"),
        (("no_such", "--from", "2021-04-12"), "no strategy"),
    ],
)
def test_what_cannot_be_tried_is_refused_with_what_to_do(arguments, words):
    recorded()
    assert words in refused(*arguments)


def test_bars_are_refused():
    with DataManager(source="bars", account="main") as dm:
        bar = {"open": 1, "high": 3, "low": 1, "close": 2}
        assert dm.process_tick("RELIANCE", bar, at=datetime(2021, 4, 12, 4, tzinfo=UTC))
    assert "runs on ticks" in refused("ema_cross", "--from", "2021-04-12")


def test_a_table_says_what_the_result_is_worth():
    recorded()
    out = io.StringIO()
    call_command("backtest", "ema_cross", "--from", "2021-04-12", stdout=out)
    text = out.getvalue()
    for words in ("What it is worth", "Deflated", "no charges are known", "500 ms later", "fewer than 20 days"):
        assert words in text


def test_twenty_days_have_odds():
    from lab.backtest.headline import headline
    from lab.domain.trials import DayDigest
    from tests.lab.test_trials import tried

    days = [date(2021, 4, number) for number in range(1, 26)]
    flows = {date(2000, 1, 1): 10**13}
    own = {day: 10**10 * (number % 5 - 1) for number, day in enumerate(days)}

    def trial(seed: int, scale: int):
        digests = [DayDigest(pnl * scale) for pnl in own.values()]
        from dataclasses import replace

        return replace(tried(seed=seed, days=days, ticks=["aa"] * 25), digests=digests)

    one = headline(own, days, flows, [trial(0, 1)])
    assert one.psr == one.dsr and 0.9 < one.psr < 1 and one.trials_effective == 1
    alike = headline(own, days, flows, [trial(0, 1), trial(1, 2), trial(2, 3), trial(3, -1)])
    assert alike.dsr < alike.psr and alike.trials == 4
    assert alike.trials_effective < 4
    assert alike.track_record_days > 1
    few = headline(own, days[:19], flows, [trial(0, 1)])
    assert (few.psr, few.why["psr"]) == (None, "fewer than 20 days")
    assert Account.objects.count() == 2
