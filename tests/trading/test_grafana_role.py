"""`manage.py grafana_role` where there are no roles to make."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command


def test_a_ledger_on_sqlite_says_what_grafana_can_read_of_it(ledger: Any, settings: Any) -> None:
    settings.VELOX_GRAFANA_PASSWORD = "p" * 32
    with pytest.raises(CommandError, match="Prometheus alone"):
        call_command("grafana_role")
