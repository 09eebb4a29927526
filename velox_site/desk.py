"""VELOX for a plain script: ``from velox_site.desk import DataManager``, from any folder.

Sets Django up by itself and hands on the facade. Inside Django import it from ``trading.data_manager``.

The process stays the caller's, but for one thing: its time zone becomes the desk's (``VELOX_TIME_ZONE``; ``TZ`` and
``time.tzset()``), so that a naive ``datetime.now()`` is desk time on any host, which is how naive times are read. The
root logger, its handlers and its level are left as they are; VELOX writes its own logs to the data folder.
"""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")

import django
from django.apps import apps
from django.conf import settings

from velox_site import logs

if not apps.ready:
    # Not by Django's own set-up: it closes the handlers that are there, a bot's log file among them.
    settings.LOGGING_CONFIG = None
    logs.configure({**settings.LOGGING, "root": False})
    django.setup()

from trading.data_manager import DataManager
from trading.domain.amounts import money_text

__all__ = ["DataManager", "money_text"]
