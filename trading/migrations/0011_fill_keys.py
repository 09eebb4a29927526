"""Keys of fills: a broker's fill id stands for one fill of an account, exchange and trading day.

An id that an older ledger let stand for several fills keeps them all, in order; `manage.py verify_ledger` lists them.
Fills can be known to the day only from here on, and can be a settlement instead of a sale at a price.
"""

from collections import Counter
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import django.db.models.deletion
from django.db import migrations, models

import trading.models.append_only

BATCH = 2000
EXCHANGE = "trade__instrument__exchange"


def make_keys(apps, schema_editor):
    keys = apps.get_model("trading", "FillKey").objects
    recorded = recorded_keys(apps)
    while rows := list(islice(recorded, BATCH)):
        keys.bulk_create(rows)
    for correction in apps.get_model("trading", "Correction").objects.filter(kind="amend").order_by("pk").iterator():
        if "at" in correction.body["now"] and correction.fill.fill_id is not None:
            add_key_of_new_day(keys, correction.fill, datetime.fromisoformat(correction.body["now"]["at"]))


def recorded_keys(apps):
    """Yield the key of each fill on its day as it was recorded, in the order of their times."""
    fills = apps.get_model("trading", "Fill").objects.exclude(role="SPLIT").exclude(fill_id=None).order_by("at", "pk")
    names = ("pk", "fill_id", "at", "trade_id", "trade__account_id", f"{EXCHANGE}_id", f"{EXCHANGE}__zone")
    counters = {}
    for pk, fill_id, at, trade, account, exchange, zone in fills.values_list(*names).iterator(chunk_size=BATCH):
        day = at.astimezone(ZoneInfo(zone)).date()
        if day not in counters:  # no zone is so far from another that an older day could come again
            counters = {kept: counter for kept, counter in counters.items() if kept > day - timedelta(days=3)}
            counters[day] = Counter()
        number = counters[day][account, exchange, fill_id]
        counters[day][account, exchange, fill_id] += 1
        of = {"account_id": account, "exchange_id": exchange, "day": day, "broker_fill_id": fill_id}
        yield apps.get_model("trading", "FillKey")(**of, number=number, fill_id=pk, trade_id=trade)


def add_key_of_new_day(keys, fill, at):
    """Add the key of a fill whose time was corrected to another day, which it has beside that of the one recorded."""
    exchange = fill.trade.instrument.exchange
    of = {"account": fill.trade.account, "exchange": exchange, "broker_fill_id": fill.fill_id}
    of |= {"day": at.astimezone(ZoneInfo(exchange.zone)).date()}
    rows = list(keys.filter(**of))
    if all(row.fill_id != fill.pk for row in rows):
        keys.create(**of, number=max((row.number for row in rows), default=-1) + 1, fill=fill, trade=fill.trade)


def protected(model, name, **more):
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name=name, to=model, **more)


class Migration(migrations.Migration):
    dependencies = [("trading", "0010_refuse_truncate")]

    operations = [
        trading.models.append_only.Unguard(),
        migrations.RemoveConstraint("fill", "fill_id_once"),
        migrations.AddField("fill", "is_day_only", models.BooleanField(default=False)),
        migrations.AddField("fill", "settlement", models.CharField(blank=True, default="", max_length=16)),
        migrations.AddConstraint(
            "fill",
            models.UniqueConstraint(
                condition=models.Q(("role", "SPLIT")), fields=("trade", "fill_id"), name="split_once"
            ),
        ),
        migrations.CreateModel(
            name="FillKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", protected("trading.account", "+", db_index=False)),
                ("exchange", protected("trading.exchange", "+", db_index=False)),
                ("day", models.DateField()),
                ("broker_fill_id", models.CharField(max_length=128)),
                ("number", models.PositiveIntegerField(default=0)),
                ("fill", protected("trading.fill", "keys")),
                ("trade", protected("trading.trade", "fill_keys")),
            ],
            options={
                "ordering": ("account", "exchange", "day", "broker_fill_id", "number"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "exchange", "day", "broker_fill_id", "number"), name="fill_key_once"
                    )
                ],
            },
        ),
        migrations.RunPython(make_keys, migrations.RunPython.noop),
        trading.models.append_only.Guard(unguarded=True),
    ]
