"""A period's figures, put together from its exit fills."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain import display
from trading.domain.figures import (
    Capital,
    ClosedTrade,
    EquityPath,
    Exit,
    Sample,
    day_figures,
    exposure_seconds,
    period_figures,
)
from trading.domain.shapes import DayFigures

UNIT = 10**8
MONDAY = date(2021, 4, 12)
COUNTS_AND_MONEY = [
    *("total_trades", "winning_trades", "losing_trades", "breakeven_trades"),
    *("total_pnl", "gross_pnl", "charges", "trades_without_charges"),
]
PROMISED_KEYS = [
    *("total_trades", "winning_trades", "losing_trades", "breakeven_trades", "win_rate"),
    *("total_pnl", "gross_pnl", "charges", "trades_without_charges", "profit_factor"),
    *("avg_win", "avg_loss", "largest_win", "largest_loss", "payoff_ratio"),
    *("expectancy", "expectancy_ratio", "expectancy_r", "max_drawdown", "max_drawdown_pct"),
    *("sharpe", "sortino", "calmar", "sqn", "avg_holding_seconds"),
]


def at(day: int, minute: int = 0) -> datetime:
    return datetime(2021, 4, 12, 4, 0, tzinfo=UTC) + timedelta(days=day, minutes=minute)


def closing(
    pnl: int, *, day: int = 0, minute: int = 0, charges: int | None = None, risk: int | None = None, held: float = 60.0
) -> Exit:
    """An exit that closes a trade whose only exit it is; amounts in whole rupees."""
    units = pnl * UNIT
    known = None if charges is None else charges * UNIT
    trade = ClosedTrade(units, known, None if risk is None else risk * UNIT, held)
    return Exit(at(day, minute), MONDAY + timedelta(days=day), units, known, trade)


def capital(days: int = 1, at_start: int = 1000, **changes: Any) -> Capital:
    span = [MONDAY + timedelta(days=number) for number in range(days)]
    return Capital(at_start * UNIT, span, changes.get("flows", {}), changes.get("other_pnl", {}))


def of_day(exits: list[Exit]) -> DayFigures:
    return day_figures(Sample.of(exits), EquityPath.of(exits, capital()).episodes, capital())


def test_every_promised_key_is_there_in_its_order() -> None:
    keys = list(period_figures([closing(5)], capital()))
    assert keys[: len(PROMISED_KEYS)] == PROMISED_KEYS


def test_a_period_without_anything_has_zeros_for_sums_and_none_for_ratios() -> None:
    made = period_figures([], capital(30))
    zeros = [key for key in PROMISED_KEYS if made[key] == 0 and made[key] is not None]
    assert zeros == [*COUNTS_AND_MONEY, "max_drawdown", "max_drawdown_pct"]
    assert all(made[key] is None for key in PROMISED_KEYS if key not in zeros)


def test_charges_are_taken_from_the_result_and_can_turn_a_win_into_a_loss() -> None:
    made = period_figures([closing(10, charges=12), closing(50, charges=None)], capital())
    assert (made["winning_trades"], made["losing_trades"]) == (1, 1)
    assert (made["gross_pnl"], made["charges"], made["total_pnl"]) == (Decimal(60), Decimal(12), Decimal(48))
    assert made["trades_without_charges"] == 1
    assert (made["largest_win"], made["largest_loss"]) == (Decimal(50), Decimal(-2))


def test_r_multiples_come_from_trades_with_an_initial_risk_only() -> None:
    made = period_figures([closing(10, risk=5), closing(-5, risk=5), closing(1000)], capital())
    assert made["expectancy_r"] == 0.5
    assert made["trades_with_initial_risk"] == 2


def test_a_partial_exit_is_money_of_its_day_and_no_trade_yet() -> None:
    partial = Exit(at(0), MONDAY, 7 * UNIT, None, is_open=True)
    made = period_figures([partial, closing(3)], capital())
    assert (made["total_trades"], made["total_pnl"], made["open_trades_pnl"]) == (1, Decimal(10), Decimal(7))
    assert made["expectancy"] == Decimal(3)


def test_sqn_needs_five_trades_and_day_ratios_twenty_days() -> None:
    four = [closing(value, day=number) for number, value in enumerate([5, -3, 8, -2])]
    few, enough = period_figures(four, capital(19)), period_figures([*four, closing(1)], capital(20))
    assert [few[key] for key in ("sqn", "sharpe", "sortino", "calmar")] == [None] * 4
    assert None not in [enough[key] for key in ("sqn", "sharpe", "sortino", "calmar")]


def test_a_day_without_a_trade_counts_as_a_return_of_zero() -> None:
    exits = [closing(10), closing(-4, day=1)]
    short, long = period_figures(exits, capital(20)), period_figures(exits, capital(40))
    assert short["sharpe"] > long["sharpe"] > 0
    assert (short["trading_days"], long["trading_days"]) == (20, 40)


def test_money_and_percent_drawdown_have_dates_of_their_own() -> None:
    exits = [closing(value, day=number) for number, value in enumerate([0, -500, 500, 10000, -1000])]
    made = period_figures(exits, capital(5))
    assert (made["max_drawdown"], made["max_drawdown_pct"]) == (Decimal(1000), 50.0)
    assert (made["max_drawdown_from"], made["max_drawdown_to"]) == ("2021-04-15", "2021-04-16")
    assert (made["max_drawdown_pct_from"], made["max_drawdown_pct_to"]) == ("2021-04-12", "2021-04-13")


def test_the_drawdown_sees_inside_a_day() -> None:
    made = of_day([closing(-300, minute=1), closing(400, minute=2)])
    assert (made["max_drawdown"], made["max_drawdown_pct"]) == (Decimal(300), 30.0)


def test_an_account_that_lost_twice_what_it_had_is_200_percent_down_and_has_no_ratio_of_days() -> None:
    lost = [closing(value, day=number) for number, value in enumerate([-1200, -300, -500])]
    made = period_figures(lost, capital(25))
    assert (made["max_drawdown"], made["max_drawdown_pct"]) == (Decimal(2000), 200.0)
    assert [made[name] for name in ("sharpe", "sortino", "calmar")] == [None] * 3


def test_a_loss_at_once_starts_from_the_first_day_of_the_period() -> None:
    made = period_figures([closing(-10, day=2)], capital(3))
    assert made["max_drawdown_from"] == "2021-04-12"


def test_capital_that_came_in_on_the_way_counts_from_its_day() -> None:
    tuesday = MONDAY + timedelta(days=1)
    made = period_figures([closing(-100), closing(-100, day=1)], capital(2, flows={tuesday: 9000 * UNIT}))
    assert made["max_drawdown"] == Decimal(200)
    assert made["max_drawdown_pct"] == 10.0


def test_fills_of_one_instant_are_one_change() -> None:
    made = of_day([closing(-300, minute=1), closing(400, minute=1)])
    assert made["max_drawdown"] == 0


def test_exposure_counts_two_trades_at_a_time_once() -> None:
    spans = [(at(0, 0), at(0, 10)), (at(0, 5), at(0, 15)), (at(0, 7), at(0, 8)), (at(0, 20), at(0, 21))]
    assert exposure_seconds(spans) == exposure_seconds(reversed(spans)) == 16 * 60
    assert exposure_seconds([]) == 0


amounts = st.integers(-(10**6), 10**6)
exit_lists = st.lists(
    st.builds(
        closing,
        amounts,
        day=st.integers(0, 4),
        minute=st.integers(0, 2),
        charges=st.none() | st.integers(0, 50),
        risk=st.none() | st.integers(1, 1000),
        held=st.integers(1, 10**5).map(float),
    ),
    max_size=25,
)


@given(exit_lists, st.randoms())
def test_the_order_of_the_rows_changes_nothing(exits: list[Exit], random: Any) -> None:
    shuffled = list(exits)
    random.shuffle(shuffled)
    assert period_figures(exits, capital(25, 10**7)) == period_figures(shuffled, capital(25, 10**7))


@given(exit_lists, exit_lists)
def test_sums_and_counts_of_two_cuts_add_up(one: list[Exit], other: list[Exit]) -> None:
    cuts = [period_figures(exits, capital(5)) for exits in (one, other, one + other)]
    for key in (*COUNTS_AND_MONEY, "trades_with_initial_risk"):
        assert cuts[0][key] + cuts[1][key] == cuts[2][key], key


@given(exit_lists)
def test_signs_and_bounds(exits: list[Exit]) -> None:
    made = period_figures(exits, capital(5))
    assert made["win_rate"] is None or 0 <= made["win_rate"] <= 100
    assert (made["avg_loss"] or 0) <= 0 and (made["largest_loss"] or 0) <= 0
    assert made["max_drawdown"] >= 0 and (made["max_drawdown_pct"] or 0) >= 0


class TestDisplay:
    @pytest.mark.parametrize(
        ("value", "currency", "shown"),
        [
            ("1234567.5", "INR", "12,34,567.50"),
            ("-100000", "INR", "-1,00,000.00"),
            ("999", "INR", "999.00"),
            ("1234567.5", "USD", "1,234,567.50"),
            ("0.00000001", "INR", "0.00000001"),
            ("-0", "INR", "0.00"),
        ],
    )
    def test_money_is_grouped_as_its_currency_is_and_never_rounded(self, value: str, currency: str, shown: str) -> None:
        assert display.money(Decimal(value), currency) == shown

    def test_what_is_undefined_is_a_dash(self) -> None:
        assert (display.money(None, "INR"), display.ratio(None), display.duration(None)) == ("—", "—", "—")

    @given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**11), max_value=10**11))
    def test_plain_text_reads_back_as_the_same_number(self, value: Decimal) -> None:
        text = display.plain(value)
        assert Decimal(text) == value
        assert "E" not in text and text != "-0"

    def test_ratios_are_short_and_have_no_negative_zero(self) -> None:
        assert [display.ratio(value) for value in (1.005, -0.001, -1.5, 1e6)] == ["1.00", "0.00", "-1.50", "1000000.00"]

    def test_durations(self) -> None:
        assert display.duration(3725.4) == "1:02:05"
