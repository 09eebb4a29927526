"""Figures that somebody else computed: each with where it comes from. Nothing here was worked out by VELOX."""

from __future__ import annotations

import csv
import json
import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trading.domain import position, statistics
from trading.domain.money import SCALE
from trading.domain.position import BUY, LONG, SELL, SHORT, Execution

UNIT = SCALE
daily = st.lists(st.floats(min_value=-0.2, max_value=0.2, allow_subnormal=False), min_size=2, max_size=300)


def in_units(*values: float | str) -> list[int]:
    return [int(Decimal(str(value)) * UNIT) for value in values]


def fill(side: str, quantity: float | str, price: float | str, charges: int | None = None) -> Execution:
    (price_units,), (quantity_units,) = in_units(price), in_units(quantity)
    return Execution(side, price_units, quantity_units, charges)


class TestWorkedExamples:
    def test_sqn_is_freqtrades(self) -> None:
        """freqtrade, tests/data/test_metrics.py, test_calculate_sqn_cases: Tharp's System Quality Number of eight
        trades."""
        assert statistics.sqn(in_units(1, -0.5, 2, -1, 0.5, 1.5, -0.5, 1)) == pytest.approx(1.3229, abs=5e-5)

    def test_expectancy_and_its_ratio_are_freqtrades(self) -> None:
        """freqtrade, tests/data/test_metrics.py, test_calculate_expectancy: of eight trades, and over the average
        loss."""
        made = statistics.outcomes(in_units(100, 200, 50, -150, 300, -100, 80, -30))
        assert statistics.expectancy(made) == 56_25000000
        assert statistics.expectancy_ratio(made) == pytest.approx(0.60267857, abs=5e-9)

    def test_drawdowns_in_money_and_in_percent_are_freqtrades(self) -> None:
        """freqtrade, tests/data/test_metrics.py, test_calculate_max_drawdown_abs (from its issue 6655): 1000 to start
        with; 1000 lost at most in money, half of the peak at most in percent."""
        episodes = statistics.drawdowns(in_units(0, -500, 500, 10000, -1000), 1000 * UNIT)
        deepest, steepest = statistics.deepest(episodes), statistics.steepest(episodes)
        assert len(episodes) == 2
        assert deepest is not None and deepest.depth == 1000 * UNIT
        assert steepest is not None and steepest.percent == 50

    def test_sharpe_is_nautilus_traders(self) -> None:
        """NautilusTrader, crates/analysis/src/statistics/sharpe_ratio.rs, its own test."""
        assert statistics.sharpe([0.01, -0.02, 0.015, -0.005, 0.025]) == pytest.approx(4.48998886412873, rel=1e-13)

    def test_sortino_is_nautilus_traders(self) -> None:
        """NautilusTrader, crates/analysis/src/statistics/sortino_ratio.rs, its own test."""
        made = statistics.sortino([-0.01, 0.02, -0.015, 0.005, -0.02])
        assert made == pytest.approx(-5.273224492824493, rel=1e-13)

    @pytest.mark.parametrize(
        ("fills", "pnl", "percent"),
        [
            (
                [(BUY, 100, 8), (BUY, 100, 9), (SELL, 100, 10), (BUY, 150, 11), (SELL, 100, 12), (SELL, 150, 14)],
                950,
                None,
            ),
            ([(BUY, 100, 10), (BUY, 100, 15), (SELL, 50, 12), (SELL, 100, 20), (SELL, 50, 5)], 350, 14),
        ],
    )
    def test_scaling_in_and_out_is_freqtrades(self, fills: list, pnl: int, percent: int | None) -> None:
        """freqtrade, tests/persistence/test_persistence.py, test_recalc_trade_from_orders_dca: average cost, no
        fees."""
        held, _ = position.fold(LONG, SCALE, [fill(*one) for one in fills])
        assert (held.realised_pnl, held.open_quantity) == (pnl * UNIT, 0)
        if percent is not None:
            assert held.entry_value == 2500 * UNIT
            assert position.pnl_percent(Decimal(held.realised_pnl), Decimal(held.entry_value)) == percent


