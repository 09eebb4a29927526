"""What a call that reads may be asked, and how it is put on its address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature
from itertools import chain
from typing import Annotated, Literal, ParamSpec, TypeVar

from django.http import HttpRequest
from pydantic import Field

from trading.api.router import READ, router
from trading.api.shapes import DayText, Id, Moment, Name, Nanosecond, Sent
from trading.api.tables import JSON
from trading.domain.cuts import CUTS
from trading.domain.periods import PERIODS
from trading.errors import InvalidValue

P = ParamSpec("P")
Reply = TypeVar("Reply")
Days = Annotated[int, Field(ge=1, le=100_000)]
Names = Annotated[list[Name], Field(min_length=1, max_length=500)]
PageLimit = Annotated[int, Field(ge=1, le=1000)]
REPEATED = {"symbols"}
ManyRows = Annotated[int, Field(ge=1, le=100_000)]


class OfTrade(Sent):
    """Which trade: the open one of this id, else the newest."""

    trade_id: Id
    strategy_id: Name | None = None


class PageQuery(Sent):
    """Which page: behind a place that a page before gave as `next`."""

    after: Annotated[str, Field(min_length=1)] | None = None
    limit: PageLimit = 100


class TradeQuery(PageQuery):
    """Which trades; what is left out does not matter."""

    strategy_id: Name | None = None
    symbol: Name | None = None
    start: Moment | None = None
    stop: Moment | None = None
    state: Literal["OPEN", "CLOSED", "VOID"] | None = None


class SignalQuery(PageQuery):
    """Which signals; what is left out does not matter."""

    strategy_id: Name | None = None
    start: Moment | None = None
    stop: Moment | None = None


class StrategyName(Sent):
    """Which strategy."""

    strategy_id: Name


class MaybeStrategy(Sent):
    """Of one strategy, or of all."""

    strategy_id: Name | None = None


class PositionQuery(StrategyName):
    """What a strategy holds of which symbol."""

    symbol: Name


class StatsQuery(Sent):
    """Over how many calendar days that end today, or over all of them."""

    days: Days | Literal["all"] = 30

    def span(self) -> int | None:
        """Return the days as the facade takes them."""
        return None if self.days == "all" else self.days


class StrategyQuery(StatsQuery):
    """Figures of which strategy."""

    strategy_id: Name


class SymbolQuery(StatsQuery):
    """Figures of which symbol."""

    symbol: Name


class CutQuery(StatsQuery):
    """Figures cut how; `condition` names one that signals recorded, with the cut of that name."""

    cut: Annotated[str, Field(json_schema_extra={"enum": [*CUTS, "condition"]})]
    condition: Name | None = None


class DayQuery(Sent):
    """Which day at the desk; left out: the latest with data."""

    day: DayText | None = None


class DaysQuery(Sent):
    """From which day at the desk to which, both among them."""

    first: DayText
    last: DayText


class ChargesQuery(Sent):
    """From which day to which (left out: from the first trade's to the last one's), estimated by which plan."""

    first: DayText | None = None
    last: DayText | None = None
    plan: Name | None = None


class MarketDayQuery(Sent):
    """Which symbol at which instant."""

    symbol: Name
    at: Moment


class TimeSpan(Sent):
    """`start <= time < stop`, and about how many rows at once: a page ends with an instant."""

    start: Nanosecond
    stop: Nanosecond
    limit: ManyRows = 10_000


class SymbolSpan(TimeSpan):
    """Of which symbol."""

    symbol: Name


class TickQuery(SymbolSpan):
    """Ticks of which symbol; of one source, else day by day of the source with the day's first."""

    source: Name | None = None


class CandleQuery(TickQuery):
    """Candles of which symbol and length."""

    every: Annotated[str, Field(json_schema_extra={"enum": list(PERIODS)})]


class SnapshotQuery(SymbolSpan):
    """Snapshots of which strategy's position."""

    strategy_id: Name


class MetricsQuery(TimeSpan):
    """The day so far of which strategy."""

    strategy_id: Name


class NewestQuery(Sent):
    """Of which symbols, each given once more."""

    symbols: Names


class IndicatorsQuery(NewestQuery):
    """Of which timeframe; left out: of none."""

    timeframe: Name | None = None


def reading(
    path: str, answer: type, summary: str, *, forms: Sequence[str] = ()
) -> Callable[[Callable[P, Reply]], Callable[P, Reply]]:
    """Let a view answer a path for tokens that read, in ``forms`` beside JSON where it has some."""
    others = {form: {"schema": {"type": "string"}} for form in forms if form != JSON}

    def register(view: Callable[P, Reply]) -> Callable[P, Reply]:
        strict = without_strangers(view)
        router.get(
            path, response=answer, auth=READ, tags=["read"], summary=summary,
            openapi_extra={"responses": {200: {"content": others}}} if others else None,
        )(strict)  # fmt: skip
        return strict

    return register


def without_strangers(view: Callable[P, Reply]) -> Callable[P, Reply]:
    """Let a view refuse what its query does not have: a misspelt filter must not answer with everything."""

    @wraps(view)
    def answer(*arguments: P.args, **keywords: P.kwargs) -> Reply:
        request, *queries = chain(arguments, keywords.values())
        names = {name for query in queries if isinstance(query, Sent) for name in type(query).model_fields}
        if isinstance(request, HttpRequest):
            hint = f"It takes {', '.join(sorted(names)) or 'nothing'}."
            for name, texts in request.GET.lists():
                if name not in names:
                    raise InvalidValue(f"There is no {name!r} here.", field=name, hint=hint)
                if len(texts) > 1 and name not in REPEATED:
                    raise InvalidValue(f"{name} is there {len(texts)} times.", field=name, hint="Give it once.")
        return view(*arguments, **keywords)

    vars(answer)["__signature__"] = signature(view, eval_str=True)  # of the names that the view's module knows
    return answer
