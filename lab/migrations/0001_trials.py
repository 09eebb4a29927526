"""Room for the trials of the lab, guarded like the facts of the ledger."""

from django.db import migrations, models

from trading.models.append_only import create_statements


def guard(_apps, schema_editor):
    for statement in create_statements(schema_editor.connection.vendor, ["lab_trial"]):
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Trial",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sequence", models.BigIntegerField(unique=True)),
                ("key", models.CharField(max_length=64, unique=True)),
                ("strategy", models.CharField(max_length=64)),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[("finished", "Finished"), ("failed", "Failed"), ("pruned", "Pruned")], max_length=8
                    ),
                ),
                ("body", models.TextField()),
                ("mac", models.CharField(max_length=64)),
                ("previous_mac", models.CharField(max_length=64, unique=True)),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("sequence",),
                "indexes": [models.Index(fields=["strategy", "first_day", "last_day"], name="trial_by_days")],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("sequence__gt", 0)), name="trial_sequence_positive"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ("failed", "finished", "pruned"))), name="trial_state"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("last_day__gte", models.F("first_day"))), name="trial_days_in_order"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("strategy", ""), _negated=True), name="trial_has_a_strategy"
                    ),
                ],
            },
        ),
        migrations.RunPython(guard, migrations.RunPython.noop),
    ]
