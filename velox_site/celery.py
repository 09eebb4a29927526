"""The Celery app: doorbells in JSON, nothing that a message could run, and nothing that a lost one could lose.

A worker and the beat run beside the desk on the same data folder:
``celery -A velox_site worker`` and ``celery -A velox_site beat``.
"""

from __future__ import annotations

import os
from typing import Any, Protocol

from celery import Celery
from celery.signals import beat_init, heartbeat_sent, setup_logging, task_postrun, task_revoked, worker_init
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django_structlog.celery.receivers import CeleryReceiver

from timeseries import presence
from timeseries.worker.broker import DOORBELLS, FOLLOW, QUEUE, SWEEP, transport_options

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")

SWEEP_SECONDS = 2.0

app = Celery("velox")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_transport_options=transport_options(settings.CELERY_BROKER_URL, seconds=10.0),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # a broker that is away for the night finds its worker waiting
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    task_ignore_result=True,
    task_default_queue=QUEUE,
    # A task killed at its limit repeats its slice at the next ring; the store takes a repeat as nothing new.
    task_soft_time_limit=300,
    task_time_limit=330,
    task_acks_late=False,  # the message is worth nothing: the sweep comes anyway
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=10.0,
    worker_redirect_stdouts=False,
    timezone=settings.TIME_ZONE,
    beat_scheduler="velox_site.beat:MarkingScheduler",
    beat_schedule={
        "sweep": {"task": SWEEP, "schedule": SWEEP_SECONDS, "options": {"expires": SWEEP_SECONDS}},
        "follow": {"task": FOLLOW, "schedule": SWEEP_SECONDS, "options": {"expires": SWEEP_SECONDS}},
    },
)
app.autodiscover_tasks()
_receiver = CeleryReceiver()  # binds the task's id, and the ids of who asked for it


class TaskRequest(Protocol):
    """A request of Celery's for a task, as far as it is looked at here."""

    task: str


@worker_init.connect
def log_tasks(**_: Any) -> None:
    """Log what becomes of tasks, but for a doorbell that came while the worker was busy and expired: that is normal."""
    _receiver.connect_worker_signals()
    task_revoked.disconnect(_receiver.receiver_task_revoked)
    task_revoked.connect(_log_revoked)


def _log_revoked(*, request: TaskRequest, expired: bool | None = None, **details: Any) -> None:
    if not (expired and request.task in DOORBELLS):
        _receiver.receiver_task_revoked(request, expired=expired, **details)


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Keep Celery from configuring logging: Django's set-up has done it."""


@heartbeat_sent.connect
def mark_the_worker(**_: Any) -> None:
    """Leave word in the data folder that a worker lives."""
    presence.mark(settings.DATA_DIR, "worker")


@task_postrun.connect
def mark_a_task(**_: Any) -> None:
    """Leave word in the data folder that a worker has ended a task: one that lives may be stuck nevertheless."""
    presence.mark(settings.DATA_DIR, presence.TASK)


@worker_init.connect
@beat_init.connect
def require_a_broker(**_: Any) -> None:
    """Raise ImproperlyConfigured where a worker or the beat starts without a broker."""
    if not settings.CELERY_BROKER_URL:
        raise ImproperlyConfigured("Set CELERY_BROKER_URL (redis://... or amqp://...); without it the companion ships.")
