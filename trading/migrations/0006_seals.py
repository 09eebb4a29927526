"""Room for the seals of the reference rows, and for the ledger's identity."""

from django.db import migrations, models

import trading.models.append_only


class Migration(migrations.Migration):
    dependencies = [("trading", "0005_excursions")]

    operations = [
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sequence", models.BigIntegerField(unique=True)),
                ("table", models.CharField(db_column="table_name", max_length=64)),
                ("body", models.TextField()),
                ("mac", models.CharField(max_length=64)),
                ("previous_mac", models.CharField(max_length=64, unique=True)),
                ("recorded_at", models.DateTimeField()),
            ],
            options={"ordering": ("sequence",)},
        ),
        migrations.AlterModelManagers(name="user", managers=[]),
        migrations.AddField(model_name="journalhead", name="ledger", field=models.CharField(default="", max_length=32)),
        trading.models.append_only.Guard(),
    ]
