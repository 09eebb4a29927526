"""A raw stream that was kept, recorded again as it came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from trading.data_manager import DataManager
from trading.errors import InvalidValue
from trading.feeds.live.decoded import Decoded, Listing
from trading.feeds.live.frame_files import CONNECTED, feed_of, read_frames
from trading.feeds.live.order_booking import OrderBooking
from trading.feeds.live.recording import FeedRecorder

ORDERS_AT_ONCE = 500


def feed_of_all(paths: Sequence[Path]) -> str:
    """Return the feed that all files are of. Raises: InvalidValue where there is none, or more than one."""
    feeds = {feed_of(path) for path in paths}
    if len(feeds) != 1:
        raise InvalidValue(
            f"The files are of {', '.join(sorted(feeds)) or 'no feed'}.", field="files", hint="Give files of one feed."
        )
    return feeds.pop()


def replay_frames(
    dm: DataManager,
    decode: Callable[[bytes | str, Listing], Decoded],
    listing: Listing,
    paths: Sequence[Path],
    booking: OrderBooking,
) -> FeedRecorder:
    """Record the messages of some files in the order of their receipt; quotes without a time get the receipt's.

    A second run meets its own points and fills. Raises: InvalidValue; StoreUnavailable where fills cannot be booked.
    """
    recorder = FeedRecorder(dm, feed_of_all(paths), take_order=booking.waiting.append, stamps=True)
    for frame in read_frames(sorted(paths, key=lambda path: next(iter(read_frames([path]))).received_ns)):
        if frame.kind == CONNECTED:
            recorder.connected(frame.received_ns)
        else:
            recorder.take(decode(frame.content, listing), frame.received_ns)
        if len(booking.waiting) >= ORDERS_AT_ONCE:
            booking.settle_or_fail()
    booking.settle_or_fail()
    return recorder
