"""System checks of the telemetry, which name a misconfiguration at the start with its cure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from timeseries.errors import StoreMisconfigured
from timeseries.wiring import open_store


@register()
def folders_can_be_written(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report, as timeseries.E001, that the spool or the tables cannot be written."""
    errors: list[CheckMessage] = []
    for folder in (settings.SPOOL_DIR, settings.DELTA_DIR):
        if folder.is_symlink():
            fault = "it is a symbolic link"
        elif folder.exists() and not folder.is_dir():
            fault = "it is not a folder"
        elif folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            fault = "it cannot be written"
        else:
            continue
        message = f"{folder} cannot be used for telemetry: {fault}."
        hint = "Correct VELOX_DATA_DIR, or the folder's owner and rights."
        errors.append(Error(message, hint=hint, id="timeseries.E001"))
    return errors


@register()
def influxdb_is_named_in_full(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report, as timeseries.E002, that InfluxDB is on without an organisation, a bucket or a token."""
    try:
        open_store()
    except StoreMisconfigured as error:
        return [Error(error.message, hint=error.hint, id="timeseries.E002")]
    return []
