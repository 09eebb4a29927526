"""Charges that somebody stated, and the brokerage plans of accounts."""

import django.db.models.deletion
from django.db import migrations, models

import trading.models.append_only
import trading.models.fields


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0011_fill_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="BrokeragePlan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("plan", models.CharField(max_length=64)),
                ("recorded_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="brokerage_plans",
                        to="trading.account",
                    ),
                ),
            ],
            options={
                "ordering": ("account", "day"),
                "constraints": [
                    models.UniqueConstraint(fields=("account", "day"), name="brokerageplan_once"),
                    models.CheckConstraint(condition=models.Q(("plan", ""), _negated=True), name="brokerageplan_named"),
                ],
            },
        ),
        migrations.CreateModel(
            name="StatedCharge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("last_day", models.DateField()),
                ("segment", models.CharField(blank=True, max_length=32)),
                ("exchange", models.CharField(blank=True, max_length=16)),
                ("head", models.CharField(max_length=16)),
                ("amount", trading.models.fields.MoneyField()),
                ("source", models.CharField(max_length=8)),
                ("document", models.CharField(blank=True, max_length=64)),
                ("text", models.TextField(blank=True)),
                ("author", models.CharField(max_length=150)),
                ("recorded_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="stated_charges", to="trading.account"
                    ),
                ),
            ],
            options={
                "ordering": ("account", "day", "pk"),
                "indexes": [models.Index(fields=["account", "day"], name="statedcharge_by_day")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "head__in",
                                ("brokerage", "ctt", "dp", "exchange", "gst", "ipft", "other", "sebi", "stamp", "stt"),
                            )
                        ),
                        name="statedcharge_head",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("source__in", ("file", "note", "person"))), name="statedcharge_source"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("last_day__gte", models.F("day"))), name="statedcharge_days_in_order"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("author", ""), _negated=True), name="statedcharge_has_an_author"
                    ),
                    models.UniqueConstraint(
                        fields=(
                            "account",
                            "day",
                            "last_day",
                            "segment",
                            "exchange",
                            "head",
                            "source",
                            "document",
                            "recorded_at",
                        ),
                        name="statedcharge_once",
                    ),
                ],
            },
        ),
        trading.models.append_only.Guard(),
    ]
