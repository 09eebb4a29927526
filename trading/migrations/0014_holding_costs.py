"""Room for what sold holdings cost, as a person says, and a quick way to the fills that have no time of day."""

from decimal import Decimal

import django.db.models.deletion
from django.db import migrations, models

import trading.models.append_only
import trading.models.fields


class Migration(migrations.Migration):
    dependencies = [("trading", "0013_imports")]

    operations = [
        migrations.AddIndex(
            "fill",
            models.Index(condition=models.Q(("is_day_only", True)), fields=["trade"], name="fill_day_only"),
        ),
        migrations.CreateModel(
            name="HoldingCost",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("price", trading.models.fields.MoneyField()),
                ("reason", models.TextField()),
                ("author", models.CharField(max_length=150)),
                ("recorded_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="holding_costs", to="trading.account"
                    ),
                ),
                (
                    "sale",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holding_cost",
                        to="trading.brokerfill",
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("price__gte", Decimal(0))), name="holding_cost_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="holding_cost_has_a_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("author", ""), _negated=True), name="holding_cost_has_an_author"
                    ),
                ],
            },
        ),
        trading.models.append_only.Guard(),
    ]
