"""The files of screenshots in the data folder: each written once, under a name that nobody can guess, 0600.

A new file lies in `new` as well until its row is committed. What a kill left there is sorted out when the next one is
kept: with a row it stays, without one it goes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
import uuid
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from timeseries.spool import durable
from trading.domain.pictures import CleanPicture

LEFT_SECONDS = 3600  # nobody takes so long from a file to its row
MISSING, ALTERED = "missing", "altered"


class PictureFile(NamedTuple):
    """A screenshot's file: its name, and the SHA-256 that its row has."""

    name: str
    sha256: str


def folder() -> Path:
    """Return the folder of the screenshots of this desk."""
    return Path(settings.DATA_DIR) / "screenshots"


def write(picture: CleanPicture) -> str:
    """Write a picture's file, on disk when this returns, and return its name. Raises: OSError."""
    if settings.VELOX_RECORDER_ELSEWHERE:  # it would go with this process
        raise OSError(errno.EROFS, "Screenshots are held by the recorder")
    name = f"{uuid.uuid4().hex}.{picture.format.lower()}"
    fresh = _fresh() / name
    for path in (folder(), _fresh()):  # each by itself: parents would be made with a mode of their own
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    durable.write_file(fresh, picture.content)
    os.link(fresh, folder() / name)
    for path in (folder(), _fresh()):
        durable.sync_path(path)
    return name


def settle(name: str) -> None:
    """Let a file stay, now that its row is committed."""
    (_fresh() / name).unlink(missing_ok=True)


def remove(names: Iterable[str], within: Path | None = None) -> None:
    """Remove files that no row names, or whose screenshots were taken back; of the desk's, or of another folder."""
    for name in names:
        for path in (folder() / name, _fresh() / name) if within is None else (within / name,):
            path.unlink(missing_ok=True)


def sort_out(named: Callable[[Collection[str]], Collection[str]]) -> None:
    """Settle or remove what kills have left; ``named`` returns those of some names that rows have."""
    old = []
    with suppress(FileNotFoundError):
        for path in _fresh().iterdir():
            with suppress(FileNotFoundError):  # settled at this moment
                old += [path.name] if time.time() - path.stat().st_mtime > LEFT_SECONDS else []
    kept = named(old) if old else ()
    for name in old:
        settle(name) if name in kept else remove([name])


def fault_of(file: PictureFile, within: Path) -> str:
    """Return what is wrong with a file in a folder, `MISSING` or `ALTERED`; nothing where it is as its row says."""
    try:
        content = (within / file.name).read_bytes()
    except OSError:
        return MISSING
    return "" if hashlib.sha256(content).hexdigest() == file.sha256 else ALTERED


def read(file: PictureFile) -> bytes | None:
    """Return the bytes of a screenshot, None where its file is missing or altered."""
    with suppress(OSError):
        content = (folder() / file.name).read_bytes()
        return content if hashlib.sha256(content).hexdigest() == file.sha256 else None
    return None


def bring(files: Iterable[PictureFile], source: Path, target: Path) -> list[PictureFile]:
    """Copy what another folder lacks, or has altered, from one that has it right; return what neither has right.

    A copy is 0600 and on disk when this returns. Raises: OSError.
    """
    lost, is_new = [], False
    for file in files:
        if not fault_of(file, target):
            continue
        if fault_of(file, source):
            lost.append(file)
            continue
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.replace_file(target / file.name, (source / file.name).read_bytes())
        is_new = True
    if is_new:
        durable.sync_path(target)
    return lost


def _fresh() -> Path:
    return folder() / "new"
