"""Every address of the desk, walked from its URLs: what tests over all pages, lists and files ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver

from tests import page_desk

PART = re.compile(r"<(?:(\w+):)?(\w+)>")
CATCH_ALL = {"^(?P<app_label>trading|auth)/$": "<app_label>/", "(?P<url>.*)$": "<path:url>"}  # of Django's admin


class Route(NamedTuple):
    """One address as the URLs write it, such as `/trades/<int:pk>/`, and the view behind it."""

    pattern: str
    view: Callable[..., Any]

    @property
    def parts(self) -> list[str]:
        """What is filled in: `int:pk`, `path:object_id`."""
        return [f"{kind or 'str'}:{name}" for kind, name in PART.findall(self.pattern)]

    def address(self, fill: Callable[[str, str], str]) -> str:
        """Return an address of it; ``fill`` gives a part by its kind and name."""
        return PART.sub(lambda part: fill(part[1] or "str", part[2]), self.pattern)


def routes() -> list[Route]:
    """Return every route, in the order of the URLs."""
    return list(_walk(get_resolver().url_patterns, "/"))


def _walk(patterns: Sequence[Any], prefix: str) -> Iterator[Route]:
    for pattern in patterns:
        text = prefix + CATCH_ALL.get(str(pattern.pattern), str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, text)
        elif isinstance(pattern, URLPattern):
            yield Route(text, pattern.callback)


SAMPLES = {"day": "2024-03-15", "name": "velox/velox.css", "app_label": "trading", "url": "nothing/"}


def sample(route: Route, keys: Mapping[str, str] = {}) -> str:
    """Return an address of a route that is there: of the first row of what it shows, where the ledger has one.

    ``keys`` are those of rows by the beginning of the route (`/symbols/`).
    """
    begins = next((key for start, key in keys.items() if route.pattern.startswith(start)), "1")
    return route.address(lambda _, name: SAMPLES.get(name, begins))


def first_keys() -> dict[str, str]:
    """Return the keys of first rows for `sample`: of every model in the admin, of strategies and symbols traded."""
    from trading.models import Trade

    traded = Trade.objects.filter(account__code="main").order_by("pk")
    keys = {
        "/strategies/": str(traded.values_list("strategy_id", flat=True)[0]),
        "/symbols/": str(traded.values_list("instrument_id", flat=True)[0]),
    }
    for label in ("trading", "auth"):
        for model in apps.get_app_config(label).get_models():
            row = model._default_manager.order_by("pk").first()
            if row is not None:
                keys[f"/admin/{label}/{model._meta.model_name}/"] = str(row.pk)
    return keys


def fill_desk() -> None:
    """Write a small ledger with something of what each page shows, and the users of `page_desk.member`."""
    for group in ("viewer", "reviewer", "operator", "asha"):
        page_desk.member(group)
    page_desk.trades(3)
    page_desk.open_trade()
    page_desk.skipped(1)
    page_desk.reviewed("T1")
    page_desk.screenshot("T1")
    page_desk.breaks()
    page_desk.alerts()
    page_desk.token()
    page_desk.lab()
