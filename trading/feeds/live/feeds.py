"""The feeds that can be recorded from a broker's socket: what each needs, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trading.data_manager import DataManager
from trading.feeds.live import angel, dhan, kite, upstox
from trading.feeds.live.connection import FeedConnection
from trading.feeds.live.credentials import Credentials, read_credentials
from trading.feeds.live.decoded import FrameDecoder, Listing
from trading.feeds.live.order_booking import OrderBooking
from trading.feeds.live.recording import FeedRecorder
from trading.feeds.live.session_clock import SessionClock
from trading.feeds.live.sockets import BrokerSocket, angel_socket, dhan_socket, kite_socket, upstox_socket
from trading.queries.sessions import calendars_of


@dataclass(frozen=True, slots=True)
class SocketFeed:
    """One feed: how its decoder is made of what ``--times`` says, its socket, and the variables of its credentials."""

    name: str
    decoder: Callable[[str | None], FrameDecoder]
    socket: Callable[[Listing, Credentials], BrokerSocket]
    credentials: tuple[str, ...]


FEEDS = {
    feed.name: feed
    for feed in (
        SocketFeed("kite", lambda _: kite.decode, kite_socket, ("KITE_API_KEY", "KITE_ACCESS_TOKEN")),
        SocketFeed(
            "angel",
            lambda _: angel.decode,
            angel_socket,
            ("ANGEL_API_KEY", "ANGEL_CLIENT_CODE", "ANGEL_ACCESS_TOKEN", "ANGEL_FEED_TOKEN"),
        ),
        SocketFeed("dhan", dhan.decoder, dhan_socket, ("DHAN_CLIENT_ID", "DHAN_ACCESS_TOKEN")),
        SocketFeed("upstox", lambda _: upstox.decode, upstox_socket, ("UPSTOX_ACCESS_TOKEN",)),
    )
}


def connection_of(
    feed: SocketFeed, dm: DataManager, listing: Listing, booking: OrderBooking, *, times: str | None, any_time: bool
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
        lambda: feed.socket(listing, read_credentials(feed.credentials)),
        clock.is_wanted,
        clock.is_trading,
        on_connect=booking.ask_for_trades,
    )
