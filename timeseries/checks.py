"""System checks of the time series: misconfiguration is said at the start, with what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register()
def folders_can_be_written(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """timeseries.E001: the spool or the tables could not be written."""
    return [
        Error(
            f"{folder} cannot be used for telemetry: {fault}.",
            hint="Correct VELOX_DATA_DIR, or the folder's owner and rights.",
            id="timeseries.E001",
        )
        for folder in (settings.SPOOL_DIR, settings.DELTA_DIR)
        for fault in _faults(folder)
    ]


@register()
def the_store_is_the_one_that_was_asked_for(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """timeseries.W001: a server is named that this version does not write to."""
    if not settings.INFLUXDB_V2_URL:
        return []
    return [
        Warning(
            "INFLUXDB_V2_URL is set, but this version keeps telemetry in Delta tables only.",
            hint="Unset INFLUXDB_V2_URL; every point is kept in the data folder's delta/.",
            id="timeseries.W001",
        )
    ]


def _faults(folder: Path) -> Iterator[str]:
    if folder.is_symlink():
        yield "it is a symbolic link"
    elif folder.exists() and not folder.is_dir():
        yield "it is not a folder"
    elif folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield "it cannot be written"
