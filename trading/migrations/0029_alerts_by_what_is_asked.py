"""Let what is asked of alerts every second be found by an index, however many there are."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0028_api_tokens_by_name"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(
                    ("queued_at", None),
                    models.Q(("recovered_at__isnull", False), ("recovery_queued_at", None)),
                    _connector="OR",
                ),
                fields=["id"],
                name="alert_unqueued",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(condition=models.Q(("recovered_at", None)), fields=["kind"], name="alert_lasting"),
        ),
        migrations.AddIndex(
            model_name="alertdelivery",
            index=models.Index(
                condition=models.Q(("state", "sent")), fields=["channel", "sent_at"], name="alertdelivery_sent"
            ),
        ),
    ]
