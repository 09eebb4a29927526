"""`manage.py instruments`: list them, take their terms from a file, put a contract right."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from trading.bookkeeping.contract_terms import PARSERS
from trading.domain.instrument_file import parse_instruments
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments, emit
from trading.models import Instrument
from trading.operations.correct_contract import correct_contract
from trading.operations.load_instruments import load_instruments
from trading.queries.instrument_list import instrument_rows, unreviewed_instruments
from trading.queries.instruments import find_instrument, is_named

REFUSED_MAX = 20


class Command(VeloxCommand):
    help = (
        "List the instruments with their terms. --load takes terms from a file (Kite's instruments.csv, or a CSV with "
        "symbol, exchange and terms); exit 1 when rows were refused. --correct puts multiplier, lot, currency, kind or "
        "tick of one right, also after it was traded: its trades are folded anew, author and reason are kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("symbol", nargs="?", metavar="SYMBOL", help="only this one")
        parser.add_argument("--unreviewed", action="store_true", help="only those in use that nobody has confirmed")
        parser.add_argument("--load", type=Path, metavar="FILE", help="take the terms that this file tells")
        parser.add_argument("--known", action="store_true", help="with --load: only instruments that the ledger has")
        parser.add_argument("--correct", metavar="SYMBOL", help="put the terms of this one right")
        for name in PARSERS:
            parser.add_argument(f"--{name.replace('_', '-')}", help="with --correct: the right one")
        parser.add_argument("--by", default="", help="who corrects")
        parser.add_argument("--reason", default="", help="why; kept with the correction")
        add_format_arguments(parser, formats=("table", "csv", "json"))

    def answer(self, **options: Any) -> bool:
        terms = {name: options[name] for name in PARSERS if options[name] is not None}
        if options["load"] is not None and options["correct"] is not None:
            raise InvalidValue("--load and --correct are two things.", field="load", hint="Do one after the other.")
        if terms and options["correct"] is None:
            raise InvalidValue("Nothing is corrected.", field="correct", hint="Name the instrument: --correct SYMBOL.")
        if options["load"] is not None:
            return self._load(options)
        rows = self._correct(options, terms) if options["correct"] is not None else _chosen(options)
        emit(_listed(instrument_rows(rows)), form=options["format"], stdout=self.stdout, output=options["output"])
        return True

    def _correct(self, options: dict[str, Any], terms: dict[str, Any]) -> Any:
        instrument = find_instrument(options["correct"])
        if instrument is None:
            raise InvalidValue(f"{options['correct']} was never used.", field="correct", hint="See the list.")
        if not terms:
            raise InvalidValue("Nothing is corrected.", field="correct", hint="Give what is right: --multiplier 100.")
        done = correct_contract(instrument.pk, by=options["by"], reason=options["reason"], **terms)
        self.say(f"{', '.join(done.changed) or 'Nothing'} changed; {done.trades} trades were folded anew.")
        return Instrument.objects.filter(pk=instrument.pk)

    def _load(self, options: dict[str, Any]) -> bool:
        rows = parse_instruments(_text(options["load"]))
        who = {"by": options["by"], "reason": options["reason"]}
        loaded = load_instruments(rows, known_only=options["known"], **who)
        data = {
            "rows": len(rows),
            "new": loaded.new,
            "changed": loaded.changed,
            "known": loaded.known,
            "left_out": loaded.left,
            "trades_folded": loaded.trades,
            "refused": [{"line": line, "symbol": symbol, "hint": why} for line, symbol, why in loaded.refused],
        }
        counts = Table(f"Loaded from {options['load'].name}", list(data)[:-1], [list(data.values())[:-1]])
        refused = Table("Refused", ["Line", "Symbol", "Why"], loaded.refused[:REFUSED_MAX])
        notes = [f"{len(loaded.refused)} rows were refused."] if loaded.refused else []
        report = Report("Instruments", data, [counts, *([refused] if loaded.refused else [])], notes)
        emit(report, form=options["format"], stdout=self.stdout, output=options["output"])
        return not loaded.refused


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValue(f"{path} cannot be read: {error}.", field="load") from error


def _chosen(options: dict[str, Any]) -> Any:
    rows = unreviewed_instruments() if options["unreviewed"] else Instrument.objects.all()
    if options["symbol"] is None:
        return rows
    if find_instrument(options["symbol"]) is None:
        raise InvalidValue(f"{options['symbol']} was never used.", field="symbol", hint="See the list.")
    return rows.filter(is_named(options["symbol"]))


def _listed(rows: list[dict[str, Any]]) -> Report:
    columns = list(rows[0]) if rows else ["symbol"]
    shown = [[_cell(value) for value in row.values()] for row in rows]
    sheet = Table("Instruments", columns, [list(row.values()) for row in rows])
    return Report("Instruments", {"instruments": rows}, [Table("Instruments", columns, shown)], sheet=sheet)


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:f}" if hasattr(value, "as_tuple") else value
