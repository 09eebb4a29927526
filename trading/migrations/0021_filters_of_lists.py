"""Room for filters of more lists than that of trades: those of the admin."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0020_saved_filters")]

    operations = [
        migrations.RemoveConstraint("SavedFilter", "saved_filter_name_once"),
        migrations.AddField("SavedFilter", "page", models.CharField(default="trades", max_length=60)),
        migrations.AddConstraint(
            "SavedFilter",
            models.UniqueConstraint(fields=("user", "page", "name"), name="saved_filter_name_once"),
        ),
    ]
