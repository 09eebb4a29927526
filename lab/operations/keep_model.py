"""Keeping a model of signals: its file under its own digest, and its card as a row."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime

from django.conf import settings

from lab.models import SignalModel
from lab.queries.signal_models import model_path
from timeseries.spool import durable
from trading.domain.chain import chain_code
from trading.errors import VeloxError
from trading.transactions import writing


class ModelNotKept(VeloxError):
    """A model whose file cannot be written."""

    code = "model_not_kept"


def keep_model(
    content: bytes | None,
    *,
    training: str,
    account: str,
    strategy: str,
    days: tuple[date, date],
    card: str,
    now: datetime | None = None,
) -> SignalModel:
    """Write a model's file (0600; None: there was no skill, and none is kept) and then its row, and return the row.

    The same training with the same file adds none. Raises: ModelNotKept, LedgerBusy, LedgerNotReady, LedgerReadOnly.
    """
    file_digest = "" if content is None else hashlib.sha256(content).hexdigest()
    if content is not None:
        path = model_path(file_digest)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.replace_file(path, content)
        except OSError as error:
            raise ModelNotKept(f"{path} cannot be written: {error.strerror}.", hint="Make room, or mend it.") from error
    mac = chain_code(str(settings.JOURNAL_KEY), f"{training} {file_digest}", card)
    with writing():
        row, _ = SignalModel.objects.get_or_create(
            training=training,
            file_digest=file_digest,
            defaults={
                "account": account,
                "strategy": strategy,
                "first_day": days[0],
                "last_day": days[1],
                "body": card,
                "mac": mac,
                "recorded_at": now or datetime.now(UTC),
            },
        )
    return row
