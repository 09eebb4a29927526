"""Let the first and the last day of a strategy, a symbol or an account be the first row of an index.

The new indexes begin with what four indexes of one column were of, and take their place: no row is written to more
indexes than before. The old ones are dropped by name, since SQLite would copy both tables to alter the fields.
"""

import django.db.models.deletion
from django.db import migrations, models

UNINDEXED = (
    ("trade", "account", "trades", "trading_trade_account_id_8b02a6ba"),
    ("trade", "instrument", "trades", "trading_trade_instrument_id_2a8c4e04"),
    ("realisation", "strategy", "+", "trading_realisation_strategy_id_e3c28c3b"),
    ("realisation", "instrument", "+", "trading_realisation_instrument_id_55e0aa0d"),
)
ADDED = (
    ("trade", "trade_by_day", ["account", "trading_day"]),
    ("trade", "trade_by_instrument", ["instrument", "trading_day", "account"]),
    ("realisation", "realisation_by_strategy", ["strategy", "account", "day"]),
    ("realisation", "realisation_by_instrument", ["instrument", "account", "day"]),
)


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0030_duties"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f'DROP INDEX IF EXISTS "{index}"',
                    f'CREATE INDEX "{index}" ON "trading_{model}" ("{field}_id")',
                )
                for model, field, _, index in UNINDEXED
            ],
            state_operations=[
                migrations.AlterField(
                    model_name=model,
                    name=field,
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name=related,
                        to=f"trading.{field}",
                    ),
                )
                for model, field, related, _ in UNINDEXED
            ],
        ),
        *(
            migrations.AddIndex(model_name=model, index=models.Index(fields=fields, name=name))
            for model, name, fields in ADDED
        ),
    ]
