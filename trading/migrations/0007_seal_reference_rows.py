"""Give the ledger an identity, and seal the reference rows that it has."""

from django.db import migrations

import trading.models.sealing


class Migration(migrations.Migration):
    dependencies = [("trading", "0006_seals")]
    operations = [trading.models.sealing.SealAll()]
