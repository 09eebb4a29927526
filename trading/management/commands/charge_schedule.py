"""`manage.py charge_schedule`: the rates of charges that are in force on a day, and whether the schedule is sound."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime

from trading.domain.charge_schedule import Sure, faults
from trading.management.base import VeloxCommand
from trading.management.output import FORMATS, Report, Table, add_format_arguments
from trading.queries.charge_estimates import shipped_schedule
from trading.queries.period import desk_date, parse_day

COLUMNS = {
    "line": "Line",
    "plan": "Plan",
    "segment": "Segment",
    "product": "Product",
    "exchange": "Exchange",
    "of": "Of",
    "base": "Base",
    "side": "Side",
    "rate": "Percent",
    "flat": "Rupees",
    "cap": "At most",
    "floor": "At least",
    "from": "From",
    "sure": "Sure",
    "source": "Source",
    "note": "Note",
}
NARROW = [name for name in COLUMNS if name not in ("source", "floor")]


class Command(VeloxCommand):
    help = (
        "Show the rates of charges that are in force on a day, each with its source and how sure it is (V recomputed "
        "from a real document, S several pages, 1 one page, ? not settled). With --check, look for faults."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--on", metavar="YYYY-MM-DD", help="the day (default: today)")
        parser.add_argument("--check", action="store_true", help="name what is wrong with the schedule; exit 1 then")
        add_format_arguments(parser, formats=FORMATS)

    def answer(self, *, on: str | None, check: bool) -> bool:
        schedule = shipped_schedule()
        day = parse_day(on) if on else desk_date(datetime.now(UTC))
        rows = [
            (
                {
                    "line": row.line,
                    "plan": row.plan,
                    "segment": row.segment or "all",
                    "product": row.product,
                    "exchange": row.exchange or "all",
                    "of": " ".join(row.groups),
                    "base": row.base if not row.heads else " ".join(row.heads),
                    "side": row.side,
                    "rate": None if row.rate is None else f"{row.rate:f}",
                    "flat": None if row.flat is None else f"{row.flat:f}",
                    "cap": None if row.cap is None else f"{row.cap:f}",
                    "floor": None if row.floor is None else f"{row.floor:f}",
                    "from": row.first_day,
                    "sure": row.sure,
                    "source": row.source,
                    "note": row.note,
                }
            )
            for row in schedule.on(day)
        ]
        unsettled = sum(row["sure"] == Sure.UNSETTLED for row in rows)
        wrong = list(faults(schedule)) if check else []
        body = {"on": day, "rows": rows, "unsettled": unsettled, "faults": wrong if check else None}
        title = f"Charges on {day}"
        table = Table(title, [COLUMNS[name] for name in NARROW], [[row[name] for name in NARROW] for row in rows])
        sheet = Table(title, list(COLUMNS), [list(row.values()) for row in rows])
        notes = [f"{len(rows)} rows, {unsettled} of them not settled (?).", *wrong]
        if check and not wrong:
            notes.append("The schedule has no fault.")
        self.emit(Report(title, body, [table], notes, sheet))
        return not wrong
