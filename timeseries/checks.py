"""System checks of the time series: misconfiguration is said at the start, with what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from timeseries.errors import StoreMisconfigured
from timeseries.wiring import open_store


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
def influxdb_is_named_in_full(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """timeseries.E002: InfluxDB is switched on, but not where to write and as whom."""
    try:
        open_store()
    except StoreMisconfigured as error:
        return [Error(error.message, hint=error.hint, id="timeseries.E002")]
    return []


def _faults(folder: Path) -> Iterator[str]:
    if folder.is_symlink():
        yield "it is a symbolic link"
    elif folder.exists() and not folder.is_dir():
        yield "it is not a folder"
    elif folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield "it cannot be written"
