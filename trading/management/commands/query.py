"""`manage.py query`: a question in a file to the store that is on: Flux to InfluxDB, SQL to the embedded store."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from timeseries.stores.base import QUERY_SECONDS
from timeseries.wiring import open_store
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import add_format_arguments, emit
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

    def answer(self, **options: Any) -> bool:
        store, parameters = open_store(), parameters_of(options["param"])
        ask = store.query_flux if store.name == "influx" else store.query_sql
        found = ask(_text(options["file"]), parameters, timeout=parse_seconds(options["timeout"], "timeout"))
        rows = found.to_pylist()
        table = Table("Answer", found.column_names, [list(row.values()) for row in rows])
        data = {"columns": found.column_names, "rows": rows}
        emit(Report("Answer", data, [table]), form=options["format"], stdout=self.stdout, output=options["output"])
        return True


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValue(f"{file} cannot be read: {error}.", field="file") from error


def parameters_of(given: Sequence[str]) -> dict[str, int | float | str]:
    """Return ``K=V`` as parameters. Raises: InvalidValue."""
    parameters: dict[str, int | float | str] = {}
    for pair in given:
        name, sign, value = pair.partition("=")
        if not sign or not name.isidentifier():
            raise InvalidValue(f"{pair!r} is no parameter: write name=value.", field="param")
        parameters[name] = _value(value)
    return parameters


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
