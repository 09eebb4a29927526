"""The gap between a live book and its backtest: every sum exact, every step of the right sign."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as some

from lab.domain.waterfall import BookComparison, BookFill, BookTrade, TradePair, Waterfall, compare
from lab.models import Trial
from lab.operations.record_run import OPTIMIZE, record_run
from trading import summon
from trading.data_manager import DataManager
from trading.domain.money import SCALE
from trading.domain.position import ENTRY_SIDE, EXIT_SIDE, LONG, SHORT, Execution, fold
from trading.models import Trade

SECOND = 10**9
MINUTE = 60 * SECOND


def fills(chance: Random, at: int, quantity: int) -> tuple[BookFill, ...]:
    """Up to three fills that make up a quantity."""
    cuts = sorted({chance.randint(1, quantity) for _ in range(chance.randint(0, 2))} - {quantity})
    parts = [end - start for start, end in zip([0, *cuts], [*cuts, quantity], strict=True)]
    return tuple(
        BookFill(at + number * SECOND, amount(chance), size, amount(chance) if chance.random() < 0.8 else None)
        for number, size in enumerate(parts)
    )


def amount(chance: Random) -> int:
    return chance.randint(1, 10 ** chance.randint(1, 13))


def made_trade(chance: Random, name: str) -> BookTrade:
    side, multiplier = chance.choice([LONG, SHORT]), chance.choice([SCALE, 75 * SCALE, 3])
    quantity, at = chance.randint(1, 10 ** chance.randint(1, 11)), chance.randint(0, 20) * 20 * SECOND
    entries, exits = fills(chance, at, quantity), fills(chance, at + MINUTE, quantity)
    executions = [Execution(ENTRY_SIDE[side], fill.price, fill.quantity) for fill in entries]
    executions += [Execution(EXIT_SIDE[side], fill.price, fill.quantity) for fill in exits]
    holding, _ = fold(side, multiplier, executions)
    return BookTrade(
        trade_id=name, symbol=chance.choice("AB"), side=side, multiplier=multiplier, entries=entries, exits=exits,
        gross=holding.realised_pnl, charges=chance.choice([None, chance.randint(-(10**9), 10**12)]),
        is_closed=chance.random() < 0.9,
    )  # fmt: skip


def book(seed: int) -> list[BookTrade]:
    chance = Random(seed)
    return [made_trade(chance, str(number)) for number in range(chance.randint(0, 8))]


BOOKS = some.integers(0, 2**40).map(book)


@settings(max_examples=1000)
@given(BOOKS, BOOKS, some.integers(0, 90), some.booleans())
def test_the_steps_from_the_backtest_to_the_live_book_add_up_to_the_last_unit(live, played, tolerance, as_live):
    comparison = compare(live, played, tolerance * SECOND, charged_as_live=as_live)
    assert comparison.played_pnl + sum(comparison.waterfall) == comparison.live_pnl
    for pair in comparison.pairs:
        assert pair.played.net + sum(pair.waterfall) == pair.live.net
        assert (pair.live.symbol, pair.live.side) == (pair.played.symbol, pair.played.side)
        assert abs(pair.live.opened_at - pair.played.opened_at) <= tolerance * SECOND
        assert pair.waterfall.charges == 0 or not as_live
    partners = [trade for pair in comparison.pairs for trade in (pair.live, pair.played)]
    alone = [*comparison.missed, *comparison.extra, *comparison.still_open]
    assert len(partners) + len(alone) == len(live) + len(played)  # nobody is lost or counted twice


@given(BOOKS)
def test_a_book_beside_itself_has_no_gap(live):
    comparison = compare(live, live, 0)
    assert set(comparison.waterfall) == {0}
    assert not comparison.missed and not comparison.extra


def trade(at: int, prices: tuple[int, int], markets: tuple[int, int] = (0, 0), **terms) -> BookTrade:
    """A long of two, in rupees, out a minute later."""
    quantity = terms.pop("quantity", 2) * SCALE
    late = terms.pop("late", 0)
    bought, sold = (price * SCALE for price in prices)
    markets = [market * SCALE if market else None for market in markets]
    side = terms.pop("side", LONG)
    gross = (sold - bought) * quantity // SCALE * (1 if side == LONG else -1)
    return BookTrade(**{
        "trade_id": f"T{at}", "symbol": "A", "side": side, "multiplier": SCALE,
        "entries": (BookFill(at * SECOND, bought, quantity, markets[0]),),
        "exits": (BookFill((at + 60 + late) * SECOND, sold, quantity, markets[1]),), "gross": gross, "charges": None,
    } | terms)  # fmt: skip


def test_each_step_says_what_was_lost_by_it():
    """Bought 3 s late at 102 while the tick was 101, sold 2 s late at 107 while it was 109; three instead of two."""
    played = trade(0, (100, 110), charges=SCALE)
    live = trade(3, (102, 107), (101, 109), quantity=3, late=2, charges=5 * SCALE)
    steps = {name: units / SCALE for name, units in TradePair(live, played).waterfall._asdict().items()}
    assert steps == {
        "missed": 0, "extra": 0, "timing_in": -2, "slip_in": -2, "timing_out": -2, "slip_out": -4, "quantity": 5,
        "charges": -4,
    }  # fmt: skip
    short = TradePair(replace(live, side=SHORT, gross=-live.gross), replace(played, side=SHORT, gross=-played.gross))
    assert short.waterfall.timing_in == 2 * SCALE and short.waterfall.quantity == -5 * SCALE


def test_without_ticks_or_at_one_instant_all_of_the_difference_is_slip():
    played = trade(0, (100, 110))
    for live in (trade(3, (102, 110)), trade(0, (102, 110), (500, 500))):
        steps = TradePair(live, played).waterfall
        assert (steps.timing_in, steps.slip_in) == (0, -4 * SCALE)


@pytest.mark.parametrize(
    ("live", "played", "pairs"),
    [
        ([0, 100], [5, 95], [(0, 5), (100, 95)]),
        ([0, 30], [40], [(0, 40)]),  # the first within reach, in order of time
        ([0], [61], []),
        ([0], [60], [(0, 60)]),
        ([0, 200], [100, 190], [(200, 190)]),
        ([], [1], []),
    ],
    ids=str,
)
def test_pairs_are_made_in_the_order_of_time_within_the_tolerance(live, played, pairs):
    books = [[trade(at, (100, 101)) for at in starts] for starts in (live, played)]
    comparison = compare(*books, MINUTE)
    assert [tuple(of.opened_at // SECOND for of in (pair.live, pair.played)) for pair in comparison.pairs] == pairs
    assert len(comparison.extra) == len(live) - len(pairs) and len(comparison.missed) == len(played) - len(pairs)


def test_sides_and_symbols_are_no_pairs_and_what_is_open_is_left_out_with_its_partner():
    base = trade(0, (100, 101))
    for other in (replace(base, symbol="B"), trade(0, (100, 101), side=SHORT)):
        assert not compare([base], [other], MINUTE).pairs
    comparison = compare([replace(base, is_closed=False)], [base], MINUTE)
    assert comparison == BookComparison(still_open=[replace(base, is_closed=False), base])
    assert comparison.waterfall == Waterfall() and comparison.live_pnl == 0


# -- the command -------------------------------------------------------------------------------------------------------

CROSS = "tests.lab.plain_cross:PlainCross"


def moment(second: float) -> datetime:
    return datetime(2021, 4, 12, 4, tzinfo=UTC) + timedelta(seconds=second)


def recorded(dm: DataManager) -> None:
    """An hour of ticks in which the averages of PlainCross (2 and 3) cross every few minutes."""
    prices = [1000 + (5 if number // 300 % 2 else -5) * (number % 300) / 300 for number in range(0, 3600, 5)]
    dm.process_ticks({
        "symbol": ["RELIANCE"] * len(prices), "timestamp": [moment(5 * number) for number in range(len(prices))],
        "ltp": [round(price, 2) for price in prices],
    })  # fmt: skip


@pytest.fixture
def desk(ledger, monkeypatch):
    monkeypatch.setattr(summon, "summon", lambda: None)
    with DataManager(source="nse") as dm:
        recorded(dm)
        yield dm


def called(name: str, *arguments: object) -> dict:
    out = io.StringIO()
    call_command(name, *map(str, arguments), "--format", "json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


WORDS = ("--strategy", CROSS, "--from", "2021-04-12", "--set", "fast=2", "--set", "slow=3")


def lived(dm: DataManager, *, later: float = 0, worse: str = "0", left_out: Sequence[int] = ()) -> int:
    """Book what a backtest does, later, and worse at the entry; return how many trades it makes."""
    called("backtest", CROSS, *WORDS[2:], "--latency-ms", 0, "--slippage-ticks", 0, "--keep", "--account", "kept")
    kept = list(Trade.objects.filter(account__code="kept").order_by("opened_at", "pk"))
    for number, of in enumerate(kept):
        first, last = of.fills.order_by("sequence")
        sign, at = (1 if of.side == LONG else -1), timedelta(seconds=later)
        if number not in left_out:
            name = (f"L{number}", "plain_cross", "RELIANCE")
            dm.open_position(*name, first.price + sign * Decimal(worse), 1, first.at + at, side=of.side)
            dm.close_position(*name, last.price, last.at + at, charges=2)
    return len(kept)


def test_a_live_book_that_did_what_the_backtest_does_has_no_gap(desk):
    count = lived(desk)
    answer = called("gap", *WORDS)
    assert (answer["pairs"], answer["missed"], answer["extra"], answer["left_out"]) == (count, 0, 0, {})
    assert count > 5
    steps = answer["waterfall"]
    assert {steps[name] for name in steps if not name.endswith("pnl")} == {"0"}
    assert steps["live_pnl"] == steps["backtest_pnl"] != "0"
    assert (answer["charges"], answer["latency_ms"], answer["trades_without_charges"]) == ("booked", 0, 0)
    assert Trial.objects.count() == 1  # the run that is made now is a look, and was one before


def test_late_and_worse_fills_a_missed_trade_and_one_of_ones_own_are_told_apart(desk):
    count = lived(desk, later=10, worse="0.25", left_out=(1,))
    desk.open_position("own", "plain_cross", "RELIANCE", 1000, 1, moment(45), side="LONG")
    desk.close_position("own", "plain_cross", "RELIANCE", 1001, moment(50))
    desk.open_position("open", "plain_cross", "RELIANCE", 1000, 1, moment(3400), side="SHORT")
    desk.open_position("other", "by_hand", "RELIANCE", 1000, 1, moment(3400), side="SHORT")
    answer = called("gap", *WORDS)
    assert (answer["pairs"], answer["missed"], answer["extra"]) == (count - 1, 1, 1)
    assert sum(answer["left_out"].values()) == 1
    steps = {name: Decimal(amount) for name, amount in answer["waterfall"].items()}
    live_pnl = steps.pop("live_pnl")
    assert sum(steps.values()) == live_pnl
    assert steps["extra"] == 1 and steps["timing_in"] != 0 != steps["timing_out"]
    assert steps["slip_in"] == -Decimal("0.25") * (count - 1) - steps["timing_in"]
    assert (steps["quantity"], steps["charges"]) == (0, 0)
    assert [row["kind"] for row in answer["trades"]].count("pair") == count - 1
    for row in answer["trades"]:
        *amounts, total = map(Decimal, row["waterfall"].values())
        assert sum(amounts) == total
    assert called("gap", *WORDS, "--tolerance", 5)["pairs"] == 0


def test_a_run_of_the_registry_is_walked_again_or_refused_where_it_would_come_out_otherwise(desk):
    lived(desk)
    words = (*WORDS[2:], "--charges", "zerodha")
    run = called("backtest", CROSS, *words)["run"]
    answer = called("gap", *WORDS[:4], "--run", run)
    assert (answer["run"], answer["charges"], answer["latency_ms"], answer["slippage_ticks"]) == (
        run,
        "zerodha",
        500,
        1,
    )
    assert answer["parameters"] == {"fast": 2, "slow": 3}
    steps = {name: Decimal(amount) for name, amount in answer["waterfall"].items()}
    assert steps.pop("live_pnl") == sum(steps.values())
    assert steps["charges"] != 0
    desk.process_tick("RELIANCE", {"ltp": 1000}, at=moment(3700))
    with pytest.raises(CommandError, match="would come out otherwise"):
        called("gap", *WORDS[:4], "--run", run)


def test_the_run_of_a_search_is_refused_with_what_its_newest_window_chose(desk):
    windows = [{"parameters": {"fast": 4, "slow": 8}}, {"parameters": {"fast": 2, "slow": 3.5}}, {"parameters": None}]
    body = json.dumps({"windows": windows})
    record_run(OPTIMIZE, body, account="main", strategy="cross", days=(date(2021, 4, 12),) * 2, run="5ea4c")
    with pytest.raises(CommandError, match="Run 5ea4c is a search") as error:
        called("gap", *WORDS[:4], "--run", "5ea4c")
    assert "--set fast=2 --set slow=3.5" in str(error.value)


def test_a_table_has_the_waterfall_and_every_trade(desk):
    count = lived(desk, later=3)
    out = io.StringIO()
    call_command("gap", *WORDS, stdout=out)
    assert "Timing in" in out.getvalue() and f"{count} pairs, 0 missed, 0 extra, within 60 s" in out.getvalue()
    sheet = io.StringIO()
    call_command("gap", *WORDS, "--format", "csv", stdout=sheet)
    assert len(sheet.getvalue().strip().splitlines()) == count + 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tolerance", "-1"), "tolerance is -1"),
        (("--run", "nobody"), "no run 'nobody'"),
        (("--run", ""), "no run ''"),
        (("--run", "abc", "--set", "fast=2"), "has its parameters"),
        (("--charges", "much"), "brokerage plan"),
        (("--to", "2021-04-11"), "--from before --to"),
        (("--account", "nobody"), "no account"),
        (("--ticks", "other"), "no tick"),
        (("--strategy", "none"), "nothing to compare"),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_refused_with_what_to_do(desk, arguments, words):
    with pytest.raises(CommandError, match=words) as error:
        called("gap", *WORDS[:4], *arguments)
    assert error.value.returncode == 2
