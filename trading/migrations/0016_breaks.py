"""Room for what became of the breaks that reconciling names."""

import django.db.models.deletion
from django.db import migrations, models

import trading.models.append_only


class Migration(migrations.Migration):
    dependencies = [("trading", "0015_corporate_actions")]

    operations = [
        migrations.CreateModel(
            name="BreakEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("break_id", models.CharField(max_length=16)),
                (
                    "event",
                    models.CharField(
                        choices=[
                            ("opened", "Opened"),
                            ("changed", "Changed"),
                            ("approved", "Approved and booked"),
                            ("accepted", "Accepted as it is"),
                            ("closed", "Gone by itself"),
                        ],
                        max_length=8,
                    ),
                ),
                ("kind", models.CharField(max_length=32)),
                ("key", models.JSONField()),
                ("day", models.DateField()),
                ("ledger", models.JSONField(null=True)),
                ("broker", models.JSONField(null=True)),
                ("hot", models.JSONField(null=True)),
                ("proposal", models.JSONField()),
                ("opened_at", models.DateTimeField()),
                ("author", models.CharField(blank=True, max_length=150)),
                ("reason", models.TextField(blank=True)),
                ("recorded_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="break_events",
                        to="trading.account",
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
                "indexes": [models.Index(fields=["account", "break_id"], name="break_event_by_break")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("event__in", ("opened", "changed", "approved", "accepted", "closed"))),
                        name="break_event_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("event__in", ("approved", "accepted")), _negated=True),
                            models.Q(
                                models.Q(("author", ""), _negated=True),
                                models.Q(("reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="break_approved_by_somebody",
                    ),
                ],
            },
        ),
        trading.models.append_only.Guard(),
    ]
