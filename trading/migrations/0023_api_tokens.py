"""Room for the tokens with which programs use an account over HTTP."""

import django.db.models.deletion
from django.db import migrations, models

import trading.models.append_only


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0022_overnight_trades"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60, unique=True)),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("scopes", models.CharField(max_length=40)),
                ("networks", models.CharField(blank=True, max_length=1000)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("author", models.CharField(max_length=150)),
                ("made_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="api_tokens", to="trading.account"
                    ),
                ),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="TokenRevocation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("author", models.CharField(max_length=150)),
                ("revoked_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="trading.account"
                    ),
                ),
                (
                    "token",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="revocation", to="trading.apitoken"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="apitoken",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="api_token_has_a_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="apitoken",
            constraint=models.CheckConstraint(
                condition=models.Q(("scopes", ""), _negated=True), name="api_token_has_a_scope"
            ),
        ),
        migrations.AddConstraint(
            model_name="apitoken",
            constraint=models.CheckConstraint(
                condition=models.Q(("author", ""), _negated=True), name="api_token_has_an_author"
            ),
        ),
        migrations.AddConstraint(
            model_name="tokenrevocation",
            constraint=models.CheckConstraint(
                condition=models.Q(("author", ""), _negated=True), name="token_revocation_has_an_author"
            ),
        ),
        trading.models.append_only.Guard(),
    ]
