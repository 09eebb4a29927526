from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations


def let_operators_see(apps, schema_editor):
    """Let operators see tokens, which they alone make and revoke."""
    create_permissions(installed.get_app_config("trading"), apps=apps, verbosity=0)
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    view = permission.objects.get(content_type__app_label="trading", codename="view_apitoken")
    group.objects.get_or_create(name="operator")[0].permissions.add(view)


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0026_limits"),
    ]

    operations = [
        migrations.RunPython(let_operators_see, migrations.RunPython.noop),
    ]
