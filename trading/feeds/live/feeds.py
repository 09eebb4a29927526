"""The feeds that can be recorded from a broker's socket: what each needs, in one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from trading.data_manager import DataManager
from trading.feeds.live import angel, dhan, kite, upstox
from trading.feeds.live.child_line import PACKAGES, child_line
from trading.feeds.live.connection import FeedConnection
from trading.feeds.live.credentials import Credentials, read_credentials
from trading.feeds.live.decoded import FrameDecoder, Listing
from trading.feeds.live.dicts import decode_line
from trading.feeds.live.lines import OpenLine
from trading.feeds.live.order_booking import OrderBooking
from trading.feeds.live.recording import FeedRecorder
from trading.feeds.live.session_clock import SessionClock
from trading.feeds.live.socket_line import socket_line
from trading.feeds.live.sockets import BrokerSocket, angel_socket, dhan_socket, kite_socket, upstox_socket
from trading.queries.sessions import calendars_of


@dataclass(frozen=True, slots=True)
class LiveFeed:
    """One feed: how its decoder is made of what ``--times`` says, what opens its line for a listing, and the variables
    of its credentials. ``is_child``: it comes over a child process, by a command of its own or another."""

    name: str
    decoder: Callable[[str | None], FrameDecoder]
    credentials: tuple[str, ...]
    socket: Callable[[Listing, Credentials], BrokerSocket] | None = None
    always_talks: bool = False
    silent_seconds: float = 30.0  # of silence that ends a connection

    @property
    def is_child(self) -> bool:
        """Whether a child process imports the feed's SDK."""
        return self.socket is None

    def line(self, listing: Listing, command: Sequence[str]) -> OpenLine:
        """Return what opens the feed for some instruments; ``command`` is that of its child."""
        socket = self.socket
        if socket is None:
            hint = (
                f"The child has no SDK: pip install {PACKAGES[self.name]}, or --python of an environment that has it."
            )
            return lambda _: child_line(command, listing, hint)
        return partial(socket_line, lambda: socket(listing, read_credentials(self.credentials)))


FEEDS = {
    feed.name: feed
    for feed in (
        LiveFeed("kite", lambda _: kite.decode, ("KITE_API_KEY", "KITE_ACCESS_TOKEN"), kite_socket, True, 10.0),
        LiveFeed(
            "angel",
            lambda _: angel.decode,
            ("ANGEL_API_KEY", "ANGEL_CLIENT_CODE", "ANGEL_ACCESS_TOKEN", "ANGEL_FEED_TOKEN"),
            angel_socket,
        ),
        LiveFeed("dhan", dhan.decoder, ("DHAN_CLIENT_ID", "DHAN_ACCESS_TOKEN"), dhan_socket),
        LiveFeed("upstox", lambda _: upstox.decode, ("UPSTOX_ACCESS_TOKEN",), upstox_socket),
        LiveFeed("fyers", lambda _: partial(decode_line, "fyers"), ("FYERS_APP_ID", "FYERS_ACCESS_TOKEN")),
        LiveFeed("ib", lambda _: partial(decode_line, "ib"), ()),
    )
}


def connection_of(
    feed: LiveFeed,
    dm: DataManager,
    listing: Listing,
    booking: OrderBooking,
    *,
    times: str | None,
    any_time: bool,
    command: Sequence[str] = (),
) -> FeedConnection:
    """Return the connection of a feed to its recorder. Raises: InvalidValue."""
    symbols = [instrument.symbol for instrument in listing.values()]
    clock = SessionClock(calendars_of(symbols), is_any_time=any_time)
    recorder = FeedRecorder(dm, feed.name, is_trading=clock.is_trading, take_order=booking.offer)
    recorder.know(symbols)
    decode = feed.decoder(times)
    return FeedConnection(
        recorder,
        lambda message, now_ns: recorder.take(decode(message, listing), now_ns),
        feed.line(listing, command),
        clock.is_wanted,
        clock.is_trading,
        on_connect=booking.ask_for_trades,
        always_talks=feed.always_talks,
    )
