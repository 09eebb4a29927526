"""Room for the limits of accounts and strategies."""

from decimal import Decimal

import django.db.models.deletion
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

import trading.models.append_only
import trading.models.fields


def let_all_see(apps, schema_editor):
    """Let every group see the records that the admin lists from now on."""
    create_permissions(installed.get_app_config("trading"), apps=apps, verbosity=0)
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    view = permission.objects.get(content_type__app_label="trading", codename="view_limit")
    for name in ("viewer", "reviewer", "operator"):
        group.objects.get_or_create(name=name)[0].permissions.add(view)


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0025_withdrawn_screenshots"),
    ]

    operations = [
        migrations.CreateModel(
            name="Limit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("kind", models.CharField(max_length=24)),
                ("amount", trading.models.fields.MoneyField(null=True)),
                ("first_day", models.DateField()),
                ("reason", models.TextField()),
                ("author", models.CharField(max_length=150)),
                ("recorded_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="limits", to="trading.account"
                    ),
                ),
                (
                    "strategy",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="limits",
                        to="trading.strategy",
                    ),
                ),
            ],
            options={
                "ordering": ("account", "-number"),
                "indexes": [models.Index(fields=["account", "kind", "strategy"], name="limit_by_kind")],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "number"), name="limit_number_once"),
                    models.CheckConstraint(condition=models.Q(("number__gt", 0)), name="limit_number_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                (
                                    "consecutive_losses",
                                    "daily_loss",
                                    "daily_loss_open",
                                    "drawdown",
                                    "open_positions",
                                    "trades",
                                ),
                            )
                        ),
                        name="limit_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount", None), ("amount__gte", Decimal("0")), _connector="OR"),
                        name="limit_amount_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="limit_has_a_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("author", ""), _negated=True), name="limit_has_an_author"
                    ),
                ],
            },
        ),
        migrations.RunPython(let_all_see, migrations.RunPython.noop),
        trading.models.append_only.Guard(),
    ]
