"""Refuse TRUNCATE on PostgreSQL, which asks no trigger of a row: all triggers are made anew."""

from django.db import migrations

import trading.models.append_only


class Migration(migrations.Migration):
    dependencies = [("trading", "0009_venues")]
    operations = [trading.models.append_only.Guard()]
