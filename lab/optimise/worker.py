"""What a process of another engine starts with: nothing of VELOX is imported before Django is set up."""

from __future__ import annotations

import os

import django
from django.apps import apps
from django.utils.module_loading import import_string

from trading.errors import VeloxError


class WorkerLost(VeloxError):
    """A process that worked on days ended without an answer: killed, or out of memory."""

    code = "worker_lost"

    def __init__(self) -> None:
        super().__init__(
            "A worker ended without an answer: it was killed, or memory ran out.",
            hint="What was recorded stands: start it again, with fewer --jobs where memory is short.",
        )


class EngineUnavailable(VeloxError):
    """Workers of another engine that could not be started, or a cluster that does not answer."""

    code = "engine_unavailable"

    def __init__(self, engine: str, fault: BaseException) -> None:
        super().__init__(
            f"{engine} does not answer: {fault}",
            hint="Start it again once the machine is less busy, look at --cluster, or leave --engine out.",
        )


def work(task: str) -> str:
    """Return the answer to a task, in whatever process this is."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")
    if not apps.ready:
        django.setup()
    answer: str = import_string("lab.optimise.day_work.answer")(task)
    return answer
