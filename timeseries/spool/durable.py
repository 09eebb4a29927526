"""Durable files: whatever is brought to the disk, so that it survives a power loss, goes through here."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PAGE = 4096
FRESH = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
UNNAMED = os.O_RDWR | os.O_CLOEXEC | getattr(os, "O_TMPFILE", 0)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that takes a path's place, whole and durable, where the block ends without an exception.

    While it is written it has no name, so that whoever is killed leaves nothing beside the former file; where the file
    system knows no such files (NFS), its name begins with a dot. One that cannot be named (no ``/proc``) is copied at
    the end. Raises OSError.
    """
    fresh = path.with_name(f".velox-{secrets.token_hex(8)}")
    try:
        descriptor, has_name = os.open(path.parent, UNNAMED, 0o600), False
    except OSError:
        descriptor, has_name = os.open(fresh, FRESH | os.O_EXCL, 0o600), True
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            sync(descriptor)
            if not has_name:
                _give_name(descriptor, fresh)
        os.rename(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise
    try:
        sync_path(path.parent)
    except OSError as error:  # a folder that takes files and shows none; one of a file system that brings none to disk
        if error.errno not in {errno.EACCES, errno.EPERM, errno.EINVAL}:
            raise


def _give_name(descriptor: int, fresh: Path) -> None:
    """Give a name to a file that has none, or to a copy of it, durable, where no link to it can be made."""
    try:
        folder = os.open(fresh.parent, os.O_PATH | os.O_CLOEXEC)
        try:  # only with the descriptor of a folder does Python follow the link that leads to the file
            os.link(f"/proc/self/fd/{descriptor}", fresh.name, dst_dir_fd=folder)
        finally:
            os.close(folder)
    except OSError:  # no /proc, or one that this process may not use
        os.lseek(descriptor, 0, os.SEEK_SET)
        with (
            open(descriptor, "rb", closefd=False) as whole,
            open(os.open(fresh, FRESH | os.O_EXCL, 0o600), "wb") as copy,
        ):
            shutil.copyfileobj(whole, copy)
            copy.flush()
            sync(copy.fileno())


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file's content, whole or not at all, durable on return. Raises OSError.

    After an error the file is the former one or the new one, whole. Repeating the call never trusts what a disk has
    refused once: it writes another file and another entry of the folder.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    write_file(fresh, content)
    os.rename(fresh, path)
    sync_file(path.parent)


def make_file(path: Path, content: bytes) -> bytes:
    """Make a file where there is none, whole and durable on return; return the content that stands there then.

    Of several makers at once, threads or processes, the first one's content stands for all. Raises OSError.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    write_file(fresh, content)
    try:
        os.link(fresh, path)  # unlike rename() it never replaces
    except FileExistsError:
        pass
    finally:
        os.unlink(fresh)
    sync_path(path.parent)  # the first one may not have come so far
    return path.read_bytes()


def sync(descriptor: int) -> None:
    """Bring an open file to the disk.

    Raises OSError: what was written since the last success may be lost, and a later success does not tell of it.
    """
    os.fsync(descriptor)


def write_file(path: Path, content: bytes) -> None:
    """Write a file that nobody reads yet, durable on return; after an error there is none. Raises OSError."""
    descriptor = os.open(path, FRESH, 0o600)
    try:
        write_all(descriptor, content)
        sync(descriptor)
    except BaseException:
        # What could not be synced once is never asked again: the kernel would say yes to pages that it has dropped.
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte to an open file. Raises OSError.

    A disk that fills up takes a part of them and says so only in the number that `os.write` returns.
    """
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_file(path: Path) -> None:
    """Bring a file or a folder of the spool to the disk; one that is gone needs none, and no link is followed.

    Raises OSError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def sync_path(path: Path) -> None:
    """Bring a file or a folder that has to be there to the disk; a link leads to it. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def identity(path: Path) -> tuple[int, int] | None:
    """Return a file's (inode, mtime in ns); None where it is gone."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def file_of(descriptor: int) -> tuple[int, int]:
    """Return the device and inode of an open file, which no other file has while it is open."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def leads_to(path: Path, file: tuple[int, int]) -> bool:
    """Tell whether the path still leads to the open file (`file_of`); True where the disk cannot tell."""
    try:
        status = path.stat(follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return (status.st_dev, status.st_ino) == file


def salvage(path: Path, size: int) -> bytes:
    """Return the file's bytes; a page that cannot be read is zeros, and its records count as damaged."""
    pages = []
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        for position in range(0, size, PAGE):
            try:
                page = os.pread(descriptor, PAGE, position)
            except OSError:
                page = bytes(min(PAGE, size - position))
            pages.append(page)
    finally:
        os.close(descriptor)
    return b"".join(pages)
