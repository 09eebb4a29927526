"""The summary of one trading day, computed from the trades; and what was published of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Subquery

from trading.domain import display, figures
from trading.domain.chain import canonical_json
from trading.domain.figures import Capital, EquityPath, Exit, Sample
from trading.domain.shapes import DaySummary, SummaryRow
from trading.models import Account, DailySummary, JournalHead, Realisation, Trade
from trading.queries.day_end import DayEnd, end_on
from trading.queries.exposure import Held, held_over
from trading.queries.kept_statements import ACCOUNT, FirstValues, PlainQuery, Slot
from trading.queries.period import desk_date, parse_day
from trading.queries.statistics import Cut, History, capital_in, exits_of, history_of

VOID = "VOID"
NO_CAPITAL = Capital(0, [], {}, {})


@dataclass(frozen=True, slots=True)
class Published:
    """The newest version of a day's published summary; ``body`` is its canonical JSON."""

    version: int
    body: str
    created_at: datetime


def build_daily_summary(
    account: Account, day: date, *, now: datetime | None = None, known_at: datetime | None = None
) -> DaySummary:
    """Return the summary of one trading day: date, account, currency, strategies (a row each) and total (a row).

    A row holds strategy_id (None in the total), the figures of `statistics.strategy_stats` that fit a day (no ratios of
    days, no dates), and exposure_seconds: how long at least one trade was open. Money is Decimal, ratios float or None,
    the date ISO text. A trade that stays open counts until the day's continuous trading ends, or until ``now``.
    ``known_at`` leaves out what was recorded from that instant on: trades, corrections, capital.
    """
    return summary_of_cut(Cut(account, known_at=known_at), day, now=now)


def summary_of_cut(cut: Cut, day: date, *, now: datetime | None = None) -> DaySummary:
    """Return the summary of one trading day of a part of the account, such as one symbol (`build_daily_summary`)."""
    held = list(held_over(cut, day, day, now=now))
    return _summary(cut, day, list(exits_of(cut, day, day)), held, history_of(cut.account, day, known_at=cut.known_at))


def day_report(account: Account, day: date, *, now: datetime) -> tuple[DaySummary, DayEnd]:
    """Return the summary of an account's day and when the day ends.

    Raises: InvalidValue for a day that has not begun by ``now``.
    """
    cut = Cut(account)
    held = list(held_over(cut, day, day, now=now))
    end = end_on({stretch.market for stretch in held}, day, now=now)
    return _summary(cut, day, list(exits_of(cut, day, day)), held, history_of(account, day)), end


def summary_of(account: Account, day: date | datetime | str | None, *, now: datetime) -> DaySummary:
    """Return the summary of a day as a caller names it; None means the latest that has data, else today.

    Raises: InvalidValue for what is no day, and for one that has not begun by ``now``.
    """
    named = (latest_day(account, now=now) or desk_date(now)) if day is None else parse_day(day)
    return day_report(account, named, now=now)[0]


def only(summary: DaySummary, strategy_id: str) -> DaySummary:
    """Return the summary of one strategy: its row, and a total that is this row (zeros where it did nothing)."""
    rows = [row for row in summary["strategies"] if row["strategy_id"] == strategy_id]
    total = rows[0] if rows else _row(None, [], [], NO_CAPITAL)
    return {**summary, "strategies": rows, "total": {**total, "strategy_id": None}}


def latest_day(account: Account, *, now: datetime) -> date | None:
    """Return the newest trading day on which a trade was opened or an exit was filled by ``now``; None without."""
    (newest,) = _NEWEST_OPENING.of(account, now=now)
    # No zone is two days away from another: a later trading day than that of the newest opening is not far from it.
    days = _LATEST_DAYS.of(account, now=now, since=(newest or now) - timedelta(days=2))
    return max((day for day in days if day is not None), default=None)


def _newest_opening() -> tuple[PlainQuery]:
    trades = Trade.objects.filter(account=ACCOUNT, opened_at__lte=Slot("now")).exclude(state=VOID)
    return (trades.order_by("-opened_at").values("opened_at"),)


def _latest_days() -> tuple[PlainQuery, ...]:
    """Return the newest trading day of an opening since an instant, and the newest day of an exit."""
    now, since = Slot("now"), Slot("since")
    opened = Trade.objects.filter(account=ACCOUNT, opened_at__lte=now, opened_at__gte=since).exclude(state=VOID)
    realised = Realisation.objects.filter(account=ACCOUNT, at__lte=now).order_by("-day")
    return opened.order_by("-trading_day").values("trading_day"), realised.values("day")


_NEWEST_OPENING, _LATEST_DAYS = FirstValues(_newest_opening), FirstValues(_latest_days)


def newest_published(account: Account, day: date) -> tuple[int, Published | None]:
    """Return how far the account's journal has come, and the newest published version of a day (None without any)."""
    newest = DailySummary.objects.filter(account=account, day=day).order_by("-version")
    columns = (Subquery(newest.values(name)[:1]) for name in ("version", "body", "created_at"))
    head = JournalHead.objects.filter(account=account).values_list("sequence", *columns).first()
    if head is None:
        return 0, None
    sequence, version, body, created_at = head
    return sequence, None if version is None else Published(version, body, created_at)


def published_of(account: Account, day: date) -> list[Published]:
    """Return every published version of a day, the newest first."""
    rows = DailySummary.objects.filter(account=account, day=day).order_by("-version")
    return [Published(*columns) for columns in rows.values_list("version", "body", "created_at")]


def canonical(summary: DaySummary) -> str:
    """Return a summary as canonical JSON: keys in order, money as plain strings; equal summaries have equal texts."""

    def plain(money: Decimal) -> str:
        if isinstance(money, Decimal):
            return display.plain(money)
        raise TypeError(f"{type(money).__name__} has no place in a summary")

    return canonical_json(summary, plain)


def _summary(cut: Cut, day: date, exits: list[tuple[str, Exit]], held: list[Held], history: History) -> DaySummary:
    all_exits = [exit for _, exit in exits]
    capital = capital_in(history, [day], all_exits)
    names = sorted({name for name, _ in exits} | {stretch.strategy_id for stretch in held})
    rows = [
        _row(
            name,
            [exit for strategy_id, exit in exits if strategy_id == name],
            (stretch for stretch in held if stretch.strategy_id == name),
            capital,
        )
        for name in names
    ]
    return {
        "date": day.isoformat(),
        "account": cut.account.code,
        "currency": cut.account.currency,
        "strategies": rows,
        "total": _row(None, all_exits, held, capital),
    }


def _row(strategy_id: str | None, exits: list[Exit], held: Iterable[Held], capital: Capital) -> SummaryRow:
    return {
        "strategy_id": strategy_id,
        **figures.day_figures(Sample.of(exits), EquityPath.of(exits, capital).episodes, capital),
        "exposure_seconds": figures.exposure_seconds(stretch.span for stretch in held),
    }
