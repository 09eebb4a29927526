"""The place of the archive: an object store (S3 and what speaks like it), or a folder on another disk (`file://`)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, S3Store

from timeseries.errors import StoreDamaged, StoreMisconfigured, StoreUnavailable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

CONNECT_SECONDS, RETRY_SECONDS, RETRIES = 5, 20, 3
PUT_SECONDS = 60  # which an object may take on its way there
SILENT_SECONDS, FETCH_SECONDS = 15, 300  # for which nothing of an object may come from there, and which it may take
LOG_SECONDS = 30  # which an entry of a table's log may take: Delta's own client knows no silence
BLOCK = 8 << 20
PROBE = "velox-probe"
ADDRESS = "VELOX_ARCHIVE_URL"
ADDRESS_HINT = "It is s3://bucket/prefix, or file:///folder for a folder on another disk that can be written."


class S3Access(TypedDict, total=False):
    """How the S3 server is reached; what is absent the client takes from its own surroundings."""

    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str


class ObjectStore:
    """Objects by name below an address: `s3://bucket/prefix`, or `file:///folder`."""

    def __init__(self, url: str, access: S3Access) -> None:
        self.url = url.rstrip("/")
        self.table_options: dict[str, str] = {}  # for the engine of Delta tables
        self._objects: LocalStore | S3Store
        self._reading: LocalStore | S3Store  # in which silence ends a request, and so would a long put
        if not url.startswith(("s3://", "file:///")):
            raise StoreMisconfigured(f"{url} is no address of an archive.", field=ADDRESS, hint=ADDRESS_HINT)
        try:
            self._open(access)
        except (BaseError, OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise StoreMisconfigured(
                f"No archive can be opened at {url}: {reason}.", field=ADDRESS, hint=ADDRESS_HINT
            ) from error

    def _open(self, access: S3Access) -> None:
        """Set the clients; nothing is asked of a server, but a folder that is not there is made."""
        if self.url.startswith("file:"):
            self._objects = self._reading = LocalStore.from_url(self.url, mkdir=True)
            return
        client: ClientConfig = {"connect_timeout": f"{CONNECT_SECONDS}s"}
        if access.get("endpoint", "").startswith("http:"):
            client["allow_http"] = True
        retries: RetryConfig = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)}
        putting: ClientConfig = {**client, "timeout": f"{PUT_SECONDS}s"}
        reading: ClientConfig = {**client, "read_timeout": f"{SILENT_SECONDS}s", "timeout": f"{FETCH_SECONDS}s"}
        self._objects, self._reading = (
            S3Store.from_url(self.url, client_options=options, retry_config=retries, **access)
            for options in (putting, reading)
        )
        self.table_options = {f"AWS_{name.upper()}": str(text) for name, text in access.items()}
        self.table_options |= {name: str(text).lower() for name, text in client.items()}
        self.table_options |= {"timeout": f"{LOG_SECONDS}s"}
        self.table_options |= {"max_retries": str(RETRIES), "retry_timeout": f"{RETRY_SECONDS}s"}

    def require_conditional_put(self) -> None:
        """Raise StoreMisconfigured where an object can be put over one that is there although that was forbidden.

        Without it two commits to one table could both be acknowledged and one of them lost.
        """
        name = f"{PROBE}-{uuid.uuid4().hex}"
        with self._answering():
            obstore.put(self._objects, name, b"first", mode="create")
            try:
                obstore.put(self._objects, name, b"second", mode="create")
            except AlreadyExistsError:
                return
            finally:
                obstore.delete(self._objects, name)
        raise StoreMisconfigured(
            f"The object store of {self.url} puts an object over another although told not to (If-None-Match).",
            field=ADDRESS,
            hint="Two commits at once could lose one of them: take a store with conditional puts.",
        )

    def claim(self, name: str, text: str) -> str:
        """Put a text there where no object has its name; return the one that is there then."""
        with self._answering():
            try:
                obstore.put(self._objects, name, text.encode(), mode="create")
            except AlreadyExistsError:
                return bytes(obstore.get(self._reading, name).bytes()).decode()
        return text

    def put(self, name: str, file: Path) -> None:
        """Put a file there under a name that is its alone; where the object is there already nothing is sent."""
        with self._answering():
            try:
                obstore.put(self._objects, name, file, mode="create", use_multipart=False)
            except AlreadyExistsError:
                if obstore.head(self._objects, name)["size"] != file.stat().st_size:
                    raise StoreDamaged(
                        f"{name} of the archive is damaged: it has another size.",
                        hint="Remove the object; the next pass puts it there anew.",
                    ) from None

    def fetch(self, name: str, target: Path) -> None:
        """Write an object's bytes to a file. Raises: StoreUnavailable; StoreDamaged, where there is no such object."""
        with self._answering(), target.open("wb") as file:
            try:
                for block in obstore.get(self._reading, name).stream(min_chunk_size=BLOCK):
                    file.write(block)
            except FileNotFoundError:
                raise StoreDamaged(
                    f"{name} of the archive is gone: its day cannot be read whole.",
                    hint="Put the object back from a copy, or set VELOX_ARCHIVE_URL to where it is; "
                    "`manage.py archive --verify` names every one.",
                ) from None

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn the client's errors into `StoreUnavailable`; those of the disk here stay what they are."""
        try:
            yield
        except (BaseError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            reason = str(error).partition("\n")[0]
            if isinstance(error, PermissionDeniedError | UnauthenticatedError):
                raise StoreMisconfigured(
                    f"The archive at {self.url} refuses this desk: {reason}",
                    field="VELOX_ARCHIVE_ACCESS_KEY_ID",
                    hint="Set VELOX_ARCHIVE_ACCESS_KEY_ID and VELOX_ARCHIVE_SECRET_ACCESS_KEY to what it takes, with "
                    "the right to list, read, write and delete there. Nothing is lost.",
                ) from error
            raise StoreUnavailable(
                f"The archive at {self.url} cannot answer: {reason}",
                hint="Nothing is lost: what was not archived stays here, and is tried again.",
            ) from error
