"""Exchanges with hours over midnight and a session group of their own, contracts with underlying, expiry and strike, and
room for corrections of a contract."""

from dataclasses import asdict
from datetime import date
from pathlib import Path

from django.db import migrations, models

import trading.models.append_only
import trading.models.fields
import trading.models.sealing
from trading.domain.sessions import parse_hours

FILE = Path(__file__).resolve().parent.parent / "data" / "exchange_sessions.json"
ADDED_BEFORE = date(2021, 1, 1)  # holidays and special sessions that the file has since this migration


def load(apps, schema_editor):
    exchanges, sessions = apps.get_model("trading", "Exchange"), apps.get_model("trading", "ExchangeSession")
    for hours in parse_hours(FILE.read_text(encoding="utf-8")):
        known = {"name": hours.name, "zone": hours.zone, "session_group": hours.session_group}
        exchange, _ = exchanges.objects.get_or_create(code=hours.code, defaults=known)
        held = sessions.objects.filter(exchange=exchange)
        held.filter(opens=None).exclude(phase="").delete()  # an earlier migration could not write all of such a row
        if held.exists():  # hours that the desk has amended stay
            dated = set(held.exclude(kind="REGULAR").values_list("first_date", flat=True))
            wanted = [row for row in hours.rows if row.kind != "REGULAR" and row.first_date < ADDED_BEFORE]
            wanted = [row for row in wanted if row.first_date not in dated]
        elif exchange.zone == hours.zone:
            wanted = hours.rows
        else:  # this desk has used the name without hours, in a zone of its own: its trading days stay
            continue
        exchanges.objects.filter(pk=exchange.pk).update(session_group=hours.session_group)
        sessions.objects.bulk_create(sessions(exchange=exchange, **asdict(row)) for row in wanted)


def look_at_misnamed_instruments_again(apps, schema_editor):
    """What was booked under a prefix that nobody knew stands on the default exchange: a person is to look at it."""
    apps.get_model("trading", "Instrument").objects.filter(symbol__contains=":").update(reviewed=False)


class Migration(migrations.Migration):
    dependencies = [("trading", "0008_prices_and_rebates")]

    operations = [
        trading.models.append_only.Unguard(),
        migrations.AddField("exchange", "session_group", models.CharField(blank=True, default="", max_length=32)),
        migrations.AlterField("exchange", "session_group", models.CharField(blank=True, max_length=32)),
        migrations.AddField("exchangesession", "opens_day_before", models.TimeField(blank=True, null=True)),
        migrations.AlterField(
            "instrument",
            "session_group",
            models.CharField(blank=True, help_text="Empty: its exchange's own.", max_length=32),
        ),
        migrations.AddField("instrument", "underlying", models.CharField(blank=True, default="", max_length=64)),
        migrations.AlterField("instrument", "underlying", models.CharField(blank=True, max_length=64)),
        migrations.AddField("instrument", "expiry", models.DateField(blank=True, null=True)),
        migrations.AddField("instrument", "strike", trading.models.fields.MoneyField(blank=True, null=True)),
        migrations.AlterField(
            "correction",
            "kind",
            models.CharField(
                choices=[
                    ("amend", "Amended"),
                    ("void", "Voided"),
                    ("charges", "Charges"),
                    ("contract", "Contract"),
                ],
                max_length=16,
            ),
        ),
        migrations.RemoveConstraint("correction", "correction_kind"),
        migrations.AddConstraint(
            "correction",
            models.CheckConstraint(
                name="correction_kind",
                condition=models.Q(("kind__in", ("amend", "void", "charges", "contract"))),
            ),
        ),
        migrations.RunPython(load, migrations.RunPython.noop),
        migrations.RunPython(look_at_misnamed_instruments_again, migrations.RunPython.noop),
        trading.models.append_only.Guard(unguarded=True),
        trading.models.sealing.SealAll(),
    ]
