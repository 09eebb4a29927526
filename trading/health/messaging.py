"""How broker, worker and beat are: each answers with status, code, detail and cure as the health report words them."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.utils.module_loading import import_string

from timeseries import presence

Word = tuple[str, str, str, str]


def broker() -> Word:
    """Ask the broker, for a second at most; without it the companion ships."""
    url = settings.CELERY_BROKER_URL
    try:
        import_string("timeseries.worker.broker_client.ask")(url)
    except Exception as error:  # each transport raises errors of its own
        detail = f"The broker does not answer: {type(error).__name__}. The companion ships by itself."
        return "degraded", "broker_unreachable", detail, "Start the broker or mend CELERY_BROKER_URL."
    return "ok", "", f"{urlsplit(url).scheme} answers.", ""


def worker() -> Word:
    return _there("worker", "The companion ships by itself.")


def beat() -> Word:
    return _there("beat", "Nothing sweeps on a schedule; rings are followed as before.")


def _there(name: str, meanwhile: str) -> Word:
    age = presence.seconds_since(settings.DATA_DIR, name)
    if age is not None and age <= presence.ABSENT_SECONDS:
        return "ok", "", f"The {name} was there {age:.0f} s ago.", ""
    said = "was never there" if age is None else f"was last there {age:.0f} s ago"
    return "degraded", f"no_{name}", f"The {name} {said}. {meanwhile}", f"Run `celery -A velox_site {name}`."
