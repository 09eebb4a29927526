"""Models of signals that were trained: their cards, and the file of one that was kept."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

from django.conf import settings

from lab.domain.model_card import ModelCard
from lab.models import SignalModel
from trading.bookkeeping.kept_files import KeptFolder
from trading.domain.chain import chain_code
from trading.errors import InvalidValue, VeloxError
from trading.picture_files import PictureFile

FOLDER, SUFFIX = "models", ".skops"


class ModelDamaged(VeloxError):
    """A model whose row or file is not what was written: it is used by nobody."""

    code = "model_damaged"


def model_path(file_digest: str) -> Path:
    """Return where the file of this digest is kept."""
    return Path(settings.DATA_DIR) / FOLDER / f"{file_digest}{SUFFIX}"


def kept_models() -> KeptFolder:
    """Return the files that rows of models name, for backups."""
    digests = SignalModel.objects.exclude(file_digest="").values_list("file_digest", flat=True).distinct()
    return KeptFolder(FOLDER, [PictureFile(f"{digest}{SUFFIX}", digest) for digest in digests])


def models_of(account: str, strategy: str | None = None) -> list[SignalModel]:
    """Return every training of an account, or of one of its strategies, the newest first. Raises: ModelDamaged."""
    rows = SignalModel.objects.filter(account=account).order_by("-pk")
    rows = rows if strategy is None else rows.filter(strategy=strategy)
    return [genuine(row) for row in rows]


def model_named(account: str, name: str) -> SignalModel:
    """Return the newest training of a strategy, or the one whose digest begins so.

    Raises: InvalidValue where there is none; ModelDamaged.
    """
    rows = SignalModel.objects.filter(account=account)
    row = rows.filter(strategy=name).last()
    if row is None and len(name) >= 8:
        row = rows.filter(training__startswith=name).last()
    if row is None:
        raise InvalidValue(
            f"Account {account} has no model of {name}.",
            field="strategy",
            hint=f"Train one: manage.py signal_model train {name}.",
        )
    return genuine(row)


def earlier_trainings(account: str, strategy: str, first: date, last: date) -> set[str]:
    """Return the digests of all trainings of a strategy on any of these days."""
    rows = SignalModel.objects.filter(account=account, strategy=strategy, first_day__lte=last, last_day__gte=first)
    return set(rows.values_list("training", flat=True))


def genuine(row: SignalModel) -> SignalModel:
    """Return a row that the ledger's key has signed. Raises: ModelDamaged for any other."""
    code = chain_code(str(settings.JOURNAL_KEY), f"{row.training} {row.file_digest}", row.body)
    card = json.loads(row.body)
    if row.mac != code or (row.account, row.strategy) != (card["account"], card["strategy"]):
        raise ModelDamaged(
            f"The card of model {row.training[:16]} is not what was written.", hint="Run manage.py verify_ledger."
        )
    return row


def card_of(row: SignalModel) -> ModelCard:
    """Return the card of a row. Raises: ModelDamaged."""
    card: ModelCard = json.loads(genuine(row).body)
    return card


def file_content(row: SignalModel) -> bytes:
    """Return the file of a kept model, once it is seen to be the one that was written. Raises: ModelDamaged."""
    path = model_path(row.file_digest)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelDamaged(f"{path} cannot be read: {error.strerror}.", hint="Train the model again.") from error
    if hashlib.sha256(content).hexdigest() != row.file_digest:
        raise ModelDamaged(f"{path} is not the file that was kept.", hint="Train the model again.")
    return content
