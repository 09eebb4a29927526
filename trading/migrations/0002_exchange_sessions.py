"""Seed the exchanges and their sessions from the data file."""

from pathlib import Path

from django.db import migrations

from trading.domain.sessions import parse_hours

FILE = Path(__file__).resolve().parent.parent / "data" / "exchange_sessions.json"


def seed(apps, schema_editor):
    exchanges = apps.get_model("trading", "Exchange")
    sessions = apps.get_model("trading", "ExchangeSession")
    for hours in parse_hours(FILE.read_text(encoding="utf-8")):
        exchange, _ = exchanges.objects.update_or_create(
            code=hours.code, defaults={"name": hours.name, "zone": hours.zone}
        )
        sessions.objects.filter(exchange=exchange).delete()
        sessions.objects.bulk_create(
            sessions(
                exchange=exchange,
                kind=row.kind,
                group=row.group,
                first_date=row.first_date,
                last_date=row.last_date,
                weekdays=row.weekdays,
                phase=row.phase,
                opens=row.opens,
                closes=row.closes,
                note=row.note,
            )
            for row in hours.rows
        )


class Migration(migrations.Migration):
    dependencies = [("trading", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
