"""Files that rows of packages above name by their digest: beside every backup, and back with it.

The settings name who tells them (`KEPT_FILES`), since nothing of the ledger knows who is above it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string

from trading import picture_files
from trading.picture_files import PictureFile


class KeptFolder(NamedTuple):
    """A folder of the data folder, and the files in it that rows name."""

    name: str
    files: Sequence[PictureFile]


def bring_kept_files(source: Path, target: Path) -> list[str]:
    """Copy each kept file that a folder lacks, or has altered, from another one; return what neither has right.

    Raises: OSError.
    """
    lost = []
    for name in settings.KEPT_FILES:
        tell: Callable[[], KeptFolder] = import_string(name)
        folder = tell()
        lost += picture_files.bring(folder.files, source / folder.name, target / folder.name)
    return [file.name for file in lost]
