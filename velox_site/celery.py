"""The Celery app: JSON only, nothing that a message could run."""

import os

from celery import Celery
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")

app = Celery("velox")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(accept_content=["json"], task_serializer="json", result_serializer="json", task_ignore_result=True)
app.autodiscover_tasks()
app.conf.worker_hijack_root_logger = False  # what a worker logs takes our way, too
app.steps["worker"].add(DjangoStructLogInitStep)  # binds the task's id, and the ids of who asked for it
