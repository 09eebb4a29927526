"""What Django's page of an error, shown where DEBUG is on, says of the settings and of a traceback's variables."""

from __future__ import annotations

import re
from collections.abc import ItemsView
from types import FrameType

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

# Beside Django's own words: addresses of databases, caches, brokers and channels have passwords and tokens in them.
ADDRESS = re.compile("url|address|location|recipient|channel", re.IGNORECASE)


class MaskedErrors(SafeExceptionReporterFilter):
    """Django's filter, which leaves out addresses as well, also of a traceback's variables."""

    hidden_settings = re.compile(f"{SafeExceptionReporterFilter.hidden_settings.pattern}|{ADDRESS.pattern}", re.I)

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> ItemsView[str, str]:
        """Return the variables of a frame, those masked whose name says that they are an address or a secret."""
        variables = super().get_traceback_frame_variables(request, tb_frame)
        return {name: self.cleanse_setting(name, content) for name, content in variables}.items()
