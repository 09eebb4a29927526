"""`manage.py query`: answer a question in a file from the store in use: Flux for InfluxDB, SQL for the embedded one."""

from __future__ import annotations

import math
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import suppress

from timeseries.stores.base import QUERY_SECONDS
from timeseries.wiring import open_store
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.files import read_text
from trading.management.output import add_format_arguments
from trading.management.report import Report, Table
from trading.telemetry import parse_seconds


class Command(VeloxCommand):
    help = (
        "Ask the store a question from a file (`-` reads it from the standard input): SQL of one SELECT over a view "
        "per measurement for the embedded store, Flux for InfluxDB. See docs/measurements.md for what there is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the question")
        parser.add_argument(
            "--param",
            action="append",
            default=[],
            metavar="K=V",
            help="a parameter; whole and decimal numbers are numbers",
        )
        parser.add_argument(
            "--timeout",
            type=float,
            default=QUERY_SECONDS,
            metavar="S",
            help="break the question off after so many seconds (default: %(default)g)",
        )
        add_format_arguments(parser, formats=("table", "json", "csv"))

    def answer(self, *, file: str, param: list[str], timeout: float) -> bool:
        store, parameters = open_store(), parameters_of(param)
        try:
            question = sys.stdin.read() if file == "-" else read_text(file, field="file")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidValue(f"{file} cannot be read: {error}.", field="file") from error
        ask = store.query_flux if store.name == "influx" else store.query_sql
        answer = ask(question, parameters, timeout=parse_seconds(timeout, "timeout"))
        rows = answer.to_pylist()
        cells = [list(row.values()) for row in rows]
        # Numbers of the store as it has them: a price is not rounded as a figure of a report is.
        shown = [[str(cell) if isinstance(cell, float) else cell for cell in row] for row in cells]
        table, sheet = (Table("Answer", answer.column_names, each) for each in (shown, cells))
        for row in rows:  # what is no number has no word in JSON
            row |= {name: None for name, cell in row.items() if isinstance(cell, float) and not math.isfinite(cell)}
        try:
            self.emit(Report("Answer", {"columns": answer.column_names, "rows": rows}, [table], sheet=sheet))
        except (TypeError, ValueError) as error:  # bytes, or what is no number within a list
            raise InvalidValue(f"The answer cannot be written: {error}.", hint="Cast it to VARCHAR.") from error
        return True


def parameters_of(pairs: Sequence[str]) -> dict[str, int | float | str]:
    """Return ``K=V`` pairs as parameters: whole and decimal numbers as such, else text. Raises: InvalidValue."""
    parameters: dict[str, int | float | str] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name.isidentifier():
            raise InvalidValue(f"{pair!r} is no parameter: write name=value.", field="param")
        parameters[name] = text
        for kind in (float, int):  # an int where it is one: the later wins
            with suppress(ValueError):
                parameters[name] = kind(text)
    return parameters
