"""The figures' keys: of statistics, of days and of reports, each with its type, unit, formula and source.

Pages, JSON and tests share these types, and docs/figures.md is made from them. A figure that is not defined (an average
of nothing, a ratio without its divisor) is None; money is Decimal in the account's currency, a ratio a float.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, TypedDict

from trading.domain.drawn_shapes import Distributions, WeekdayHour
from trading.domain.figure_keys import Figure, IsoDate, Money, Ratio


class Results(TypedDict):
    """Counts, money and averages of closed trades; a trade belongs to the day on which it closes."""

    total_trades: Annotated[int, Figure("trades", "closed trades: won + lost + even")]
    winning_trades: Annotated[int, Figure("trades", "closed trades whose P&L after known charges is above 0")]
    losing_trades: Annotated[int, Figure("trades", "closed trades whose P&L after known charges is below 0")]
    breakeven_trades: Annotated[int, Figure("trades", "closed trades whose P&L after known charges is 0")]
    win_rate: Annotated[Ratio, Figure("percent", "won ÷ trades × 100; even ones count as trades")]
    total_pnl: Annotated[Decimal, Figure("money", "gross P&L − known charges of all exits")]
    gross_pnl: Annotated[Decimal, Figure("money", "sum of what the exits realised, before charges")]
    charges: Annotated[Decimal, Figure("money", "sum of the known charges that go with the exits")]
    trades_without_charges: Annotated[int, Figure("trades", "closed trades whose charges nobody told")]
    profit_factor: Annotated[Ratio, Figure("ratio", "sum of the wins ÷ |sum of the losses|", "Schwager")]
    avg_win: Annotated[Money, Figure("money", "sum of the wins ÷ won")]
    avg_loss: Annotated[Money, Figure("money", "sum of the losses ÷ lost, below 0")]


class Extremes(TypedDict):
    """The largest win and loss."""

    largest_win: Annotated[Money, Figure("money", "largest P&L of a trade that won")]
    largest_loss: Annotated[Money, Figure("money", "smallest P&L of a trade that lost")]


class Expectations(TypedDict):
    """What a trade brings on average."""

    payoff_ratio: Annotated[Ratio, Figure("ratio", "average win ÷ |average loss|")]
    expectancy: Annotated[
        Money, Figure("money a trade", "won ÷ trades × average win − lost ÷ trades × |average loss|", "Tharp")
    ]
    expectancy_ratio: Annotated[
        Ratio, Figure("ratio", "expectancy ÷ |average loss|", "Tharp, «Trade Your Way to Financial Freedom»")
    ]


class OutcomeFigures(Results, Expectations):
    """The figures that sums alone can tell, so that a row of day totals has them."""


class RMultiples(TypedDict):
    """The mean R multiple."""

    expectancy_r: Annotated[Ratio, Figure("R", "mean of P&L ÷ initial risk, over trades that have one", "Tharp")]


class Quality(TypedDict):
    """How even the trades are, and how long they last."""

    sqn: Annotated[Ratio, Figure("ratio", "√n × mean ÷ standard deviation (ddof 1) of P&L; from 5 trades on", "Tharp")]
    avg_holding_seconds: Annotated[Ratio, Figure("seconds", "mean of closing less opening")]


class Unfinished(TypedDict):
    """What belongs to trades that are still open, and the sample of R."""

    open_trades_pnl: Annotated[Decimal, Figure("money", "P&L after charges of exits of trades that are still open")]
    trades_with_initial_risk: Annotated[int, Figure("trades", "closed trades opened with a stop away from the price")]


class ClosedFigures(Results, Extremes, Expectations, RMultiples):
    """The figures of closed trades."""


class TradeFigures(ClosedFigures, Quality, Unfinished):
    """The figures of trades and of money."""


class Drawdowns(TypedDict):
    """The deepest falls of realised equity below its highest value, seeded with the capital."""

    max_drawdown: Annotated[Decimal, Figure("money", "largest peak less equity; 0 without a fall")]
    max_drawdown_pct: Annotated[Ratio, Figure("percent of the peak", "largest 100 × (peak − equity) ÷ peak")]


class DrawdownDates(TypedDict):
    """When the deepest falls were."""

    max_drawdown_from: Annotated[IsoDate, Figure("date", "day of the peak before the deepest fall in money")]
    max_drawdown_to: Annotated[IsoDate, Figure("date", "day of its low")]
    max_drawdown_pct_from: Annotated[IsoDate, Figure("date", "day of the peak before the deepest fall in percent")]
    max_drawdown_pct_to: Annotated[IsoDate, Figure("date", "day of its low")]


class DayRatios(TypedDict):
    """Ratios of daily returns (P&L ÷ the capital at the day's start), from 20 trading days on."""

    sharpe: Annotated[
        Ratio, Figure("ratio", "mean ÷ standard deviation (ddof 1) × √252, risk-free rate 0", "Sharpe 1994")
    ]
    sortino: Annotated[
        Ratio, Figure("ratio", "mean ÷ √(mean of squared returns below 0) × √252, target 0", "Sortino & Price 1994")
    ]
    calmar: Annotated[Ratio, Figure("ratio", "annualised return ÷ maximum drawdown, both in percent", "Young 1991")]


class DaySample(TypedDict):
    """How many days the ratios of days are made of."""

    trading_days: Annotated[int, Figure("days", "trading days of the period from the account's first trade on")]


class DayFigures(TradeFigures, Drawdowns):
    """The figures that fit one day: no ratios of days, no dates."""


class PeriodFigures(DayFigures, DayRatios, DaySample, DrawdownDates):
    """The figures of a period."""


class Growth(TypedDict):
    """Compound growth."""

    cagr: Annotated[Ratio, Figure("percent a year", "((Π(1 + r))^(252 ÷ n) − 1) × 100; from 20 trading days on")]


class OrderFigures(TypedDict):
    """Runs of trades, where equity stands below its peak now, the best and the worst day."""

    longest_winning_streak: Annotated[int, Figure("trades", "longest run of wins in the order of closing")]
    longest_losing_streak: Annotated[int, Figure("trades", "longest run of losses in the order of closing")]
    current_streak: Annotated[int, Figure("trades", "the last run; below 0 where it is of losses")]
    current_drawdown: Annotated[Decimal, Figure("money", "peak less equity at the end")]
    current_drawdown_pct: Annotated[Ratio, Figure("percent of the peak", "100 × (peak − equity) ÷ peak at the end")]
    max_drawdown_recovered: Annotated[IsoDate, Figure("date", "day on which the deepest fall's peak was reached again")]
    recovery_factor: Annotated[Ratio, Figure("ratio", "P&L ÷ maximum drawdown in money", "Vince")]
    best_day: Annotated[Money, Figure("money", "P&L of the day that brought most")]
    best_day_date: Annotated[IsoDate, Figure("date", "that day, the earliest of equal ones")]
    worst_day: Annotated[Money, Figure("money", "P&L of the day that brought least")]
    worst_day_date: Annotated[IsoDate, Figure("date", "that day, the earliest of equal ones")]


class Sureness(TypedDict):
    """How sure the averages are: intervals that hold the true value with a confidence of 95 %."""

    win_rate_low: Annotated[Ratio, Figure("percent", "lower end of the score interval of the win rate", "Wilson 1927")]
    win_rate_high: Annotated[Ratio, Figure("percent", "upper end of it", "Wilson 1927")]
    expectancy_low: Annotated[Money, Figure("money a trade", "mean − t(n − 1) × sd ÷ √n of P&L", "Student 1908")]
    expectancy_high: Annotated[Money, Figure("money a trade", "mean + t(n − 1) × sd ÷ √n of P&L", "Student 1908")]
    expectancy_r_low: Annotated[Ratio, Figure("R", "mean − t(n − 1) × sd ÷ √n of R multiples", "Student 1908")]
    expectancy_r_high: Annotated[Ratio, Figure("R", "mean + t(n − 1) × sd ÷ √n of R multiples", "Student 1908")]


class PartFigures(TradeFigures, Sureness):
    """The figures of one part of a cut."""


class ReportFigures(PeriodFigures, Growth, OrderFigures, Sureness):
    """The figures of a period's report."""


class Excursions(TypedDict):
    """What the measured trades that closed in the period went through, before charges."""

    measured_trades: Annotated[int, Figure("trades", "closed trades that were walked over their ticks")]
    avg_mae: Annotated[Money, Figure("money", "mean MAE: the lowest P&L while open", "Sweeney 1996")]
    avg_mfe: Annotated[Money, Figure("money", "mean MFE: the highest P&L while open", "Sweeney 1996")]
    given_back: Annotated[Decimal, Figure("money", "sum of the highest P&L less the realised one")]
    trades_in_feed_gaps: Annotated[int, Figure("trades", "measured trades that were open in a gap of their feed")]


class ExposureTime(TypedDict):
    """How long at least one trade was open; two at a time count once."""

    exposure_seconds: Annotated[float, Figure("seconds", "time in which at least one trade was open")]


class Exposure(ExposureTime):
    """How much of the exchanges' continuous trading at least one trade was open."""

    exposure_pct: Annotated[Ratio, Figure("percent", "100 × exposure within continuous trading ÷ that trading")]


class OfStrategy(TypedDict):
    """Which strategy a row is of."""

    strategy_id: Annotated[str | None, Figure("name", "the strategy; None in the total")]


class OfSymbol(TypedDict):
    """Which symbol a row is of."""

    symbol: Annotated[str | None, Figure("name", "the symbol; None in the total")]


class OfPart(TypedDict):
    """Which part of a cut a row is."""

    key: Annotated[str, Figure("name", "the part, such as `2021-04` of the cut `month`")]


class PartTotals(OfPart, OutcomeFigures):
    """One part's figures that sums alone can tell."""


class PartRow(OfPart, PartFigures):
    """One part of a cut in a report."""


class Stats(PeriodFigures):
    """The statistics of a strategy, a symbol or an account."""

    first_date: Annotated[IsoDate, Figure("date", "first day of the period; None where nothing was traded")]
    last_date: Annotated[IsoDate, Figure("date", "last day of the period")]


class SummaryRow(OfStrategy, DayFigures, ExposureTime):
    """One strategy's day, or the whole account's."""


class RowFigures(ReportFigures, Excursions, Exposure):
    """The figures of a row of a report."""


class StrategyRow(OfStrategy, RowFigures):
    """One strategy's period, or the whole account's."""


class SymbolRow(OfSymbol, RowFigures):
    """One symbol's period, or the whole account's."""


class DaySummary(TypedDict):
    """The summary of one trading day."""

    date: Annotated[str, Figure("date", "the trading day")]
    account: Annotated[str, Figure("name", "code of the account")]
    currency: Annotated[str, Figure("code", "currency of every amount")]
    strategies: Annotated[list[SummaryRow], Figure("rows", "a row per strategy that traded or held")]
    total: Annotated[SummaryRow, Figure("row", "the whole account")]


ReportHead = TypedDict(
    "ReportHead",
    {
        "account": Annotated[str, Figure("name", "code of the account")],
        "currency": Annotated[str, Figure("code", "currency of every amount")],
        "from": Annotated[IsoDate, Figure("date", "first day; None where nothing was traded")],
        "to": Annotated[IsoDate, Figure("date", "last day")],
        "strategy": Annotated[str | None, Figure("name", "the strategy asked for; None: all")],
        "symbol": Annotated[str | None, Figure("name", "the symbol asked for; None: all")],
    },
)


class DaySummaries(ReportHead):
    """The summaries of several days."""

    days: Annotated[list[DaySummary], Figure("rows", "a summary per day that has data")]
    total: Annotated[SummaryRow, Figure("row", "all days; its drawdown runs across them")]


class EquityDay(TypedDict):
    """One trading day of a report's curve."""

    day: Annotated[str, Figure("date", "the trading day")]
    pnl: Annotated[Decimal, Figure("money", "P&L after known charges of the day's exits")]
    equity: Annotated[Decimal, Figure("money", "capital at the start and in between, and the P&L so far")]
    drawdown: Annotated[Decimal, Figure("money", "highest equity at a day's end so far less equity; flows move both")]


class PeriodParts(TypedDict):
    """The exits of a period cut in every way, and the curve of its days."""

    by: Annotated[dict[str, list[PartRow]], Figure("rows", "the parts of each cut; every cut adds up to the total")]
    by_condition: Annotated[
        dict[str, list[PartRow]], Figure("rows", "the parts by each condition that signals recorded")
    ]
    days: Annotated[list[EquityDay], Figure("rows", "a row per trading day")]
    distributions: Annotated[Distributions, Figure("rows", "closed trades by P&L (`pnl`) and by R (`r`)")]
    weekday_hours: Annotated[list[WeekdayHour], Figure("rows", "a row per weekday and hour with a closed trade")]


class StrategyReport(ReportHead, PeriodParts):
    """A report with a row per strategy."""

    strategies: Annotated[list[StrategyRow], Figure("rows", "a row per strategy")]
    total: Annotated[StrategyRow, Figure("row", "the whole account")]


class SymbolReport(ReportHead, PeriodParts):
    """A report with a row per symbol."""

    symbols: Annotated[list[SymbolRow], Figure("rows", "a row per symbol")]
    total: Annotated[SymbolRow, Figure("row", "the whole account")]


class ConditionRow(OfStrategy):
    """One bucket of one condition of a strategy's signals: its trades beside the strategy's others."""

    condition: Annotated[str, Figure("name", "the condition that signals recorded")]
    bucket: Annotated[str, Figure("name", "yes of a truth, else the range of its values")]
    trades_with: Annotated[int, Figure("trades", "closed trades in the bucket")]
    expectancy_with: Annotated[Money, Figure("money a trade", "their mean P&L")]
    trades_without: Annotated[int, Figure("trades", "all other closed trades of the strategy")]
    expectancy_without: Annotated[Money, Figure("money a trade", "their mean P&L")]
    difference: Annotated[Money, Figure("money a trade", "mean with − mean without", "Welch 1947")]
    difference_low: Annotated[Money, Figure("money a trade", "lower end of its 95 % interval", "Welch 1947")]
    difference_high: Annotated[Money, Figure("money a trade", "upper end of its 95 % interval", "Welch 1947")]
    p: Annotated[Ratio, Figure("share", "how likely a difference as large is by chance alone", "Welch 1947")]
    p_adjusted: Annotated[Ratio, Figure("share", "p for looking at all of these rows")]


class SignalGroup(OfStrategy):
    """The signals of one strategy, decision and reason, and the prices that came after them."""

    decision: Annotated[str, Figure("word", "TAKEN or SKIPPED")]
    reason: Annotated[str, Figure("text", "the reason that the signals gave")]
    signals: Annotated[int, Figure("signals", "how many there were")]
    with_ticks: Annotated[int, Figure("signals", "those after which ticks were seen")]
    mean_move: Annotated[
        Ratio, Figure("percent", "mean move in the signal's direction: its condition `side`, else its trade's, else up")
    ]
    mean_move_low: Annotated[Ratio, Figure("percent", "lower end of its 95 % interval", "Student 1908")]
    mean_move_high: Annotated[Ratio, Figure("percent", "upper end of its 95 % interval", "Student 1908")]
    share_up: Annotated[Ratio, Figure("percent", "signals after which the price moved in their direction")]
    mean_best: Annotated[Ratio, Figure("percent", "mean of the best move on the way")]
    mean_worst: Annotated[Ratio, Figure("percent", "mean of the worst move on the way")]


class SignalReport(ReportHead):
    """A report of what conditions were worth, and of what came after signals."""

    minutes: Annotated[int, Figure("minutes", "how long prices are followed after a signal")]
    looked_at: Annotated[int, Figure("rows", "conditions whose difference could be computed")]
    conditions: Annotated[list[ConditionRow], Figure("rows", "a row per strategy, condition and bucket")]
    signals: Annotated[list[SignalGroup], Figure("rows", "a row per strategy, decision and reason")]


class TradeExcursions(TypedDict):
    """What one trade went through while it was open, before charges; None where it was not measured."""

    mae: Annotated[Money, Figure("money", "MAE: the lowest P&L while open, at most 0", "Sweeney 1996")]
    mae_price: Annotated[Money, Figure("price", "the price there")]
    mae_r: Annotated[Money, Figure("R", "MAE ÷ initial risk")]
    mae_at: Annotated[datetime | None, Figure("time", "when it was")]
    mfe: Annotated[Money, Figure("money", "MFE: the highest P&L while open, at least 0", "Sweeney 1996")]
    mfe_price: Annotated[Money, Figure("price", "the price there")]
    mfe_r: Annotated[Money, Figure("R", "MFE ÷ initial risk")]
    mfe_at: Annotated[datetime | None, Figure("time", "when it was")]
    given_back: Annotated[Money, Figure("money", "MFE − gross P&L")]
    ticks: Annotated[int | None, Figure("ticks", "how many were walked over")]
    gap: Annotated[str | None, Figure("mark", "whether the feed had a gap while the trade was open")]


class ExcursionRow(TradeExcursions):
    """One closed trade of the report of excursions."""

    trade_id: Annotated[str, Figure("name", "id of the trade")]
    strategy_id: Annotated[str, Figure("name", "its strategy")]
    symbol: Annotated[str, Figure("name", "its symbol")]
    side: Annotated[str, Figure("word", "LONG or SHORT")]
    gross_pnl: Annotated[Decimal, Figure("money", "P&L before charges")]
    r_multiple: Annotated[Money, Figure("R", "P&L after known charges ÷ initial risk")]


class FeedGapRow(TypedDict):
    """One gap of a symbol's feed."""

    symbol: Annotated[str, Figure("name", "the symbol")]
    day: Annotated[date, Figure("date", "the trading day")]
    starts_at: Annotated[datetime, Figure("time", "from when on no tick came")]
    ends_at: Annotated[datetime, Figure("time", "until when no tick came")]
    seconds: Annotated[float, Figure("seconds", "how long no tick came")]


class ExcursionReport(ReportHead):
    """A report of what trades went through, and of the gaps of their feeds."""

    trades: Annotated[list[ExcursionRow], Figure("rows", "a row per closed trade that was opened in the period")]
    gaps: Annotated[list[FeedGapRow], Figure("rows", "a row per gap of the feeds")]
