"""What brokers' files brought: the files, and every fill that they tell."""

from decimal import Decimal

import django.db.models.deletion
from django.db import migrations, models

import trading.models.append_only
import trading.models.fields


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0012_charges"),
    ]

    operations = [
        migrations.CreateModel(
            name="BrokerFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sha256", models.CharField(max_length=64)),
                ("broker", models.CharField(max_length=16)),
                ("kind", models.CharField(max_length=32)),
                ("client", models.CharField(blank=True, max_length=64)),
                ("first_day", models.DateField(null=True)),
                ("last_day", models.DateField(null=True)),
                ("rows_read", models.PositiveIntegerField()),
                ("fills", models.PositiveIntegerField()),
                ("recorded_at", models.DateTimeField()),
                ("recorded_by", models.CharField(blank=True, max_length=150)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="broker_files", to="trading.account"
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="BrokerFill",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("broker_fill_id", models.CharField(max_length=128)),
                ("order_id", models.CharField(max_length=128, null=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("trade", "Trade"),
                            ("order", "Order"),
                            ("expiry", "Expiry"),
                            ("exercise", "Exercise"),
                        ],
                        max_length=8,
                    ),
                ),
                ("side", models.CharField(max_length=4)),
                ("quantity", trading.models.fields.MoneyField()),
                ("price", trading.models.fields.MoneyField()),
                ("charges", trading.models.fields.MoneyField(null=True)),
                ("at", models.DateTimeField(null=True)),
                ("place", models.PositiveIntegerField(default=0)),
                ("is_cash", models.BooleanField(default=False)),
                ("isin", models.CharField(blank=True, max_length=12)),
                ("recorded_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="broker_fills",
                        to="trading.account",
                    ),
                ),
                (
                    "exchange",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trading.exchange",
                    ),
                ),
                (
                    "file",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="broker_fills",
                        to="trading.brokerfile",
                    ),
                ),
                (
                    "instrument",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trading.instrument",
                    ),
                ),
                (
                    "strategy",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trading.strategy",
                    ),
                ),
            ],
            options={
                "ordering": ("account", "day", "pk"),
            },
        ),
        migrations.AddConstraint(
            model_name="brokerfile",
            constraint=models.UniqueConstraint(fields=("account", "sha256", "kind"), name="broker_file_once"),
        ),
        migrations.AddIndex(
            model_name="brokerfill",
            index=models.Index(fields=["account", "instrument", "strategy", "day"], name="broker_fill_by_group"),
        ),
        migrations.AddConstraint(
            model_name="brokerfill",
            constraint=models.UniqueConstraint(
                fields=("account", "exchange", "day", "broker_fill_id"), name="broker_fill_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="brokerfill",
            constraint=models.CheckConstraint(
                condition=models.Q(("side__in", ("BUY", "SELL"))), name="broker_fill_side"
            ),
        ),
        migrations.AddConstraint(
            model_name="brokerfill",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ("trade", "order", "expiry", "exercise"))), name="broker_fill_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="brokerfill",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gt", Decimal("0"))), name="broker_fill_quantity_positive"
            ),
        ),
        trading.models.append_only.Guard(),
    ]
