"""The statistics of the ledger against the slow and plain oracle, and what callers may rely on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.trading import oracle
from tests.trading.desk import NOW, STRATEGIES, SYMBOLS, make, plans, trade
from trading.domain import figures
from trading.domain.figures import EquityPath
from trading.domain.statistics import daily_returns
from trading.errors import InvalidValue, UnknownAccount
from trading.models import DayTotal, Realisation, Trade
from trading.operations.add_capital import add_capital
from trading.operations.add_fill import add_fill
from trading.operations.open_position import open_position
from trading.operations.void import void
from trading.queries import statistics
from trading.queries.accounts import get_account
from trading.queries.sessions import calendar_of
from trading.queries.statistics import (
    Cut,
    account_stats,
    strategy_stats,
    symbol_stats,
    totals_by,
    traded_span,
)

pytestmark = pytest.mark.ledger

MONDAY = datetime(2021, 4, 12, 4, tzinfo=UTC)
SUMS = ("total_trades", "winning_trades", "losing_trades", "breakeven_trades", "trades_without_charges")
MONEY = ("total_pnl", "gross_pnl", "charges")


@pytest.fixture
def desk(ledger: Any) -> Iterator[None]:
    for plan in plans(24):
        make(plan)
    trade(40, at=datetime(2021, 4, 6, 5, tzinfo=UTC), account="replay")
    yield


def trading_days(first: date, last: date, **cut: Any) -> list[date]:
    with_exits = Realisation.objects.filter(account__code="main", day__gte=first, day__lte=last, **cut)
    since = min(Trade.objects.filter(account__code="main").values_list("trading_day", flat=True))
    open_days = calendar_of("NSE").trading_days(max(first, since), last)
    return sorted({*open_days, *with_exits.values_list("day", flat=True)})


def same(made: dict[str, Any], told: dict[str, Any]) -> None:
    for key, expected in told.items():
        got = made[key]
        if isinstance(expected, Fraction) and isinstance(got, Decimal):
            assert abs(Fraction(got) - expected) <= Fraction(1, 2 * 10**8), key
        elif expected is None or isinstance(expected, int):
            assert got == expected, key
        else:
            assert got == pytest.approx(float(expected), rel=1e-9, abs=1e-12), key


def test_the_figures_of_every_cut_are_those_of_the_oracle_and_add_up(desk: None) -> None:
    book, span = oracle.book("main"), (date(2021, 4, 1), date(2021, 4, 30))
    whole = account_stats(get_account("main"), 30, now=NOW)
    same(whole, oracle.figures("main", trading_days(*span), book))
    by_name = [strategy_stats(get_account("main"), strategy, 30, now=NOW) for strategy in STRATEGIES]
    for made, strategy in zip(by_name, STRATEGIES, strict=True):
        same(made, oracle.figures("main", trading_days(*span, strategy__code=strategy), book, strategy=strategy))
    by_symbol = [symbol_stats(get_account("main"), symbol, 30, now=NOW) for symbol in SYMBOLS]
    for made, symbol in zip(by_symbol, SYMBOLS, strict=True):
        name = symbol.removeprefix("BSE:")
        assert made["total_trades"] > 0
        same(made, oracle.figures("main", trading_days(*span, instrument__symbol=name), book, symbol=name))
    for key in (*SUMS, *MONEY, "open_trades_pnl"):
        assert sum(cut[key] for cut in by_name) == sum(cut[key] for cut in by_symbol) == whole[key], key


def test_any_period_is_that_of_the_oracle(desk: None) -> None:
    book = oracle.book("main")
    for strategy, days in itertools.product(STRATEGIES, (1, 10, 60, None)):
        made = strategy_stats(get_account("main"), strategy, days, now=NOW)
        first, last = date.fromisoformat(made["first_date"]), date.fromisoformat(made["last_date"])
        if days is not None:
            assert (first, last) == (date(2021, 4, 30) - timedelta(days=days - 1), date(2021, 4, 30))
        span = trading_days(first, last, strategy__code=strategy)
        assert made["trading_days"] == len(span)
        same(made, oracle.figures("main", span, book, strategy=strategy))


def test_day_totals_tell_the_same_as_the_trades(desk: None) -> None:
    first, last, book = date(2021, 4, 1), date(2021, 5, 31), oracle.book("main")
    for row in totals_by(get_account("main"), first, last, "strategy"):
        span = trading_days(first, last, strategy__code=row["key"])
        same(row, _sums_of(oracle.figures("main", span, book, strategy=row["key"])))
    for row in totals_by(get_account("main"), first, last, "day"):
        same(row, _sums_of(oracle.figures("main", [date.fromisoformat(row["key"])], book)))
    assert {row["key"] for row in totals_by(get_account("main"), first, last, "strategy")} == set(STRATEGIES)


def _sums_of(told: dict[str, Any]) -> dict[str, Any]:
    known = (*SUMS, *MONEY, "win_rate", "profit_factor", "avg_win", "avg_loss", "payoff_ratio", "expectancy")
    return {key: told[key] for key in (*known, "expectancy_ratio")}


def test_rows_by_day_read_no_trade_and_a_period_costs_a_fixed_number_of_queries(
    ledger: Any, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(8):
        trade(number, at=MONDAY + timedelta(days=number))
    with django_assert_num_queries(2):
        totals_by(get_account("main"), date(2021, 4, 1), date(2021, 4, 30), "day")
    with django_assert_max_num_queries(10):
        strategy_stats(get_account("main"), STRATEGIES[0], 30, now=NOW)


def test_of_nothing_every_key_is_there(ledger: Any) -> None:
    for days in (30, None):
        made = strategy_stats(get_account("main"), "nobody", days, now=NOW)
        assert (made["total_trades"], made["total_pnl"], made["charges"], made["max_drawdown"]) == (0, 0, 0, 0)
        assert [made[key] for key in ("win_rate", "profit_factor", "avg_win", "expectancy", "sharpe", "sqn")] == [
            None
        ] * 6
        assert symbol_stats(get_account("main"), "NOTHING", days, now=NOW).keys() == made.keys()


def test_wrong_days_and_what_is_no_name_are_refused(ledger: Any) -> None:
    for days in (0, -3, True, 2.5, "30"):
        for stats, name in ((strategy_stats, "ema cross"), (symbol_stats, "RELIANCE")):
            with pytest.raises(InvalidValue):
                stats("main", name, days, now=NOW)  # type: ignore[arg-type]
    for wrong in (None, "", " x", "a\x00", "\ud800", 7):
        for stats in (strategy_stats, symbol_stats):
            with pytest.raises(InvalidValue):
                stats("main", wrong, now=NOW)  # type: ignore[arg-type]


def test_an_unknown_account_is_refused(ledger: Any) -> None:
    with pytest.raises(UnknownAccount):
        strategy_stats(get_account("nobody"), "ema cross", now=NOW)


def test_money_belongs_to_the_day_of_the_exit_and_the_trade_to_the_day_it_closes(ledger: Any) -> None:
    open_position("main", "1", "ema cross", "RELIANCE", entry_price=100, quantity=10, entry_time=MONDAY)
    add_fill("main", "1", "SELL", 110, 4, MONDAY + timedelta(days=1))
    tuesday = strategy_stats(get_account("main"), "ema cross", 1, now=MONDAY + timedelta(days=1))
    assert (tuesday["total_trades"], tuesday["total_pnl"], tuesday["open_trades_pnl"]) == (0, 40, 40)
    add_fill("main", "1", "SELL", 95, 6, MONDAY + timedelta(days=2))
    wednesday = strategy_stats(get_account("main"), "ema cross", 1, now=MONDAY + timedelta(days=2))
    assert (wednesday["total_trades"], wednesday["total_pnl"], wednesday["winning_trades"]) == (1, -30, 1)
    assert wednesday["avg_win"] == 10
    both = strategy_stats(get_account("main"), "ema cross", None, now=MONDAY)
    assert (both["first_date"], both["last_date"], both["total_pnl"]) == ("2021-04-12", "2021-04-14", 10)
    assert both["open_trades_pnl"] == 0


def test_a_closed_day_with_an_exit_is_a_trading_day(ledger: Any) -> None:
    holiday = datetime(2021, 4, 14, 5, tzinfo=UTC)
    trade(5, at=MONDAY - timedelta(days=30))
    assert strategy_stats(get_account("main"), "ema cross", 7, now=holiday)["trading_days"] == 4
    trade(5, at=holiday)
    assert strategy_stats(get_account("main"), "ema cross", 7, now=holiday)["trading_days"] == 5


DAY_RATIOS = ("sharpe", "sortino", "calmar")


def test_days_before_the_accounts_first_trade_are_no_sample(ledger: Any) -> None:
    friday = MONDAY + timedelta(days=25)  # 7 May: the last of its 19 trading days from 12 April on
    trade(-40, at=MONDAY)
    trade(100, at=MONDAY + timedelta(days=1))
    for days in (30, 400, None):
        made = strategy_stats(get_account("main"), "ema cross", days, now=MONDAY + timedelta(days=1))
        assert [made[name] for name in ("trading_days", *DAY_RATIOS)] == [2, None, None, None]
    trade(7, at=friday)
    short = strategy_stats(get_account("main"), "ema cross", 400, now=friday)
    enough = strategy_stats(get_account("main"), "ema cross", 400, now=friday + timedelta(days=4))
    assert (short["trading_days"], enough["trading_days"]) == (18, 20)
    assert [short[name] for name in DAY_RATIOS] == [None] * 3 and None not in [enough[name] for name in DAY_RATIOS]


def test_a_cut_has_the_days_of_its_account_as_its_sample(ledger: Any) -> None:
    trade(5, at=MONDAY - timedelta(days=60), strategy="older")
    trade(100, at=MONDAY)
    made = strategy_stats(get_account("main"), "ema cross", 30, now=MONDAY)
    assert made["trading_days"] == account_stats(get_account("main"), 30, now=MONDAY)["trading_days"] > 15


def test_a_void_first_trade_begins_no_sample(ledger: Any) -> None:
    trade(5, at=MONDAY - timedelta(days=60))
    void(Trade.objects.get().pk, by="desk", reason="never was")
    trade(100, at=MONDAY)
    for days in (90, None):
        assert strategy_stats(get_account("main"), "ema cross", days, now=MONDAY)["trading_days"] == 1


def test_the_ends_of_a_span_are_those_of_what_counts_and_no_row_between_them_is_read(ledger: Any) -> None:
    main, days = get_account("main"), [(MONDAY + timedelta(days=number)).date() for number in range(5)]
    for number, strategy in enumerate(("other", "ema cross", "other", "ema cross")):
        trade(5, at=MONDAY + timedelta(days=number if number < 3 else 4), strategy=strategy)
    for pk in (Trade.objects.earliest("opened_at").pk, Trade.objects.latest("opened_at").pk):
        void(pk, by="desk", reason="never was")
    opened_at = MONDAY + timedelta(days=3)
    open_position("main", "held", "other", "M&M", entry_price=100, quantity=1, entry_time=opened_at)
    instrument = Trade.objects.earliest("opened_at").instrument_id
    for cut, expected, first_with_void in (
        (Cut(main), (1, 3, 2), 0),
        (Cut(main, "ema cross"), (1, 1, 1), 1),
        (Cut(main, "other"), (2, 3, 2), 0),
        (Cut(main, None, instrument), (1, 2, 2), 0),
        (Cut(main, "other", instrument), (2, 2, 2), 0),
    ):
        assert traded_span(cut, with_void=True).first == days[first_with_void]
        with CaptureQueriesContext(connection) as captured:
            assert traded_span(cut) == tuple(days[place] for place in expected), cut
        if connection.vendor == "sqlite":  # PostgreSQL reads a small table whole
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {captured[0]['sql']}")
                plan = [row[-1] for row in cursor.fetchall()]
            assert not [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step], plan
    assert traded_span(Cut(main, "never")) == (None, None, None)


def test_before_anything_was_traded_a_period_has_no_days_and_its_capital_lost_nothing(ledger: Any) -> None:
    made = account_stats(get_account("main"), 30, now=MONDAY)
    assert (made["trading_days"], made["sharpe"], made["max_drawdown"], made["max_drawdown_pct"]) == (0, None, 0, 0.0)


def _returns(cut: statistics.Cut, days: list[date], exits: list[figures.Exit]) -> list[float] | None:
    capital = statistics.capital_in(statistics.history_of(cut.account, days[-1]), days, exits)
    pnl_by_day = EquityPath.of(exits, capital).pnl_by_day
    return daily_returns(figures.days_of(pnl_by_day, capital), capital.at_start)


def test_returns_divide_by_the_accounts_capital_of_the_morning(ledger: Any) -> None:
    trade(1000, at=MONDAY, strategy="other")
    trade(500, at=MONDAY + timedelta(days=1))
    add_capital("main", date(2021, 4, 14), Decimal(98_500))
    trade(-2000, at=MONDAY + timedelta(days=2))
    cut = statistics.Cut(get_account("main"), "ema cross")
    exits = [exit for _, exit in statistics.exits_of(cut, date(2021, 4, 12), date(2021, 4, 14))]
    days = [date(2021, 4, day) for day in (12, 13, 14)]
    assert _returns(cut, days, exits) == [
        0.0,
        500 / 101_000,
        -2000 / 200_000,
    ]


def test_what_others_earned_on_a_closed_day_is_capital_of_the_next(ledger: Any) -> None:
    trade(1000, at=MONDAY + timedelta(days=2), strategy="other")  # a holiday
    trade(500, at=MONDAY + timedelta(days=3))
    cut = statistics.Cut(get_account("main"), "ema cross")
    exits = [exit for _, exit in statistics.exits_of(cut, date(2021, 4, 13), date(2021, 4, 15))]
    assert _returns(cut, [date(2021, 4, 13), date(2021, 4, 15)], exits) == [
        0.0,
        500 / 101_000,
    ]


def test_capital_of_a_later_day_does_not_rewrite_the_past(desk: None) -> None:
    before = strategy_stats(get_account("main"), STRATEGIES[0], 30, now=NOW)
    add_capital("main", date(2021, 5, 1), Decimal(10**9))
    assert strategy_stats(get_account("main"), STRATEGIES[0], 30, now=NOW) == before


def test_the_order_in_which_equal_instants_were_booked_changes_nothing(ledger: Any) -> None:
    pnls = [50, -80, 30, -10]
    for account, order in (("main", pnls), ("replay", pnls[::-1])):
        for number, pnl in enumerate(order):
            name = str(number)
            open_position(account, name, "ema cross", "RELIANCE", entry_price=1000, quantity=1, entry_time=MONDAY)
            add_fill(account, name, "SELL", 1000 + pnl, 1, MONDAY + timedelta(minutes=5))
    assert strategy_stats(get_account("main"), "ema cross", 30, now=NOW) == strategy_stats(
        get_account("replay"), "ema cross", 30, now=NOW
    )


def test_day_totals_hold_one_row_per_strategy_instrument_and_day(desk: None) -> None:
    keys = Realisation.objects.values_list("account", "strategy", "instrument", "day")
    assert sorted(set(keys)) == sorted(DayTotal.objects.values_list("account", "strategy", "instrument", "day"))
