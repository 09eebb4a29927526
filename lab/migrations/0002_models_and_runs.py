"""Room for what was learned and told, guarded like the facts of the ledger."""

from django.db import migrations, models

from trading.models.append_only import create_statements


def guard(_apps, schema_editor):
    for statement in create_statements(schema_editor.connection.vendor, ["lab_signalmodel", "lab_keptrun"]):
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [
        ("lab", "0001_trials"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeptRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=16)),
                ("run", models.CharField(max_length=64)),
                ("account", models.CharField(max_length=64)),
                ("strategy", models.CharField(max_length=64)),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                ("body", models.TextField()),
                ("digest", models.CharField(max_length=64)),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("-pk",),
                "indexes": [models.Index(fields=["account", "kind", "run"], name="lab_run_by_account")],
                "constraints": [models.UniqueConstraint(fields=("digest",), name="lab_run_once")],
            },
        ),
        migrations.CreateModel(
            name="SignalModel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("training", models.CharField(max_length=64)),
                ("file_digest", models.CharField(blank=True, max_length=64)),
                ("account", models.CharField(max_length=64)),
                ("strategy", models.CharField(max_length=64)),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                ("body", models.TextField()),
                ("mac", models.CharField(max_length=64)),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("pk",),
                "indexes": [models.Index(fields=["account", "strategy"], name="signal_model_by_strategy")],
                "constraints": [
                    models.UniqueConstraint(fields=("training", "file_digest"), name="signal_model_once"),
                    models.CheckConstraint(
                        condition=models.Q(("last_day__gte", models.F("first_day"))), name="signal_model_days_in_order"
                    ),
                ],
            },
        ),
        migrations.RunPython(guard, migrations.RunPython.noop),
    ]
