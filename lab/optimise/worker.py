"""What a process of another engine starts with: nothing of VELOX is imported before Django is set up."""

from __future__ import annotations

import os

import django
from django.apps import apps
from django.utils.module_loading import import_string


def work(task: str) -> str:
    """Return the answer to a task, in whatever process this is."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")
    if not apps.ready:
        django.setup()
    answer: str = import_string("lab.optimise.day_work.answer")(task)
    return answer
