"""The state of broker, worker and beat; without a broker they are off."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.module_loading import import_string

from timeseries import presence
from trading.health import faults
from trading.health.faults import Fault
from trading.health.state import OFF, OK, State


def broker() -> State:
    """Return the broker's state, asking it for a second at most."""
    if not settings.CELERY_BROKER_URL:
        return State(OFF, "", "The companion ships by itself.")
    url = settings.CELERY_BROKER_URL
    try:
        import_string("timeseries.worker.broker_client.ask")(url)
    except Exception as error:  # each transport raises errors of its own
        detail = f"The broker does not answer: {type(error).__name__}. The companion ships by itself."
        return faults.BROKER_UNREACHABLE.state(detail)
    return State(OK, "", f"{urlsplit(url).scheme} answers.")


def worker() -> State:
    """Return the state of the workers, by when one was last there."""
    task_age = presence.seconds_since(settings.DATA_DIR, presence.TASK)
    if (
        settings.CELERY_BROKER_URL
        and task_age is not None
        and task_age > faults.TASK_SECONDS
        and all(presence.is_there(settings.DATA_DIR, name) for name in ("worker", "beat"))
    ):
        return faults.WORKER_STUCK.state(f"Its last task ended {task_age:.0f} s ago. The companion ships by itself.")
    state = _present(faults.NO_WORKER, "The companion ships by itself.", "No work is handed to a worker.")
    if state.status == OK and task_age is not None:
        return replace(state, detail=f"{state.detail} Its last task ended {task_age:.0f} s ago.")
    return state


def beat() -> State:
    """Return the state of the scheduler, by when it was last there."""
    meanwhile = "Nothing sweeps on a schedule; rings are followed as before."
    return _present(faults.NO_BEAT, meanwhile, "No work is scheduled by a broker.")


def _present(absent: Fault, meanwhile: str, unused: str) -> State:
    if not settings.CELERY_BROKER_URL:
        return State(OFF, "", unused)
    name = absent.part
    age = presence.seconds_since(settings.DATA_DIR, name)
    if age is not None and age <= presence.ABSENT_SECONDS:
        return State(OK, "", f"The {name} was there {age:.0f} s ago.")
    absence = "was never there" if age is None else f"was last there {age:.0f} s ago"
    return absent.state(f"The {name} {absence}. {meanwhile}")
