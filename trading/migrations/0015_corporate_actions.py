"""Corporate actions as brokers' files propose them, what persons decide of each, fills that are deliveries, and the group
by which an exchange charges a share."""

import django.db.models.deletion
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

import trading.models.append_only
import trading.models.fields
import trading.models.sealing


def _of(model, related_name):
    return models.ForeignKey(
        on_delete=django.db.models.deletion.PROTECT, related_name=related_name, to=f"trading.{model}"
    )


def _key():
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


def let_all_see(apps, schema_editor):
    """Let every group see the records that the admin lists from now on."""
    create_permissions(installed.get_app_config("trading"), apps=apps, verbosity=0)
    names = [f"view_{model}" for model in ("corporateaction", "holdingcost", "statedcharge")]
    views = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="trading", codename__in=names)
    for name in ("viewer", "reviewer", "operator"):
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        group.permissions.add(*views)


class Migration(migrations.Migration):
    dependencies = [("trading", "0014_holding_costs")]

    operations = [
        trading.models.append_only.Unguard(),
        migrations.RemoveConstraint("brokerfill", "broker_fill_kind"),
        migrations.AlterField(
            "brokerfill",
            "kind",
            models.CharField(
                choices=[
                    ("trade", "Trade"),
                    ("order", "Order"),
                    ("expiry", "Expiry"),
                    ("exercise", "Exercise"),
                    ("delivery", "Delivery"),
                ],
                max_length=8,
            ),
        ),
        migrations.AddConstraint(
            "brokerfill",
            models.CheckConstraint(
                condition=models.Q(("kind__in", ("trade", "order", "expiry", "exercise", "delivery"))),
                name="broker_fill_kind",
            ),
        ),
        migrations.CreateModel(
            name="CorporateAction",
            fields=[
                ("id", _key()),
                ("key", models.CharField(max_length=64)),
                ("day", models.DateField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("split", "Split"),
                            ("bonus", "Bonus"),
                            ("settlement", "Settlement"),
                            ("quantity", "Quantities that do not tie"),
                            ("other", "Other"),
                        ],
                        max_length=10,
                    ),
                ),
                ("symbol", models.CharField(blank=True, max_length=64)),
                ("text", models.TextField()),
                ("new", trading.models.fields.MoneyField(null=True)),
                ("old", trading.models.fields.MoneyField(null=True)),
                ("quantity", trading.models.fields.MoneyField(null=True)),
                ("recorded_at", models.DateTimeField()),
                ("account", _of("account", "corporate_actions")),
                ("file", _of("brokerfile", "corporate_actions")),
            ],
            options={
                "ordering": ("account", "day", "pk"),
                "constraints": [models.UniqueConstraint(fields=("account", "key"), name="corporate_action_once")],
            },
        ),
        migrations.CreateModel(
            name="ActionDecision",
            fields=[
                ("id", _key()),
                ("terms", models.TextField(blank=True)),
                ("reason", models.TextField()),
                ("author", models.CharField(max_length=150)),
                ("recorded_at", models.DateTimeField()),
                ("account", _of("account", "action_decisions")),
                (
                    "action",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decision",
                        to="trading.corporateaction",
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="action_decision_has_a_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("author", ""), _negated=True), name="action_decision_has_an_author"
                    ),
                ],
            },
        ),
        migrations.AddField("instrument", "share_group", models.CharField(blank=True, default="", max_length=8)),
        migrations.AlterField(
            "instrument",
            "share_group",
            models.CharField(blank=True, help_text="Of a share at BSE: A, B, X, ...", max_length=8),
        ),
        migrations.RunPython(let_all_see, migrations.RunPython.noop),
        trading.models.append_only.Guard(unguarded=True),
        trading.models.sealing.SealAll(),
    ]
