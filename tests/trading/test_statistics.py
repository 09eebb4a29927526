"""The pure figures: known values from outside, naive recomputation, and what must not matter."""

from __future__ import annotations

import math
import statistics as stdlib
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.domain import statistics as figures

UNIT = 10**8
units = st.integers(min_value=-(10**13), max_value=10**13)
pnls = st.lists(units, max_size=40)
returns = st.lists(st.floats(min_value=-0.5, max_value=0.5, allow_subnormal=False), min_size=2, max_size=60)


def in_units(values: list[int]) -> list[int]:
    return [int(value * UNIT) for value in values]


class TestKnownFigures:
    def test_an_episode_names_its_peak_its_low_and_its_recovery(self) -> None:
        episodes = figures.drawdowns(in_units([0, -500, 500, 10000, -1000]), 1000 * UNIT)
        first, last = episodes
        assert (first.began, first.lowest, first.ended) == (0, 1, 2)
        assert (last.began, last.lowest, last.ended) == (3, 4, None)

    def test_calmar_is_the_compound_year_over_the_drawdown(self) -> None:
        year = [0.001] * 252
        assert figures.annualised_return(year) == pytest.approx(100 * (1.001**252 - 1), rel=1e-12)
        assert figures.calmar(year, 5.0) == pytest.approx(100 * (1.001**252 - 1) / 5, rel=1e-12)

    def test_a_year_of_tiny_returns_keeps_all_its_digits(self) -> None:
        """Trades of a few units in a large capital: of 1 + 10^-13 to the power of 252, a float keeps three digits."""
        assert figures.annualised_return([1e-13] * 126) == pytest.approx(252 * 1e-13 * 100, rel=1e-10)
        assert figures.annualised_return([1e-13, -1e-13, 3e-17] * 42) == pytest.approx(84 * 3e-17 * 100, rel=1e-8)


class TestWhatIsUndefined:
    def test_nothing_has_no_ratio_and_no_average(self) -> None:
        made = figures.outcomes([])
        assert made == figures.Outcomes()
        undefined = (
            figures.win_rate(made),
            figures.profit_factor(made),
            figures.payoff_ratio(made),
            figures.expectancy(made),
            figures.expectancy_ratio(made),
            figures.expectancy_r([]),
            figures.sqn([]),
            figures.sharpe([]),
            figures.sortino([]),
            figures.calmar([], None),
        )
        assert undefined == (None,) * 10

    def test_only_wins_have_no_profit_factor_and_only_losses_have_zero(self) -> None:
        assert figures.profit_factor(figures.outcomes([5, 7])) is None
        assert figures.profit_factor(figures.outcomes([-5])) == 0.0

    def test_days_that_are_all_alike_have_no_sharpe(self) -> None:
        assert figures.sharpe([0.01] * 30) is None
        assert figures.sharpe([0.0] * 30) is None
        assert figures.sharpe([0.01]) is None

    def test_days_without_a_loss_have_no_sortino(self) -> None:
        assert figures.sortino([0.01, 0.0, 0.02]) is None

    def test_trades_that_are_all_alike_have_no_sqn(self) -> None:
        assert figures.sqn([7, 7, 7]) is None
        assert figures.sqn([7]) is None

    def test_a_day_that_starts_without_capital_makes_returns_undefined(self) -> None:
        assert figures.daily_returns([figures.Day(10)], 0) is None
        assert figures.daily_returns([figures.Day(-100), figures.Day(1)], 100) is None

    def test_who_loses_everything_has_no_yearly_return(self) -> None:
        assert figures.annualised_return([-1.0, 0.5]) is None
        assert figures.annualised_return([-1.5, -1.5]) is None

    def test_a_drawdown_without_capital_has_money_and_no_percentage(self) -> None:
        episodes = figures.drawdowns([-5], 0)
        assert episodes == [figures.Drawdown(5, None, -1, 0, None)]
        assert figures.steepest(episodes) is None

    def test_rising_equity_has_no_episode(self) -> None:
        assert figures.drawdowns([0, 5, 0, 7], 100) == []
        assert figures.deepest([]) is None


