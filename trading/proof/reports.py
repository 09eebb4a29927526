"""Published reports, whose money and counts are told again from the journal as it stood when each was published."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from trading.domain.chain import Body
from trading.domain.recount import Recount, References, units
from trading.proof.chain import JOURNAL, Index, loaded
from trading.proof.rows import DIFFERS, Findings, Tables

TABLE = "trading_dailysummary"
# Sums and counts: what a report says beyond them follows from definitions, which a later version of VELOX may refine.
COUNTS = ("total_trades", "winning_trades", "losing_trades", "breakeven_trades", "trades_without_charges")
MONEY = ("total_pnl", "gross_pnl", "charges")


@dataclass(slots=True)
class DaySums:
    """The sums and counts of a day's exits, counted anew; money in units of 10^-8."""

    gross_pnl: int = 0
    charges: int = 0
    gross_profit: int = 0
    gross_loss: int = 0
    trades_closed: int = 0
    wins: int = 0
    losses: int = 0
    breakevens: int = 0
    trades_without_charges: int = 0

    def add(self, realised: Body, trade: Body) -> None:
        """Count one exit, and its trade where the exit closed it."""
        self.gross_pnl += realised["pnl"]
        self.charges += realised["charges"] or 0
        if realised["closes"]:
            net = trade["realised_pnl"] - (trade["charges"] or 0)
            self.trades_closed += 1
            self.wins += net > 0
            self.losses += net < 0
            self.breakevens += net == 0
            self.trades_without_charges += trade["charges"] is None
            self.gross_profit += max(net, 0)
            self.gross_loss += min(net, 0)

    def add_sums(self, other: DaySums) -> None:
        """Add the sums and counts of other exits of the day."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_SUMS = tuple(field.name for field in fields(DaySums))


@dataclass(slots=True)
class PublishedReport:
    """One published version; ``row`` is its place in the journal, ``sums`` by strategy count what went before it."""

    row: int
    pk: int
    day: str
    body: Body
    sums: dict[int, DaySums] = field(default_factory=lambda: defaultdict(DaySums))


class Reports:
    """All published reports; each trade is added while it is counted, as it stands before its next operation."""

    def __init__(self, tables: Tables, index: Index, references: References) -> None:
        self.codes = {pk: code for code, pk in references.strategies.items()}
        self.all: list[PublishedReport] = []
        self._of: dict[tuple[int, str], list[PublishedReport]] = defaultdict(list)
        accounts = dict(index.summaries)
        sql = f"SELECT id, body FROM {JOURNAL} WHERE id IN ({{}})"  # noqa: S608
        for row, text in tables.in_batches(sql, accounts, 200):
            body = loaded(text)
            try:
                summary = loaded(body["summary"])
            except ValueError:
                summary = {}
            report = PublishedReport(row, body.get("summary_pk", int(row)), body["day"], summary)
            self.all.append(report)
            self._of[accounts[row], report.day].append(report)

    def waiting(self, recount: Recount, until: int | None) -> list[PublishedReport]:
        """Return the reports that knew the trade as it is now: published after what it took last, before ``until``."""
        if not self._of:
            return []
        days = {fill.get("day") for fill in recount.standing.values()}
        reports = (report for day in days if day is not None for report in self._of.get((recount.account, day), ()))
        return [report for report in reports if recount.taken < report.row and (until is None or report.row < until)]

    def add(self, recount: Recount, reports: Iterable[PublishedReport]) -> None:
        """Count the trade's exits, as it was settled last, into these reports."""
        for report in reports:
            for realised in recount.exits:
                if realised["day"] == report.day:
                    report.sums[recount.trade["strategy_id"]].add(realised, recount.trade)

    def taken(self) -> list[dict[int, DaySums]]:
        """Return the sums of each report by strategy, and begin anew."""
        sums = [dict(report.sums) for report in self.all]
        for report in self.all:
            report.sums.clear()
        return sums

    def add_sums(self, sums: Iterable[dict[int, DaySums]]) -> None:
        """Add sums of each report by strategy that another process has `taken`."""
        for report, by_strategy in zip(self.all, sums, strict=True):
            for strategy, counted in by_strategy.items():
                report.sums[strategy].add_sums(counted)

    def compare(self, findings: Findings) -> int:
        """Find each figure of a report that differs; return how many reports were compared."""
        for report in self.all:
            expected = {}
            for pk, sums in report.sums.items():
                counts = (sums.trades_closed, sums.wins, sums.losses, sums.breakevens, sums.trades_without_charges)
                money = (sums.gross_pnl - sums.charges, sums.gross_pnl, sums.charges)
                expected[self.codes.get(pk, str(pk))] = dict(zip((*COUNTS, *MONEY), (*counts, *money), strict=True))
            total = {name: sum(row[name] for row in expected.values()) for name in (*COUNTS, *MONEY)}
            rows = {row.get("strategy_id"): row for row in report.body.get("strategies", [])}
            for code in sorted(rows.keys() | expected.keys()):
                _compare(findings, report, code, rows.get(code, {}), expected.get(code, dict.fromkeys(total, 0)))
            _compare(findings, report, "total", report.body.get("total", {}), total)
        return len(self.all)


def _compare(findings: Findings, report: PublishedReport, name: str, row: Body, expected: dict[str, int]) -> None:
    for key, figure in expected.items():
        stored = row.get(key)
        if (units(stored) if key in MONEY else stored) != figure:
            findings.add(DIFFERS, TABLE, report.pk, f"body: {name} {key}", stored, figure)
