"""Room for the notes that people write about trading days."""

import django.db.models.deletion
from django.db import migrations, models

import trading.models.append_only


class Migration(migrations.Migration):
    dependencies = [("trading", "0016_breaks")]

    operations = [
        migrations.CreateModel(
            name="DayNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("version", models.PositiveIntegerField()),
                ("text", models.TextField(blank=True)),
                ("author", models.CharField(max_length=150)),
                ("written_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="day_notes", to="trading.account"
                    ),
                ),
            ],
            options={
                "ordering": ("-day", "-version"),
                "constraints": [
                    models.UniqueConstraint(fields=("account", "day", "version"), name="day_note_version_once"),
                    models.CheckConstraint(
                        condition=models.Q(("author", ""), _negated=True), name="day_note_has_an_author"
                    ),
                    models.CheckConstraint(condition=models.Q(("version__gt", 0)), name="day_note_version_positive"),
                ],
            },
        ),
        trading.models.append_only.Guard(),
    ]