@pytest.mark.data
class TestFilesOfOthers:
    def test_the_tradebook_of_a_broker_by_average_cost(self, market_data: Path) -> None:
        """Zerodha Console's sample tradebook: 300 sold, 225 bought back, by weighted average cost."""
        text = (market_data / "zerodha-fno-sample" / "sample-trades.csv").read_text()
        rows = sorted(csv.DictReader(text.splitlines()), key=lambda row: (row["order_execution_time"], row["trade_id"]))
        fills = [fill(row["trade_type"].upper(), row["quantity"], row["price"]) for row in rows]
        held, _ = position.fold(SHORT, SCALE, fills)
        assert Decimal(held.realised_pnl) / UNIT == Decimal("-3194.0625")
        assert held.open_quantity == 75 * UNIT

    def test_every_trade_of_a_backtest_has_its_ratio_after_fees(self, market_data: Path) -> None:
        """freqtrade's own backtest-result.json: profit_ratio of 179 round trips, a fee of 0.25 % on each side."""
        told = json.loads((market_data / "freqtrade" / "backtest-result.json").read_text())
        trades = [trade for strategy in told["strategy"].values() for trade in strategy["trades"]]
        assert len(trades) == 179
        for trade in trades:
            # A million times the price: the file has more decimals than money has.
            rates = [Decimal(str(trade[name])) * 10**6 for name in ("open_rate", "close_rate")]
            fees = [Decimal(str(trade[name])) for name in ("fee_open", "fee_close")]
            values = [int(rate * UNIT) * 1000 for rate in rates]
            charges = [round(value * fee) for value, fee in zip(values, fees, strict=True)]
            fills = [
                Execution(side, value // 1000, 1000 * UNIT, known)
                for side, value, known in zip((BUY, SELL), values, charges, strict=True)
            ]
            held, (realised,) = position.fold(LONG, SCALE, fills)
            assert realised.charges is not None
            ratio = (realised.pnl - realised.charges) / (held.entry_value + charges[0])
            assert ratio == pytest.approx(trade["profit_ratio"], abs=5.1e-9), trade["open_date"]


class TestAgainstEmpyrical:
    """empyrical, the library of returns that Quantopian made."""

    @given(daily)
    def test_sharpe(self, returns: list[float]) -> None:
        import empyrical

        assume(np.std(returns, ddof=1) > 1e-9)
        assert statistics.sharpe(returns) == pytest.approx(empyrical.sharpe_ratio(np.array(returns)), rel=1e-6)

    @given(daily)
    def test_sortino(self, returns: list[float]) -> None:
        import empyrical

        assume(min(returns) < -1e-9)
        assert statistics.sortino(returns) == pytest.approx(
            empyrical.sortino_ratio(np.array(returns)), rel=1e-9, abs=1e-12
        )

    @given(daily)
    def test_growth_of_a_year(self, returns: list[float]) -> None:
        import empyrical

        made = statistics.annualised_return(returns)
        assume(made is not None and math.isfinite(made))
        assert made == pytest.approx(100 * empyrical.cagr(np.array(returns)), rel=1e-7, abs=1e-9)

    @given(daily)
    def test_drawdown_and_calmar(self, returns: list[float]) -> None:
        import empyrical

        capital = 10**9 * UNIT
        equity, changes = capital, []
        for value in returns:
            changes.append(round(equity * value))
            equity += changes[-1]
        steepest = statistics.steepest(statistics.drawdowns(changes, capital))
        theirs = -100 * empyrical.max_drawdown(np.array(returns))
        mine = 0.0 if steepest is None else steepest.percent
        assert mine == pytest.approx(theirs, rel=1e-9, abs=1e-9)
        if theirs > 1e-6 and statistics.annualised_return(returns) is not None:
            calmar = empyrical.calmar_ratio(np.array(returns))
            assert statistics.calmar(returns, mine) == pytest.approx(calmar, rel=1e-6)
