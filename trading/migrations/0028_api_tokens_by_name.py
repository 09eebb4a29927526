"""The admin says "API tokens"."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("trading", "0027_tokens_in_the_admin")]

    operations = [
        migrations.AlterModelOptions(name="apitoken", options={"ordering": ("name",), "verbose_name": "API token"})
    ]
