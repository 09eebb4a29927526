"""Room for alerts: what somebody should know, where it was sent, and the channels that operators keep."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0023_api_tokens"),
    ]

    operations = [
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.CharField(max_length=32, unique=True)),
                ("key", models.CharField(max_length=200)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("fault", "Fault"),
                            ("not_flat", "Not flat"),
                            ("limit", "Limit crossed"),
                            ("note", "Note of the day"),
                            ("summary", "Daily summary"),
                            ("trade", "Closed trade"),
                            ("test", "Test"),
                        ],
                        max_length=16,
                    ),
                ),
                ("component", models.CharField(blank=True, max_length=32)),
                ("code", models.CharField(blank=True, max_length=64)),
                ("text", models.TextField()),
                ("cure", models.TextField(blank=True)),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
                ("recovered_at", models.DateTimeField(null=True)),
                ("count", models.PositiveIntegerField(default=1)),
                ("queued_at", models.DateTimeField(null=True)),
                ("recovery_queued_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alerts",
                        to="trading.account",
                    ),
                ),
            ],
            options={
                "ordering": ("-first_seen_at", "-pk"),
            },
        ),
        migrations.CreateModel(
            name="AlertChannel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60, unique=True)),
                ("url", models.TextField()),
                ("label", models.CharField(max_length=200)),
                ("is_active", models.BooleanField(default=True)),
                ("author", models.CharField(max_length=150)),
                ("written_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("name",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("name", ""), _negated=True), name="alertchannel_has_a_name"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("author", ""), _negated=True), name="alertchannel_has_an_author"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertCursor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sequence", models.BigIntegerField(default=0)),
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="alert_cursor", to="trading.account"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AlertDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_recovery", models.BooleanField(default=False)),
                ("channel", models.CharField(max_length=64)),
                ("label", models.CharField(max_length=200)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sending", "Sending"),
                            ("sent", "Sent"),
                            ("given_up", "Given up"),
                        ],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("tries", models.PositiveIntegerField(default=0)),
                ("next_try_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=200)),
                (
                    "alert",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="deliveries", to="trading.alert"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "alert deliveries",
                "ordering": ("pk",),
            },
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(fields=["account", "first_seen_at"], name="alert_of_account"),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                condition=models.Q(("recovered_at", None)), fields=("key",), name="alert_once_while_it_lasts"
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("text", ""), _negated=True), models.Q(("key", ""), _negated=True)),
                name="alert_says_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(("recovered_at__gte", models.F("first_seen_at"))),
                name="alert_recovers_after_it_began",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(condition=models.Q(("count__gt", 0)), name="alert_count_positive"),
        ),
        migrations.AddIndex(
            model_name="alertdelivery",
            index=models.Index(fields=["state", "next_try_at"], name="alertdelivery_due"),
        ),
        migrations.AddConstraint(
            model_name="alertdelivery",
            constraint=models.UniqueConstraint(fields=("alert", "is_recovery", "channel"), name="alertdelivery_once"),
        ),
        migrations.AddConstraint(
            model_name="alertdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("sent_at__isnull", False), ("state", "sent")),
                    models.Q(models.Q(("state", "sent"), _negated=True), ("sent_at", None)),
                    _connector="OR",
                ),
                name="alertdelivery_sent_has_its_time",
            ),
        ),
    ]
