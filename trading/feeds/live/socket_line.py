"""A feed over a broker's socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from trading.errors import InvalidValue
from trading.feeds.live.lines import REFUSED, FeedLine, LineFailed
from trading.feeds.live.sockets import BrokerSocket

LOOPBACK = ("127.0.0.1", "::1", "localhost")
MESSAGE_BYTES_MAX = 16 * 2**20  # 3,000 full packets are half a megabyte
_REFUSING = (401, 403)


@dataclass(frozen=True, slots=True)
class SocketLine:
    """An open socket; ``heartbeat`` is a text that the broker wants, "" for none."""

    connection: ClientConnection
    heartbeat: str

    async def messages(self) -> AsyncIterator[bytes | str]:
        """Yield messages until the socket ends."""
        with suppress(ConnectionClosed):
            async for message in self.connection:
                yield message

    async def beat(self) -> None:
        """Send the heartbeat, if the broker wants one."""
        if self.heartbeat:
            with suppress(ConnectionClosed):
                await self.connection.send(self.heartbeat)

    async def close(self) -> None:
        """Close the socket."""
        await self.connection.close()


@asynccontextmanager
async def socket_line(open_socket: Callable[[], BrokerSocket], url: str | None = None) -> AsyncIterator[FeedLine]:
    """Open a broker's socket and subscribe; ``url`` stands in for its own address.

    Raises: LineFailed, without a word of the address, which has secrets; InvalidValue for credentials that are not
        there and an address that is not safe.
    """
    socket = open_socket()
    address = socket.address(url)
    must_be_safe(address)
    try:
        async with connect(
            address,
            additional_headers=socket.headers,
            max_size=MESSAGE_BYTES_MAX,
            open_timeout=10,
            close_timeout=1,
            ping_interval=20,
            ping_timeout=20,
        ) as connection:
            for subscription in socket.subscriptions:
                await connection.send(subscription)
            yield SocketLine(connection, socket.beat)
    except InvalidStatus as error:
        status = error.response.status_code
        if status in _REFUSING:
            reason = f"status {status}: the broker does not take the credentials. Give new ones: each try reads them"
            raise LineFailed(reason, REFUSED) from None
        raise LineFailed(f"status {status}") from None
    except (OSError, WebSocketException) as error:
        raise LineFailed(type(error).__name__) from None


def must_be_safe(address: str) -> None:
    """Raise InvalidValue for an address that would carry credentials in the clear over a network."""
    parts = urlsplit(address)
    if parts.scheme == "wss" or (parts.scheme == "ws" and parts.hostname in LOOPBACK):
        return
    raise InvalidValue(
        "The feed's address is neither wss:// nor of this machine.", field="url", hint="Give a wss:// address."
    )
