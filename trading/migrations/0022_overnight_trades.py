"""An index of the trades that were held over a midnight UTC: a day's page asks for those that were carried into it."""

from django.db import migrations, models
from django.db.models.lookups import GreaterThan

from trading.models.fields import DateUTC


class Migration(migrations.Migration):
    dependencies = [("trading", "0021_filters_of_lists")]

    operations = [
        migrations.AddIndex(
            "Trade",
            models.Index(
                name="trade_overnight",
                fields=["account", "closed_at"],
                condition=models.Q(GreaterThan(DateUTC("closed_at"), DateUTC("opened_at"))),
            ),
        ),
    ]
