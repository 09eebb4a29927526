"""Files that a person has handed over and not confirmed yet: kept for an hour in the data folder, for that person.

A page without scripts cannot hold a file between looking at it and booking it. What was seen in the files stays beside
them, and what was booked stays after them, so that a second click is answered as the first. A password is never among
what is kept.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypedDict

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from timeseries.spool.locks import FileLock
from trading.brokers.containers.limits import FILE_BYTES_MAX
from trading.errors import InvalidValue
from trading.operations.import_files import BrokerUpload
from trading.queries.import_report import FileBody

KEPT_SECONDS = 3600
FILES_MAX = 20
STASHES_MAX = 4  # of one person; one more takes the place of the oldest
_ABOUT, _SEEN, _LOCK = "about.json", "seen.json", "lock"


class StashReport(TypedDict):
    """What the last look at files showed, or what booking them did; ``needs_password``: for one or more of them."""

    heading: str
    reports: list[FileBody]
    totals: dict[str, int]
    needs_password: bool
    is_booked: bool


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
    """Keep uploaded files and return them; those that nobody confirmed within an hour are removed.

    Raises: InvalidValue for too many files, for one that no reader would open for its size, for a disk that is full.
    """
    forget_old()
    listed = list(files)
    if not 0 < len(listed) <= FILES_MAX:
        raise InvalidValue(f"{len(listed)} files were given.", field="files", hint=f"Give 1 to {FILES_MAX}.")
    names = [Path(file.name or "file").name for file in listed]
    for name, file in zip(names, listed, strict=True):
        if (file.size or 0) > FILE_BYTES_MAX:
            raise _too_large(name, FILE_BYTES_MAX)
    if sum(file.size or 0 for file in listed) > settings.REQUEST_BYTES_MAX:
        raise _too_large("What you handed over", settings.REQUEST_BYTES_MAX)
    _make_room(user)
    waiting = StashedFiles(uuid.uuid4().hex, user, account, names, strategy, zone)
    folder = _folder() / waiting.token
    try:
        folder.mkdir(mode=0o700, parents=True)
        for number, file in enumerate(listed):
            with open(folder / str(number), "wb") as kept:
                for chunk in file.chunks():
                    kept.write(chunk)
        about = {name: cell for name, cell in asdict(waiting).items() if name != "token"}
        (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
    except OSError as error:
        forget(waiting)
        raise InvalidValue(f"The files cannot be kept here: {error.strerror}.", field="files") from error
    return waiting


def _too_large(what: str, bytes_max: int) -> InvalidValue:
    return InvalidValue(
        f"{what} is larger than {bytes_max >> 20} MB.",
        field="files",
        hint="Nothing was kept. Ask the broker for shorter periods, or hand fewer files over at once.",
    )


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


@contextmanager
def alone(files: StashedFiles) -> Iterator[None]:
    """Let one request at a time work on files; another waits. Raises: InvalidValue where they are gone by then."""
    folder = _folder() / files.token
    try:
        lock = FileLock(folder / _LOCK)
    except OSError as error:
        raise gone() from error
    with lock:
        lock.take(patient=True)
        if not (folder / _ABOUT).is_file():
            raise gone()
        yield


def gone() -> InvalidValue:
    """Return the error of files that wait here no longer."""
    return InvalidValue("These files are gone.", field="token", hint="Hand them over again.")


def keep_seen(files: StashedFiles, seen: StashReport) -> None:
    """Keep what a look or a booking showed; files that are booked are removed."""
    folder = _folder() / files.token
    draft = folder / f"{_SEEN}.new"
    draft.write_text(json.dumps(seen), encoding="utf-8")
    draft.replace(folder / _SEEN)
    if seen["is_booked"]:
        for number in range(len(files.names)):
            (folder / str(number)).unlink(missing_ok=True)


def seen_of(files: StashedFiles) -> StashReport | None:
    """Return what the last look or the booking showed, None before the first."""
    try:
        seen: StashReport = json.loads((_folder() / files.token / _SEEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return seen


def _content(path: Path, name: str) -> bytes:
    """Return a file's content. Raises: InvalidValue where it waits no longer."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidValue(f"{name} waits here no longer.", field="files", hint="Hand it over again.") from error


def forget(files: StashedFiles) -> None:
    """Remove files that nobody wants."""
    shutil.rmtree(_folder() / files.token, ignore_errors=True)


def forget_old() -> None:
    """Remove what nobody confirmed in time."""
    _remove([folder for age, folder in _by_age() if age > KEPT_SECONDS])


def _make_room(user: int) -> None:
    """Remove the oldest of a person's files where as many wait as may."""
    folders = [folder for _, folder in _by_age() if waiting_files(folder.name, user=user) is not None]
    _remove(folders[: len(folders) - STASHES_MAX + 1] if len(folders) >= STASHES_MAX else [])


def _by_age() -> list[tuple[float, Path]]:
    """Return the age in seconds and the folder of everything that is kept, the oldest first."""
    ages = []
    for folder in _folder().iterdir() if _folder().is_dir() else ():
        try:
            ages.append((time.time() - folder.stat().st_mtime, folder))
        except OSError:  # removed at this moment
            continue
    return sorted(ages, reverse=True)


def _remove(folders: Sequence[Path]) -> None:
    """Remove folders that nobody works on."""
    for folder in folders:
        try:
            lock = FileLock(folder / _LOCK)
        except OSError:
            continue
        with lock:
            if lock.take():
                shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "uploads"
