"""One InfluxDB 2, through its client, which nothing else imports. A fault is a reply, or an error of ours."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from influxdb_client import AuthorizationsService, Dialect, InfluxDBClient, WriteService
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from timeseries.errors import InvalidValue, StoreMisconfigured, StoreUnavailable
from timeseries.stores.influx.deadline import limited, whole_request
from timeseries.stores.influx.replies import Refused, Reply, TryLater, reply_of

TIMEOUT_SECONDS = (2.0, 10.0)  # to connect; between two pieces of an answer
WRITE_SECONDS = 20.0  # a whole write, from the connecting to the last byte of its answer: a lane is held meanwhile
FIRST_DAY, LAST_DAY = "1677-09-21T00:12:43.145224194Z", "2262-04-11T23:47:16.854775806Z"
DIALECT = Dialect(header=True, annotations=[], delimiter=",", comment_prefix="#", date_time_format="RFC3339Nano")
NOTHING, TABLE_END = b"\r\n", b"\r\n\r\n"


class InfluxServer:
    """One organisation of a server, through its client. Threads may share it; a forked child connects anew."""

    def __init__(
        self,
        url: str,
        *,
        org: str,
        token: str,
        timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS,
        write_seconds: float = WRITE_SECONDS,
        ask_seconds: float | None = None,
    ) -> None:
        """``ask_seconds``: a whole question takes no longer, from the connecting on; None: as long as pieces come."""
        self.url, self.org, self._write_seconds, self._ask_seconds = url, org, write_seconds, ask_seconds
        self._token, self._timeout = token, tuple(int(seconds * 1000) for seconds in timeout_seconds)
        self._lock = threading.Lock()
        self._made: tuple[int, InfluxDBClient] | None = None

    @property
    def client(self) -> InfluxDBClient:
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                made = InfluxDBClient(self.url, self._token, timeout=self._timeout, org=self.org)
                limited(made.api_client.rest_client.pool_manager)
                self._made = (os.getpid(), made)
                # Left to the interpreter's last moments, the client's own tidying would write a traceback.
                atexit.register(self.close)
            return self._made[1]

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            if self._made is not None and self._made[0] == os.getpid():
                self._made[1].close()
            self._made = None
        atexit.unregister(self.close)

    @contextmanager
    def patient(self, seconds: float) -> Iterator[InfluxServer]:
        """Give the same server with connections of its own, over which a whole question takes no longer than this."""
        times = (TIMEOUT_SECONDS[0], max(seconds, 0.001))
        server = InfluxServer(
            self.url, org=self.org, token=self._token, timeout_seconds=times, ask_seconds=max(seconds, 0.001)
        )
        try:
            yield server
        finally:
            server.close()

    def post(self, bucket: str, body: bytes) -> Reply:
        """Send lines and return what the server says of them; never raises for its faults."""
        service = WriteService(self.client.api_client)
        try:
            with whole_request(self._write_seconds):
                _, status, headers = service.post_write_with_http_info(
                    self.org, bucket, body, precision="ns", content_type="text/plain; charset=utf-8"
                )
        except ApiException as error:
            # Status 0: the client could not speak to it (TLS).
            if not error.status:
                return TryLater(0, str(error.reason))
            return reply_of(error.status, dict(error.headers or {}), error.body)
        except (HTTPError, OSError) as error:
            return TryLater(0, f"{type(error).__name__}: {error}")
        return reply_of(status, dict(headers), None)

    def ask(self, flux: str, parameters: Mapping[str, Any]) -> bytes:
        """Return the answer to a question as CSV without annotations.

        Raises:
            InvalidValue: the question is wrong.
            StoreUnavailable: no answer, or the server refuses this desk.
        """
        limit = nullcontext() if self._ask_seconds is None else whole_request(self._ask_seconds)
        with faults(), limit:
            answer = self.client.query_api().query_raw(flux, dialect=DIALECT, params=dict(parameters))
            data = bytes(answer.data)
        # Each table ends with an empty line. What was cut on its way may else end within a number and be another one.
        if data != NOTHING and not data.endswith(TABLE_END):
            raise StoreUnavailable("InfluxDB broke its answer off.", hint="It is asked again.")
        return data

    def delete(self, bucket: str, predicate: str) -> None:
        """Remove every point that the predicate names. Raises StoreUnavailable."""
        with faults():
            self.client.delete_api().delete(FIRST_DAY, LAST_DAY, predicate, bucket, self.org)

    def authorize(self, asked: Mapping[str, Any]) -> str:
        """Make the token that is asked for, and return it."""
        with faults():
            service = AuthorizationsService(self.client.api_client)
            return str(service.post_authorizations(authorization_post_request=dict(asked)).token)

    def retention_seconds(self, bucket: str) -> int | None:
        """Return the bucket's retention; None when there is none, or the token may not ask."""
        try:
            with faults(), whole_request(self._write_seconds):
                found = self.client.buckets_api().find_bucket_by_name(bucket)
        except (StoreUnavailable, InvalidValue):
            return None
        rules = found.retention_rules if found else []
        return next((rule.every_seconds for rule in rules if rule.every_seconds), None)

    def has_bucket(self, name: str) -> bool:
        """Tell whether there is such a bucket for this token. Raises StoreUnavailable where nobody answers."""
        with faults():
            try:
                found = self.client.buckets_api().find_bucket_by_name(name)
            except ApiException as error:
                if not error.status:
                    raise
                return False
        return found is not None and found.name == name


@contextmanager
def faults() -> Iterator[None]:
    """Raise what the client raises as errors of ours."""
    try:
        yield
    except ApiException as error:
        raise _error_of(error) from error
    except (HTTPError, OSError) as error:
        detail = f"InfluxDB does not answer ({type(error).__name__})."
        raise StoreUnavailable(
            detail, hint="Points wait in the spool; look at the server and INFLUXDB_V2_URL."
        ) from error


def _error_of(error: ApiException) -> Exception:
    reply = reply_of(error.status or 0, dict(error.headers or {}), error.body)
    if isinstance(reply, Refused):
        return InvalidValue(f"InfluxDB refuses the question: {reply.reason}")
    return unavailable(reply)


def unavailable(reply: Reply) -> StoreUnavailable:
    """Return the error that a reply without success is to whoever waits for it."""
    if isinstance(reply, TryLater):
        said = f"status {reply.status}" if reply.status else "no answer"
        return StoreUnavailable(
            f"InfluxDB cannot take it now ({said}: {reply.reason}).",
            hint="It is tried again.",
            retry_after=reply.retry_after,
        )
    status = getattr(reply, "status", 0)
    hint = {
        401: "Correct INFLUXDB_V2_TOKEN.",
        403: "The token may not do this: `manage.py setup_influx` makes one that may.",
        404: "Correct INFLUXDB_V2_ORG and INFLUXDB_V2_BUCKET, or make them with `manage.py setup_influx`.",
    }.get(status, "Correct INFLUXDB_V2_URL: this is no answer of InfluxDB 2.")
    return StoreMisconfigured(
        f"InfluxDB refuses this desk (status {status}: {getattr(reply, 'reason', '')}).", hint=hint
    )