class TestCapital:
    def test_returns_divide_by_the_capital_of_each_morning(self) -> None:
        days = [figures.Day(10), figures.Day(-11, other_pnl=21), figures.Day(24, flow=120)]
        assert figures.daily_returns(days, 100) == [10 / 100, -11 / 110, 24 / 240]

    def test_bringing_capital_hides_no_drawdown_and_taking_it_out_makes_none(self) -> None:
        assert figures.drawdowns([-10, -5], 100, [0, 1000])[0].depth == 15
        assert figures.drawdowns([0, 0], 100, [0, -50]) == []

    def test_percent_is_of_the_peak_as_capital_moved_it(self) -> None:
        episode = figures.drawdowns([-10, -5], 100, [0, 100])[0]
        assert episode.percent == 10.0  # 10 of 100, then 15 of 200


class TestAgainstNaiveRecomputation:
    @given(pnls)
    def test_counts_and_sums(self, values: list[int]) -> None:
        made = figures.outcomes(values)
        assert (made.trades, made.pnl) == (len(values), sum(values))
        assert made.wins == len([value for value in values if value > 0])
        assert made.gross_loss == sum(value for value in values if value < 0) <= 0

    @given(st.lists(units, min_size=2, max_size=40).filter(lambda values: len(set(values)) > 1))
    def test_sqn(self, values: list[int]) -> None:
        sd = math.sqrt(stdlib.variance([Fraction(value) for value in values]))
        expected = math.sqrt(len(values)) * float(Fraction(sum(values), len(values))) / sd
        assert figures.sqn(values) == pytest.approx(expected, rel=1e-9)

    @given(returns)
    def test_sharpe_and_sortino(self, values: list[float]) -> None:
        mean, sd = stdlib.fmean(values), stdlib.stdev(values)
        if sd > 1e-12:
            assert figures.sharpe(values) == pytest.approx(mean / sd * math.sqrt(252), rel=1e-6, abs=1e-9)
        downside = math.sqrt(sum(value * value for value in values if value < 0) / len(values))
        if downside > 1e-12:
            assert figures.sortino(values) == pytest.approx(mean / downside * math.sqrt(252), rel=1e-6, abs=1e-9)

    @given(st.integers(-(10**14), 10**14), st.integers(1, 10**6))
    def test_averages_round_half_even_at_the_eighth_decimal(self, total: int, count: int) -> None:
        exact = Decimal(total) / Decimal(count)
        if abs(exact % 1) != Decimal("0.5"):  # 28 digits can only tell a tie that is one
            assert figures.average(total, count) == int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
        assert (figures.average(1, 2), figures.average(3, 2), figures.average(-1, 2)) == (0, 2, 0)

    @given(pnls, st.integers(1, 10**13))
    def test_the_deepest_drawdown_is_the_largest_fall_below_an_earlier_high(
        self, values: list[int], capital: int
    ) -> None:
        equity = [capital]
        for value in values:
            equity.append(equity[-1] + value)
        falls = [max(equity[: i + 1]) - level for i, level in enumerate(equity)]
        shares = [100 * fall / max(equity[: i + 1]) for i, fall in enumerate(falls)]
        episodes = figures.drawdowns(values, capital)
        deepest, steepest = figures.deepest(episodes), figures.steepest(episodes)
        assert (deepest.depth if deepest else 0) == max(falls)
        assert (steepest.percent if steepest else 0) == pytest.approx(max(shares))


class TestWhatMustNotMatter:
    @given(pnls, st.randoms())
    def test_the_order_of_trades_changes_no_figure_of_trades(self, values: list[int], random: object) -> None:
        shuffled = list(values)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        assert figures.outcomes(values) == figures.outcomes(shuffled)
        assert figures.sqn(values) == figures.sqn(shuffled)
        risked = [(value, abs(value) + 1) for value in values]
        assert figures.expectancy_r(risked) == figures.expectancy_r([(value, abs(value) + 1) for value in shuffled])

    @given(pnls, pnls)
    def test_cuts_add_up(self, one: list[int], other: list[int]) -> None:
        assert figures.outcomes(one) + figures.outcomes(other) == figures.outcomes(one + other)

    @given(st.lists(st.tuples(units, units), max_size=20))
    def test_returns_of_cuts_add_up_to_the_returns_of_the_whole(self, pairs: list[tuple[int, int]]) -> None:
        capital = 10**16
        whole = figures.daily_returns([figures.Day(a + b) for a, b in pairs], capital)
        one = figures.daily_returns([figures.Day(a, other_pnl=b) for a, b in pairs], capital)
        other = figures.daily_returns([figures.Day(b, other_pnl=a) for a, b in pairs], capital)
        assert whole is not None and one is not None and other is not None
        assert [a + b for a, b in zip(one, other, strict=True)] == pytest.approx(whole, abs=1e-12)
