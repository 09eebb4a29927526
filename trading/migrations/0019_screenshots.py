"""Room for the screenshots that people keep with their review of a trade."""

import django.db.models.deletion
from django.db import migrations, models

import trading.models.append_only


class Migration(migrations.Migration):
    dependencies = [("trading", "0018_charge_brokers")]

    operations = [
        migrations.CreateModel(
            name="Screenshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=64, unique=True)),
                (
                    "format",
                    models.CharField(choices=[("PNG", "PNG"), ("JPEG", "JPEG"), ("WEBP", "WebP")], max_length=4),
                ),
                ("width", models.PositiveIntegerField()),
                ("height", models.PositiveIntegerField()),
                ("size", models.PositiveIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("author", models.CharField(max_length=150)),
                ("recorded_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="screenshots", to="trading.account"
                    ),
                ),
                (
                    "trade",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="screenshots", to="trading.trade"
                    ),
                ),
            ],
            options={
                "ordering": ("trade", "pk"),
                "constraints": [
                    models.UniqueConstraint(fields=("trade", "sha256"), name="screenshot_once"),
                    models.CheckConstraint(
                        condition=models.Q(("format__in", ("PNG", "JPEG", "WEBP"))), name="screenshot_format"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("author", ""), _negated=True), name="screenshot_has_an_author"
                    ),
                ],
            },
        ),
        trading.models.append_only.Guard(),
    ]
