"""VELOX for a plain script: ``from velox_site.desk import DataManager``, from any folder.

Sets Django up by itself and hands on the facade. Inside Django import it from ``trading.data_manager``.
"""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "velox_site.settings")

import django
from django.apps import apps

if not apps.ready:
    django.setup()

from trading.data_manager import DataManager
from trading.domain.amounts import money_text

__all__ = ["DataManager", "money_text"]
