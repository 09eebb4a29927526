"""A column for the broker whose file states a charge; until now only the text of such a row began with it."""

from django.db import migrations, models

import trading.models.append_only

BROKERS = ("zerodha", "dhan", "groww", "upstox", "angelone", "fyers", "paytm", "icici", "ibkr")
HOUSES = {**{broker: broker for broker in BROKERS}, "kite": "zerodha"}  # Kite is Zerodha's interface


def name_brokers(apps, schema_editor):
    rows = apps.get_model("trading", "StatedCharge").objects.exclude(document="")
    for word, broker in HOUSES.items():
        rows.filter(text__startswith=f"{word} ").update(broker=broker)


class Migration(migrations.Migration):
    dependencies = [("trading", "0017_day_notes")]

    operations = [
        trading.models.append_only.Unguard(),
        migrations.AddField(
            "statedcharge", "broker", models.CharField(blank=True, default="", max_length=16), preserve_default=False
        ),
        migrations.RunPython(name_brokers, migrations.RunPython.noop),
        trading.models.append_only.Guard(unguarded=True),
    ]
