"""`manage.py grafana_role`: let Grafana read the ledger on PostgreSQL, through views alone."""

from __future__ import annotations

from argparse import ArgumentParser

from django.conf import settings

from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.files import read_text
from trading.management.output import add_format_arguments
from trading.management.report import Report, Table
from trading.models.grafana_views import ROLE, SCHEMA
from trading.operations.let_grafana_read import let_grafana_read


class Command(VeloxCommand):
    help = (
        "Make or renew the role velox_grafana and the views that it reads; it sees nothing else of the ledger. Its "
        "password is that of VELOX_GRAFANA_PASSWORD, or of a file. Repeating it changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--password-file", metavar="FILE", help="the password (default: VELOX_GRAFANA_PASSWORD)")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(self, *, password_file: str | None) -> bool:
        password = str(settings.VELOX_GRAFANA_PASSWORD)
        if password_file is not None:
            password = read_text(password_file, field="password_file").strip()
        if not password:
            raise InvalidValue(
                "VELOX_GRAFANA_PASSWORD is not set: the role gets no password by default.",
                field="VELOX_GRAFANA_PASSWORD",
                hint="Set it in .env or in the environment, or give --password-file.",
            )
        views = let_grafana_read(password)
        table = Table("Views", ["View"], [[f"{SCHEMA}.{name}"] for name in views])
        self.emit(Report(f"{ROLE} reads", {"role": ROLE, "schema": SCHEMA, "views": views}, [table], []))
        return True
