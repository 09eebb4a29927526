"""Room for the ends of screenshots that were taken back."""

import django.db.models.deletion
from django.db import migrations, models

import trading.models.append_only


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0024_alerts"),
    ]

    operations = [
        migrations.CreateModel(
            name="ScreenshotWithdrawal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("author", models.CharField(max_length=150)),
                ("reason", models.CharField(max_length=200)),
                ("withdrawn_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="trading.account"
                    ),
                ),
                (
                    "screenshot",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="withdrawal", to="trading.screenshot"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("author", ""), _negated=True), name="screenshot_withdrawal_has_an_author"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="screenshot_withdrawal_has_a_reason"
                    ),
                ],
            },
        ),
        trading.models.append_only.Guard(),
    ]
