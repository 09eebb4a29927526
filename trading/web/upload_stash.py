"""Files that a person has handed over and not confirmed yet: kept for an hour in the data folder, for that person.

A page without scripts cannot hold a file between looking at it and booking it. A password is never among what is kept.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from trading.errors import InvalidValue
from trading.operations.import_files import BrokerUpload

KEPT_SECONDS = 3600
FILES_MAX = 20
_ABOUT = "about.json"


@dataclass(frozen=True, slots=True)
class StashedFiles:
    """What waits under a ``token``: who may book it, into which account, and how."""

    token: str
    user: int
    account: str
    names: list[str]
    strategy: str
    zone: str

    @property
    def uploads(self) -> list[BrokerUpload]:
        """The files, read from the disk when they are asked for."""
        folder = _folder() / self.token
        return [
            BrokerUpload(name, partial(_content, folder / str(number), name)) for number, name in enumerate(self.names)
        ]


def stash(files: Iterable[UploadedFile[bytes]], *, user: int, account: str, strategy: str, zone: str) -> StashedFiles:
    """Keep uploaded files and return them; those of others that nobody confirmed within an hour are removed."""
    forget_old()
    listed = list(files)
    if not 0 < len(listed) <= FILES_MAX:
        raise InvalidValue(f"{len(listed)} files were given.", field="files", hint=f"Give 1 to {FILES_MAX}.")
    names = [Path(file.name or "file").name for file in listed]
    waiting = StashedFiles(uuid.uuid4().hex, user, account, names, strategy, zone)
    folder = _folder() / waiting.token
    folder.mkdir(mode=0o700, parents=True)
    for number, file in enumerate(listed):
        with open(folder / str(number), "wb") as kept:
            for chunk in file.chunks():
                kept.write(chunk)
    about = {name: cell for name, cell in asdict(waiting).items() if name != "token"}
    (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
    return waiting


def waiting_files(token: str, *, user: int) -> StashedFiles | None:
    """Return what waits under a token for this user, None where nothing does."""
    if len(token) != len(uuid.uuid4().hex) or not token.isalnum():
        return None
    forget_old()
    try:
        about = json.loads((_folder() / token / _ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    files = StashedFiles(token, **about)
    return files if files.user == user else None


def _content(path: Path, name: str) -> bytes:
    """Return a file's content. Raises: InvalidValue where it waits no longer."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidValue(f"{name} waits here no longer.", field="files", hint="Hand it over again.") from error


def forget(files: StashedFiles) -> None:
    """Remove files that were booked, or that nobody wants."""
    shutil.rmtree(_folder() / files.token, ignore_errors=True)


def forget_old() -> None:
    """Remove what nobody confirmed in time."""
    if not _folder().is_dir():
        return
    for folder in _folder().iterdir():
        try:
            is_old = time.time() - folder.stat().st_mtime > KEPT_SECONDS
        except OSError:
            continue
        if is_old:
            shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "uploads"
