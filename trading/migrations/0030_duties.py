"""Room for duties: which host does what the desk does by period."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0029_alerts_by_what_is_asked"),
    ]

    operations = [
        migrations.CreateModel(
            name="DutyRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=32, unique=True)),
                ("term", models.BigIntegerField(default=0)),
                ("beats", models.BigIntegerField(default=0)),
                ("word", models.CharField(blank=True, max_length=32)),
                ("place", models.CharField(blank=True, max_length=100)),
                ("holder", models.CharField(blank=True, max_length=200)),
                ("beaten_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ("name",),
            },
        ),
    ]
