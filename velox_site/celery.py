"""The Celery app: JSON only, nothing that a message could run."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")

app = Celery("velox")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(accept_content=["json"], task_serializer="json", result_serializer="json", task_ignore_result=True)
app.autodiscover_tasks()
