"""`manage.py instruments`: list instruments, take their terms from a file, correct a contract."""

from __future__ import annotations

from argparse import ArgumentParser
from decimal import Decimal
from pathlib import Path

from django.db.models import QuerySet

from trading.bookkeeping.contract_terms import PARSERS
from trading.domain.instrument_file import parse_instruments
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand, refuse_idle
from trading.management.files import read_text
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.models import Instrument
from trading.operations.correct_contract import correct_contract
from trading.operations.load_instruments import load_instruments
from trading.queries.instrument_list import instrument_rows
from trading.queries.instruments import find_instrument, is_named
from trading.queries.unreviewed import unreviewed_instruments

REFUSED_MAX = 20


class Command(VeloxCommand):
    help = (
        "List the instruments with their terms. --load takes terms from a file (Kite's instruments.csv, or a CSV with "
        "symbol, exchange and terms); exit 1 when rows were refused. --correct corrects multiplier, lot, currency, "
        "kind or tick of one, also after it was traded: its trades are folded anew, author and reason are kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("symbol", nargs="?", metavar="SYMBOL", help="only this one")
        parser.add_argument("--unreviewed", action="store_true", help="only those in use that nobody has confirmed")
        parser.add_argument("--load", type=Path, metavar="FILE", help="take the terms of this file")
        parser.add_argument(
            "--known",
            dest="known_only",
            action="store_true",
            help="with --load: only instruments that the ledger has",
        )
        parser.add_argument("--correct", metavar="SYMBOL", help="correct the terms of this one")
        for name in PARSERS:
            parser.add_argument(f"--{name.replace('_', '-')}", help="with --correct: the right one")
        parser.add_argument("--by", default="", help="who corrects")
        parser.add_argument("--reason", default="", help="why; kept with the correction")
        add_format_arguments(parser, formats=("table", "csv", "json"))

    def answer(
        self,
        *,
        symbol: str | None,
        unreviewed: bool,
        load: Path | None,
        known_only: bool,
        correct: str | None,
        by: str,
        reason: str,
        **options: str | None,
    ) -> bool:
        terms = {name: options[name] for name in PARSERS if options[name] is not None}
        if load is not None and correct is not None:
            raise InvalidValue("--load and --correct are two things.", field="load", hint="Do one after the other.")
        if terms and correct is None:
            raise InvalidValue("Nothing is corrected.", field="correct", hint="Name the instrument: --correct SYMBOL.")
        if load is not None or correct is not None:
            refuse_idle("beside --load and --correct", {"SYMBOL": symbol, "--unreviewed": unreviewed})
        else:
            refuse_idle("without --load and --correct", {"--by": by, "--reason": reason})
        if load is not None:
            return self._load(load, known_only=known_only, by=by, reason=reason)
        refuse_idle("without --load", {"--known": known_only})
        if correct is not None:
            rows = self._correct(correct, terms, by=by, reason=reason)
        else:
            rows = unreviewed_instruments() if unreviewed else Instrument.objects.all()
            if symbol is not None and find_instrument(symbol) is None:
                raise InvalidValue(f"{symbol} was never used.", field="symbol", hint="See the list.")
            rows = rows if symbol is None else rows.filter(is_named(symbol))
        listed = instrument_rows(rows)
        columns = list(listed[0]) if listed else ["symbol"]
        lines: list[list[Value]] = [
            [
                ("yes" if term else "no")
                if isinstance(term, bool)
                else f"{term:f}"
                if isinstance(term, Decimal)
                else term
                for term in row.values()
            ]
            for row in listed
        ]
        table = Table("Instruments", columns, lines)
        sheet = Table("Instruments", columns, [list(row.values()) for row in listed])
        self.emit(Report("Instruments", {"instruments": listed}, [table], sheet=sheet))
        return True

    def _correct(self, symbol: str, terms: dict[str, str | None], *, by: str, reason: str) -> QuerySet[Instrument]:
        """Correct the terms of an instrument; return it. Raises: InvalidValue."""
        instrument = find_instrument(symbol)
        if instrument is None:
            raise InvalidValue(f"{symbol} was never used.", field="correct", hint="See the list.")
        if not terms:
            raise InvalidValue("Nothing is corrected.", field="correct", hint="Give what is right: --multiplier 100.")
        corrected = correct_contract(instrument.pk, by=by, reason=reason, reviewed=True, **terms)
        self.say(f"{', '.join(corrected.changed) or 'Nothing'} changed; {corrected.trades} trades were folded anew.")
        return Instrument.objects.filter(pk=instrument.pk)

    def _load(self, path: Path, *, known_only: bool, by: str, reason: str) -> bool:
        """Take the terms that a file tells; return whether none of its rows was refused. Raises: InvalidValue."""
        rows = parse_instruments(read_text(path, field="load"))
        loaded = load_instruments(rows, known_only=known_only, by=by, reason=reason)
        counts = {
            "rows": len(rows),
            "new": loaded.new,
            "changed": loaded.changed,
            "known": loaded.known,
            "left_out": loaded.left,
            "trades_folded": loaded.trades,
        }
        refused = [{"line": line, "symbol": symbol, "hint": why} for line, symbol, why in loaded.refused]
        tables = [Table(f"Loaded from {path.name}", list(counts), [list(counts.values())])]
        if refused:
            tables.append(Table("Refused", ["Line", "Symbol", "Why"], loaded.refused[:REFUSED_MAX]))
        notes = [f"{len(refused)} rows were refused."] if refused else []
        self.emit(Report("Instruments", {**counts, "refused": refused}, tables, notes))
        return not refused
