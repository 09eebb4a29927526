"""The page of an error, where DEBUG is on, tells no address of a channel, of a server, and no secret."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.test import RequestFactory
from django.views.debug import technical_500_response

SECRET = "sEcReTpath99"
ADDRESS = f"https://hooks.example.org/{SECRET}"


@pytest.mark.parametrize("name", ["VELOX_ALERT_URLS", "VELOX_DEADMAN_URL", "DATABASE_URL", "CACHE_URL"])
def test_settings_that_are_addresses_are_masked(name: str, settings: Any) -> None:
    setattr(settings, name, [ADDRESS] if name.endswith("S") else ADDRESS)
    assert SECRET not in page() and name in page()


def test_variables_of_a_traceback_that_are_addresses_are_masked() -> None:
    shown = page(url=ADDRESS, symbol="TCS")
    assert SECRET not in shown and "TCS" in shown


def page(url: str = "", symbol: str = "") -> str:
    """Return the page for an error in a frame with these variables."""
    try:
        raise ValueError
    except ValueError:
        answer = technical_500_response(RequestFactory().get("/"), *sys.exc_info())
    return answer.content.decode()
