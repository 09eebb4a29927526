"""A quick way to the fills of a fraction, whose values may be rounded: the index holds no other."""

from django.db import migrations, models

import trading.models.fields


class Migration(migrations.Migration):
    dependencies = [("trading", "0031_ends_of_spans")]

    operations = [
        migrations.AddIndex(
            "fill",
            models.Index(
                condition=models.Q(trading.models.fields.IsNotWhole("quantity")),
                fields=["trade"],
                name="fill_of_a_fraction",
            ),
        ),
    ]
