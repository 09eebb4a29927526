"""One InfluxDB 2, through its client, which nothing else imports. A fault is a reply, or an error of ours."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

from influxdb_client import AuthorizationsService, Bucket, Dialect, InfluxDBClient, WriteService
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from timeseries.errors import InvalidValue, StoreMisconfigured, StoreUnavailable
from timeseries.stores.base import Parameter
from timeseries.stores.influx.deadline import limit_requests, whole_request
from timeseries.stores.influx.replies import Refused, Reply, TryLater, reply_of

TIMEOUT_SECONDS = (2.0, 10.0)  # to connect; between two pieces of an answer
WRITE_SECONDS = 20.0  # a whole write, from the connecting to the last byte of its answer: a lane is held meanwhile
FIRST_DAY, LAST_DAY = "1677-09-21T00:12:43.145224194Z", "2262-04-11T23:47:16.854775806Z"
DIALECT = Dialect(header=True, annotations=[], delimiter=",", comment_prefix="#", date_time_format="RFC3339Nano")
NOTHING, TABLE_END = b"\r\n", b"\r\n\r\n"


class InfluxServer:
    """One organisation of an InfluxDB server. Threads may share it; a forked child connects anew."""

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
        """Name the server; nothing is sent yet.

        Args:
            timeout_seconds: to connect; between two pieces of an answer.
            write_seconds: of a whole write, from the connecting on.
            ask_seconds: of a whole question, from the connecting on; None: as long as pieces come.
        """
        self.url, self.org, self._write_seconds, self._ask_seconds = url, org, write_seconds, ask_seconds
        self._token, self._timeout = token, tuple(int(seconds * 1000) for seconds in timeout_seconds)
        self._lock = threading.Lock()
        self._connected: tuple[int, InfluxDBClient] | None = None  # with the process that made it

    @property
    def client(self) -> InfluxDBClient:
        """The client of this process, made at the first use."""
        with self._lock:
            if self._connected is None or self._connected[0] != os.getpid():
                client = InfluxDBClient(self.url, self._token, timeout=self._timeout, org=self.org)
                limit_requests(client.api_client.rest_client.pool_manager)
                self._connected = (os.getpid(), client)
                # Left to the interpreter's last moments, the client's own tidying would write a traceback.
                atexit.register(self.close)
            return self._connected[1]

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            if self._connected is not None and self._connected[0] == os.getpid():
                self._connected[1].close()
            self._connected = None
        atexit.unregister(self.close)

    @contextmanager
    def patient(self, seconds: float) -> Iterator[InfluxServer]:
        """Give this server with connections of its own, over which a whole question takes at most ``seconds``."""
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

    def ask(self, flux: str, parameters: Mapping[str, Parameter]) -> bytes:
        """Return the answer to a question as CSV without annotations.

        Raises:
            InvalidValue: the question is wrong.
            StoreUnavailable: no answer, or the server refuses this desk.
        """
        limit = nullcontext() if self._ask_seconds is None else whole_request(self._ask_seconds)
        with faults(), limit:
            answer = bytes(self.client.query_api().query_raw(flux, dialect=DIALECT, params=dict(parameters)).data)
        # Each table ends with an empty line. What was cut on its way may else end within a number and be another one.
        if answer != NOTHING and not answer.endswith(TABLE_END):
            raise StoreUnavailable("InfluxDB broke its answer off.", hint="It is asked again.")
        return answer

    def delete(self, bucket: str, predicate: str) -> None:
        """Remove every point that the predicate names. Raises StoreUnavailable."""
        with faults():
            self.client.delete_api().delete(FIRST_DAY, LAST_DAY, predicate, bucket, self.org)

    def authorize(self, organisation: str, description: str, buckets: Sequence[str], actions: Sequence[str]) -> str:
        """Make a token of an organisation that may do these actions with these buckets (ids), and return it."""
        resources = [{"type": "buckets", "id": bucket, "orgID": organisation} for bucket in buckets]
        permissions = [{"action": action, "resource": resource} for resource in resources for action in actions]
        request = {"orgID": organisation, "description": description, "permissions": permissions}
        with faults():
            service = AuthorizationsService(self.client.api_client)
            return str(service.post_authorizations(authorization_post_request=request).token)

    def retention_seconds(self, bucket: str) -> int | None:
        """Return the bucket's retention; None when there is none, or the token may not ask. Raises StoreUnavailable."""
        answer = self._find_bucket(bucket)
        rules = answer.retention_rules if answer else []
        return next((rule.every_seconds for rule in rules if rule.every_seconds), None)

    def has_bucket(self, name: str) -> bool:
        """Tell whether there is a bucket of this name for this token. Raises StoreUnavailable."""
        bucket = self._find_bucket(name)
        return bucket is not None and bucket.name == name

    def _find_bucket(self, name: str) -> Bucket | None:
        """Return the bucket of this name, None where this token sees none. Raises StoreUnavailable.

        A server that cannot tell now has not said that there is none: who took it for that would leave candles out.
        """
        try:
            with faults(), whole_request(self._ask_seconds or self._write_seconds):
                return self.client.buckets_api().find_bucket_by_name(name)
        except (StoreMisconfigured, InvalidValue):
            return None
        except (TypeError, AttributeError, ValueError) as error:
            # An answer that ends within its head counts as whole, with an empty body: the client falls over that.
            raise StoreUnavailable(
                f"InfluxDB broke its answer off, or another server answers ({type(error).__name__}).",
                hint="It is asked again; if it stays so, correct INFLUXDB_V2_URL.",
            ) from error


@contextmanager
def faults() -> Iterator[None]:
    """Raise the client's errors as `InvalidValue` (the question is wrong) or `StoreUnavailable`."""
    try:
        yield
    except ApiException as error:
        reply = reply_of(error.status or 0, dict(error.headers or {}), error.body)
        if isinstance(reply, Refused):
            raise InvalidValue(f"InfluxDB refuses the question: {reply.reason}") from error
        raise unavailable(reply) from error
    except (HTTPError, OSError) as error:
        detail = f"InfluxDB does not answer ({type(error).__name__})."
        raise StoreUnavailable(
            detail, hint="Points wait in the spool; look at the server and INFLUXDB_V2_URL."
        ) from error


def unavailable(reply: Reply) -> StoreUnavailable:
    """Return the error of a reply that is no success."""
    if isinstance(reply, TryLater):
        status_text = f"status {reply.status}" if reply.status else "no answer"
        return StoreUnavailable(
            f"InfluxDB cannot take it now ({status_text}: {reply.reason}).",
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
