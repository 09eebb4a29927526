"""Kept models are in every backup, and come back with it."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command

from lab.models import SignalModel
from lab.operations.keep_model import keep_model
from lab.queries.signal_models import file_content, model_path
from trading.operations.back_up import back_up
from trading.operations.restore import restore

pytestmark = [pytest.mark.usefixtures("ledger"), pytest.mark.ledger]
CARD = json.dumps({"account": "main", "strategy": "edgy"})


def kept(content: bytes | None) -> SignalModel:
    day = date(2024, 3, 4)
    training = "ab" * 32 if content else "cd" * 32
    return keep_model(content, training=training, account="main", strategy="edgy", days=(day, day), card=CARD)


def test_a_model_is_beside_every_backup_and_comes_back_with_it() -> None:
    row = kept(b"what was learned")
    kept(None)  # no skill: no file
    backup = back_up()
    path, copy = model_path(row.file_digest), backup.parent / "models" / model_path(row.file_digest).name
    assert copy.read_bytes() == b"what was learned" and copy.stat().st_mode & 0o777 == 0o600
    assert len(list(copy.parent.iterdir())) == 1
    for damage in (path.unlink, lambda: path.write_bytes(b"torn")):
        damage()
        assert restore(backup, force=True).files_lost == []
        assert file_content(SignalModel.objects.get(pk=row.pk)) == b"what was learned"


def test_a_model_that_neither_has_is_named_and_the_ledger_is_restored_all_the_same(caplog: Any) -> None:
    row = kept(b"what was learned")
    name = model_path(row.file_digest).name
    model_path(row.file_digest).unlink()
    backup = back_up()
    assert not (Path(settings.DATA_DIR) / "backups" / "models" / name).exists()
    out = io.StringIO()
    call_command("restore", str(backup), "--force", "--format", "json", stdout=out)
    assert json.loads(out.getvalue())["files_lost"] == [name]
    assert SignalModel.objects.count() == 1
