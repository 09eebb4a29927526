"""A reconciliation as a command's answer: three columns side by side, the oldest break first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from trading.domain.breaks import Break, Figures, OpenBreak, plain
from trading.domain.chain import JSON
from trading.domain.reconciliation import Reconciliation
from trading.management.report import Report, Table, Value
from trading.operations.find_breaks import BreaksSeen

COLUMNS = ("Open for", "Day", "What", "Which", "Ledger", "Broker", "Hot copy", "Proposal", "Id")


def breaks_report(seen: BreaksSeen, now: datetime) -> Report:
    """Return what one run compared and the breaks that are open after it."""
    run, breaks = seen.run, seen.breaks
    title = f"Breaks · {run.account}"
    tables = [Table(title, list(COLUMNS), [_row(each, now) for each in breaks.open])]
    if run.following:
        following = [[*_cells(each.difference)[:6], each.cause] for each in run.following]
        tables.append(Table("What follows from them", [*COLUMNS[1:7], "Break"], following))
    if breaks.closed:
        closed = [[*_row(each, now)[:4], each.difference.id] for each in breaks.closed]
        tables.append(Table("Gone by themselves", [*COLUMNS[:4], "Id"], closed))
    if run.marked:
        marked: list[list[Value]] = [
            [line.day, line.last_day, line.segment, line.head, line.estimate, line.broker, line.sure]
            for line in run.marked
        ]
        columns = ["Day", "To", "Segment", "Head", "Schedule", "Broker", "Sure"]
        tables.append(Table("Not settled in the schedule, and no break", columns, marked))
    if run.left_out:
        lines: list[list[Value]] = [list(line) for line in run.left_out]
        tables.append(Table("Could not be compared", ["File", "Row", "Reason", "What it is"], lines))
    compared: list[list[Value]] = [
        [each.comparison.value, each.first, each.last, " ".join(each.exchanges), each.lines] for each in run.compared
    ]
    tables.append(Table("Compared", ["What", "From", "To", "Exchanges", "Lines"], compared))
    left: list[list[Value]] = [[each.comparison.value, each.lines, each.reason] for each in run.uncompared]
    tables.append(Table("Not compared", ["What", "Lines", "Why"], left))
    return Report(title, _body(seen), tables, [seen.verdict], sheet=tables[0])


def approval_report(account: str, approved: Sequence[OpenBreak]) -> Report:
    """Return what was approved."""
    rows: list[list[Value]] = [
        [each.difference.id, each.difference.kind.value, each.difference.proposal.text] for each in approved
    ]
    body = {"account": account, "approved": [each.as_dict() for each in approved]}
    return Report("Approved", body, [Table("Approved", ["Id", "What", "Proposal"], rows)])


def _body(seen: BreaksSeen) -> dict[str, JSON]:
    run, breaks = seen.run, seen.breaks
    return {
        "account": run.account,
        "breaks": [each.as_dict() for each in breaks.open],
        "closed": [each.as_dict() for each in breaks.closed],
        "following": [{**each.difference.as_dict(), "follows": each.cause} for each in run.following],
        **_of_run(run),
    }


def _of_run(run: Reconciliation) -> dict[str, JSON]:
    return {
        "marked": [
            {
                "day": line.day.isoformat(),
                "last_day": line.last_day.isoformat(),
                "segment": line.segment or None,
                "head": line.head,
                "estimate": plain(line.estimate),
                "broker": plain(line.broker),
                "sure": line.sure,
            }
            for line in run.marked
        ],
        "left_out": [
            {"file": file, "row": row, "reason": reason, "text": text} for file, row, reason, text in run.left_out
        ],
        "compared": [
            {
                "what": each.comparison.value,
                "from": each.first.isoformat(),
                "to": each.last.isoformat(),
                "exchanges": list(each.exchanges),
                "lines": each.lines,
            }
            for each in run.compared
        ],
        "not_compared": [
            {"what": each.comparison.value, "lines": each.lines, "reason": each.reason} for each in run.uncompared
        ],
    }


def _row(each: OpenBreak, now: datetime) -> list[Value]:
    return [each.age(now), *_cells(each.difference)]


def _cells(each: Break) -> list[Value]:
    sides: Sequence[Figures | None] = (each.ledger, each.broker, each.hot)
    key = {name: text for name, text in each.key.items() if name not in ("account", "day")}
    return [each.day, each.kind.value, _words(key), *map(_words, sides), each.proposal.text, each.id]


def _words(figures: Mapping[str, str | None] | None) -> str:
    if figures is None:
        return ""
    return ", ".join(f"{name} {text}" for name, text in figures.items() if text)
