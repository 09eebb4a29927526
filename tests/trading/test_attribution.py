"""What conditions were worth, and what followed the signals that were not taken."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from trading import summon
from trading.data_manager import DataManager
from trading.domain import cuts, intervals, statistics
from trading.domain.attribution import Aftermath, Attribution, Judged, aftermath, attribute
from trading.domain.exit_columns import Groups

AT = datetime(2021, 4, 12, 4, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OneTrade:
    """A trade as a person sees it; `as_columns` makes what the code reads of some."""

    strategy_id: str
    net: int
    conditions: dict[str, float]


def as_columns(trades: list[OneTrade]) -> Judged:
    names = list(dict.fromkeys(trade.strategy_id for trade in trades))
    seen = {name for trade in trades for name in trade.conditions}
    return Judged(
        Groups(np.array([names.index(trade.strategy_id) for trade in trades], dtype=np.int64), names),
        np.array([trade.net for trade in trades], dtype=np.int64),
        {name: np.array([trade.conditions.get(name, np.nan) for trade in trades], dtype=np.float64) for name in seen},
    )


def by_loops(trades: list[OneTrade]) -> list[Attribution]:
    """Return what `attribute` tells, trade by trade."""
    groups = []
    for strategy, name in sorted({(trade.strategy_id, name) for trade in trades for name in trade.conditions}):
        own = [trade for trade in trades if trade.strategy_id == strategy]
        numbers = [trade.conditions[name] for trade in own if name in trade.conditions]
        is_boolean = set(numbers) <= {0.0, 1.0}
        edges = cuts.edges_of(numbers, is_boolean=is_boolean)
        for bucket in dict.fromkeys(cuts.bucket(number, edges) for number in sorted(numbers)):
            if is_boolean and bucket != "yes":
                continue
            is_in = [name in trade.conditions and cuts.bucket(trade.conditions[name], edges) == bucket for trade in own]
            sides = [
                [trade.net for trade, here in zip(own, is_in, strict=True) if here == side] for side in (True, False)
            ]
            groups.append((strategy, name, bucket, *sides))
    differences = [intervals.difference(within, outside) for *_, within, outside in groups]
    adjusted = intervals.holm([None if difference is None else difference.p for difference in differences])
    return [
        Attribution(
            *(strategy, name, bucket, len(within), statistics.average(sum(within), len(within))),
            *(len(outside), statistics.average(sum(outside), len(outside)), difference, p),
        )
        for (strategy, name, bucket, within, outside), difference, p in zip(groups, differences, adjusted, strict=True)
    ]


def test_a_condition_that_decides_is_found_among_many_that_do_not() -> None:
    from scipy import stats

    chance = random.Random(5)
    trades = []
    for _ in range(200):
        noise = {f"noise {number}": chance.random() for number in range(10)}
        trend = float(chance.random() < 0.5)
        trades.append(OneTrade("orb", round(chance.gauss(100 if trend else -100, 150)), {**noise, "trend": trend}))
    rows = attribute(as_columns(trades))
    convincing = {row.condition for row in rows if row.p_adjusted is not None and row.p_adjusted < 0.05}
    assert convincing == {"trend"}
    (trend,) = [row for row in rows if row.condition == "trend"]
    assert trend.bucket == "yes" and trend.difference is not None and trend.difference.low > 0
    with_it = [trade.net for trade in trades if trade.conditions["trend"]]
    without = [trade.net for trade in trades if not trade.conditions["trend"]]
    assert trend.difference.p == pytest.approx(stats.ttest_ind(with_it, without, equal_var=False).pvalue, rel=1e-6)
    assert (trend.with_it, trend.without_it) == (len(with_it), len(without))


judged = st.lists(
    st.builds(
        OneTrade,
        st.sampled_from(("orb", "ema")),
        st.integers(-(10**9), 10**9),
        st.dictionaries(st.sampled_from(("rsi", "trend")), st.floats(0, 100) | st.sampled_from((0.0, 1.0)), max_size=2),
    ),
    max_size=30,
)


@given(judged)
def test_with_and_without_are_all_trades_of_the_strategy_and_the_buckets_all_that_have_it(
    trades: list[OneTrade],
) -> None:
    rows = attribute(as_columns(trades))
    assert rows == by_loops(trades)
    for row in rows:
        assert row.with_it + row.without_it == sum(trade.strategy_id == row.strategy_id for trade in trades)
        if row.difference is not None:
            assert row.p_adjusted is not None and row.p_adjusted >= row.difference.p - 1e-12
    for strategy, name in {(row.strategy_id, row.condition) for row in rows}:
        values = [t.conditions[name] for t in trades if t.strategy_id == strategy and name in t.conditions]
        if not set(values) <= {0.0, 1.0}:
            mine = [row for row in rows if (row.strategy_id, row.condition) == (strategy, name)]
            assert sum(row.with_it for row in mine) == len(values)


class TestAftermath:
    TIMES, PRICES = np.array([10, 20, 30, 40]), np.array([100.0, 110.0, 90.0, 105.0])

    def test_it_counts_from_the_price_at_the_signal_in_its_direction(self) -> None:
        assert aftermath(self.TIMES, self.PRICES, 0, 10, 40, "LONG") == Aftermath(
            pytest.approx(5), pytest.approx(10), pytest.approx(-10)
        )
        assert aftermath(self.TIMES, self.PRICES, 0, 15, 30, "SHORT") == Aftermath(
            pytest.approx(10), pytest.approx(10), pytest.approx(-10)
        )

    def test_it_is_unknown_without_a_price_before_or_after(self) -> None:
        assert aftermath(self.TIMES, self.PRICES, 0, 9, 40, "LONG") is None
        assert aftermath(self.TIMES, self.PRICES, 0, 40, 90, "LONG") is None

    def test_a_price_from_before_its_time_is_none(self) -> None:
        assert aftermath(self.TIMES, self.PRICES, 20, 25, 90, "LONG") is not None
        assert aftermath(self.TIMES, self.PRICES, 21, 25, 90, "LONG") is None


ticks = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 10_000)), max_size=30)


@given(ticks, st.integers(1, 70), st.integers(-5, 65), st.integers(1, 40), st.sampled_from(("LONG", "SHORT", "")))
def test_what_followed_a_signal_is_what_a_plain_walk_over_its_ticks_finds(
    seen: list[tuple[int, int]], age: int, at: int, span: int, side: str
) -> None:
    seen = sorted(seen, key=lambda tick: tick[0])
    times, prices = np.array([t for t, _ in seen], dtype=np.int64), np.array([p for _, p in seen], dtype=np.float64)
    found = aftermath(times, prices, at - age, at, at + span, side)
    before, after = None, []
    for time, price in seen:
        if time <= at:
            before = price if time >= at - age else None
        elif time <= at + span:
            after.append(price)
    if before is None or not after:
        assert found is None
        return
    moves = [(before - price if side == "SHORT" else price - before) * 100 / before for price in after]
    assert found is not None
    assert (found.end, found.best, found.worst) == pytest.approx((moves[-1], max(moves), min(moves)), abs=1e-9)


@pytest.fixture
def desk(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataManager]:
    """A price that rises by one every minute; two trades taken on a trend, two without, a long and a short skipped."""
    monkeypatch.setattr(summon, "summon", lambda: None)
    with DataManager(source="test", account="replay") as dm:
        for minute in range(120):
            dm.process_tick("RELIANCE", {"ltp": 1000 + minute}, at=AT + minute * MINUTE)
        for number, (trend, pnl) in enumerate([(True, 10), (True, 14), (False, -5), (False, -9)]):
            at, said = AT + number * MINUTE, {"trend": trend, "rsi": 50 + number, "side": "LONG"}
            dm.open_position(str(number), "orb", "RELIANCE", 1000, 1, at, signal_conditions=said)
            dm.close_position(str(number), "orb", "RELIANCE", 1000 + pnl, at + MINUTE)
        for side in ("LONG", "SHORT"):
            at = AT + 10 * MINUTE + (side == "SHORT") * MINUTE
            dm.record_signal("orb", "RELIANCE", at, {"side": side}, decision="SKIPPED", reason=f"{side} is shut")
        yield dm


def told(*options: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("signal_report", "--account", "replay", "--format", "json", *options, stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.ledger
def test_the_report_tells_conditions_and_what_was_skipped(desk: DataManager) -> None:
    made = told("--minutes", "20")
    rows = {(row["condition"], row["bucket"]): row for row in made["conditions"]}
    trend = rows["trend", "yes"]
    assert (trend["trades_with"], trend["expectancy_with"]) == (2, "12")
    assert (trend["trades_without"], trend["expectancy_without"], trend["difference"]) == (2, "-7", "19")
    assert sum(row["trades_with"] for (name, _), row in rows.items() if name == "rsi") == 4
    skipped = {row["reason"]: row for row in made["signals"] if row["decision"] == "SKIPPED"}
    assert skipped["LONG is shut"]["mean_move"] == pytest.approx(100 * 20 / 1010)
    assert skipped["SHORT is shut"]["mean_move"] == pytest.approx(-100 * 20 / 1011)
    assert [row["signals"] for row in made["signals"] if row["decision"] == "TAKEN"] == [4]


@pytest.mark.ledger
def test_a_signal_that_names_no_side_has_that_of_its_trade(desk: DataManager) -> None:
    for trade_id, side, conditions in (
        ("a", "SHORT", {"rsi": 80}),
        ("b", "SHORT", {"side": "LONG"}),
        ("c", "LONG", {}),
    ):
        desk.open_position(
            trade_id, f"own {trade_id}", "RELIANCE", 1000, 1, AT, side=side, signal_conditions=conditions
        )
    desk.record_signal("own d", "RELIANCE", AT, {}, decision="SKIPPED")
    moves = {row["strategy_id"]: row["mean_move"] for row in told("--minutes", "20")["signals"]}
    expected = {"own a": -2, "own b": 2, "own c": 2, "own d": 2}
    assert {name: moves[name] for name in expected} == pytest.approx(expected)


@pytest.mark.ledger
def test_another_signal_of_the_day_lends_nobody_a_price_that_is_older_than_an_hour(desk: DataManager) -> None:
    desk.process_tick("RELIANCE", {"ltp": 2000}, at=AT + 250 * MINUTE)
    late = AT + 240 * MINUTE  # the last price before it is of two hours ago
    desk.record_signal("late", "RELIANCE", late, {}, decision="SKIPPED")
    desk.record_signal("early", "RELIANCE", AT + 60 * MINUTE, {}, decision="SKIPPED")
    for options in ((), ("--strategy", "late", "--from", "2021-04-12", "--to", "2021-04-12")):
        (row,) = (row for row in told(*options)["signals"] if row["strategy_id"] == "late")
        assert (row["signals"], row["with_ticks"]) == (1, 0), options


@pytest.mark.ledger
def test_without_days_it_tells_signals_of_days_on_which_nothing_was_traded(desk: DataManager) -> None:
    """Of a strategy that only skipped, and of the day before and after all trades."""
    for name, days in (("only skips", 1), ("orb", 3), ("orb", -3)):
        desk.record_signal(name, "RELIANCE", AT + days * DAY, {}, decision="SKIPPED", reason=f"{days} days off")
    made = told()
    assert (made["from"], made["to"]) == ("2021-04-09", "2021-04-15")
    assert {row["reason"]: row["signals"] for row in made["signals"]}.items() >= {
        "3 days off": 1,
        "-3 days off": 1,
    }.items()
    alone = told("--strategy", "only skips")
    assert (alone["from"], alone["to"], len(alone["signals"])) == ("2021-04-13", "2021-04-13", 1)


@pytest.mark.ledger
def test_it_answers_in_every_format_and_refuses_an_odd_span(desk: DataManager) -> None:
    for form in ("table", "csv", "html"):
        out = io.StringIO()
        call_command("signal_report", "--account", "replay", "--format", form, stdout=out)
        assert "trend" in out.getvalue()
    with pytest.raises(CommandError, match="minutes"):
        told("--minutes", "0")
    assert json.loads(json.dumps(told("--account", "main")))["conditions"] == []
