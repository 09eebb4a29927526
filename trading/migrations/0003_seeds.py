"""Seed what a desk needs from the first minute: accounts with capital, groups, the indices that nobody can trade."""

from datetime import UTC, date, datetime
from decimal import Decimal

from django.apps import apps as installed
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations

INDICES = (
    "NIFTY 50",
    "NIFTY NEXT 50",
    "NIFTY 100",
    "NIFTY 200",
    "NIFTY 500",
    "NIFTY BANK",
    "NIFTY AUTO",
    "NIFTY FIN SERVICE",
    "NIFTY FINSRV25 50",
    "NIFTY FMCG",
    "NIFTY IT",
    "NIFTY MEDIA",
    "NIFTY METAL",
    "NIFTY PHARMA",
    "NIFTY PSU BANK",
    "NIFTY PVT BANK",
    "NIFTY REALTY",
    "NIFTY HEALTHCARE",
    "NIFTY CONSR DURBL",
    "NIFTY OIL AND GAS",
    "NIFTY COMMODITIES",
    "NIFTY CONSUMPTION",
    "NIFTY CPSE",
    "NIFTY ENERGY",
    "NIFTY INFRA",
    "NIFTY MNC",
    "NIFTY PSE",
    "NIFTY SERV SECTOR",
    "NIFTY MIDCAP 50",
    "NIFTY MIDCAP 100",
    "NIFTY MIDCAP 150",
    "NIFTY MID SELECT",
    "NIFTY SMLCAP 50",
    "NIFTY SMLCAP 100",
    "NIFTY SMLCAP 250",
    "NIFTY TOTAL MKT",
    "INDIA VIX",
)
CAPITAL_DAY = date(2000, 1, 1)  # so that it holds for every day

REVIEWER = ("change_review", "add_review", "view_review")
OPERATOR = (
    *REVIEWER,
    "change_strategy",
    "change_instrument",
    "add_instrument",
    "add_exchangesession",
    "change_exchangesession",
    "delete_exchangesession",
)


def seed(apps, schema_editor):
    _accounts(apps)
    _indices(apps)
    _groups(apps)


def _accounts(apps):
    model = {name: apps.get_model("trading", name) for name in ("Account", "CapitalFlow", "JournalHead")}
    for code, book in (("main", "demo" if settings.IS_DEMO else "live"), ("replay", "replay")):
        account, made = model["Account"].objects.get_or_create(
            code=code, defaults={"book": book, "currency": settings.VELOX_CURRENCY, "zone": settings.TIME_ZONE}
        )
        model["JournalHead"].objects.get_or_create(account=account)
        if made and settings.VELOX_CAPITAL:
            model["CapitalFlow"].objects.create(
                account=account,
                day=CAPITAL_DAY,
                amount=settings.VELOX_CAPITAL,
                note="Starting capital",
                recorded_at=datetime.now(UTC),
            )


def _indices(apps):
    exchange_model, instrument = apps.get_model("trading", "Exchange"), apps.get_model("trading", "Instrument")
    exchange_model.objects.get_or_create(code=settings.VELOX_EXCHANGE, defaults={"zone": settings.TIME_ZONE})
    exchange, _ = exchange_model.objects.get_or_create(code="NSE", defaults={"zone": "Asia/Kolkata"})
    for symbol in INDICES:
        instrument.objects.get_or_create(
            exchange=exchange,
            symbol=symbol,
            defaults={"kind": "INDEX", "currency": "INR", "price_tick": Decimal("0.05"), "reviewed": True},
        )


def _groups(apps):
    # Permissions come after all migrations by default, groups need them now.
    create_permissions(installed.get_app_config("trading"), apps=apps, verbosity=0)
    group, permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    of_trading = permission.objects.filter(content_type__app_label="trading")
    views = of_trading.filter(codename__startswith="view_")
    for name, codenames in (("viewer", ()), ("reviewer", REVIEWER), ("operator", OPERATOR)):
        made, _ = group.objects.get_or_create(name=name)
        made.permissions.set([*views, *of_trading.filter(codename__in=codenames)])


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0002_exchange_sessions"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
