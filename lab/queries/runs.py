"""What commands of the lab told: the newest answer of each run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypedDict

from lab.domain.trials import DayDigest, outcome_of
from lab.models import KeptRun, Trial


class ToldWindow(TypedDict):
    """One window of a search, as it was told."""

    train_from: str
    test_from: str
    test_to: str
    parameters: dict[str, float] | None
    train_objective: float | None
    test_pnl: str
    test_trades: int


class ToldSet(TypedDict):
    """One set of a search's surface, as it was told."""

    parameters: dict[str, float]
    objective: float | None
    neighbours: float | None


class ToldRule(TypedDict):
    """One rule of the stop lab, as it was told."""

    rule: str
    stopped: int
    censored: int
    pnl: str
    held_out_pnl: str


class ToldGap(TypedDict):
    """One trade of a gap, as it was told; its waterfall is money by step."""

    kind: str
    symbol: str
    side: str
    trade_id: str | None
    backtest_trade_id: str | None
    opened_at: str | None
    backtest_opened_at: str | None
    waterfall: dict[str, str]


class ToldPattern(TypedDict):
    """One candlestick or motif, as it was told."""

    pattern: str
    sign: int | None
    seen: int
    side: str | None
    followed_bp: float | None
    p_corrected: float | None
    holds: bool


class ToldAnswer(TypedDict, total=False):
    """What pages read of an answer: money is text, days are ISO."""

    objective: str
    latency_ms: int
    slippage_ticks: int
    held_out_from: str | None
    total_pnl: str
    trials: int
    windows: list[ToldWindow]
    surface: list[ToldSet]
    rules: list[ToldRule]
    waterfall: dict[str, str]
    trades: list[ToldGap]
    patterns: list[ToldPattern]


@dataclass(frozen=True, slots=True)
class ToldRun:
    """A run and its newest answer, which is as its command told it then."""

    row: KeptRun
    answer: ToldAnswer

    @classmethod
    def of(cls, row: KeptRun) -> ToldRun:
        """Return the run that a row keeps."""
        return cls(row, json.loads(row.body))


def run_keys(account: str) -> list[int]:
    """Return the key of the newest answer of each run of an account, the newest first."""
    newest: dict[tuple[str, str], int] = {}
    for pk, kind, run in KeptRun.objects.filter(account=account).order_by("-pk").values_list("pk", "kind", "run"):
        newest.setdefault((kind, run), pk)
    return list(newest.values())


def has_run(account: str, kind: str) -> bool:
    """Tell whether an account has a run of a kind."""
    return bool(KeptRun.objects.filter(account=account, kind=kind).exists())


def told_runs(keys: Sequence[int]) -> list[ToldRun]:
    """Return the runs of these keys, the newest first."""
    return [ToldRun.of(row) for row in KeptRun.objects.filter(pk__in=keys).order_by("-pk")]


def search_of_run(run: str) -> ToldRun | None:
    """Return the newest answer of the search of this id, None where there is none."""
    row = KeptRun.objects.filter(kind="optimize", run=run).first() if run else None
    return None if row is None else ToldRun.of(row)


def looks_since(row: KeptRun) -> int:
    """Return how many trials were made since with the strategy of a run, on its days or around them."""
    rows = Trial.objects.filter(
        strategy=row.strategy, first_day__lte=row.last_day, last_day__gte=row.first_day,
        recorded_at__gt=row.recorded_at,
    )  # fmt: skip
    return rows.count()


def days_of_run(row: KeptRun) -> dict[date, DayDigest]:
    """Return what each day of a backtest brought; nothing where its trial is of another kind."""
    body = Trial.objects.filter(strategy=row.strategy, key__startswith=row.run).values_list("body", flat=True).first()
    if body is None:
        return {}
    outcome = outcome_of(body)
    return dict(zip(outcome.setup.days, outcome.digests, strict=True))
