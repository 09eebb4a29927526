"""Keeping a screenshot with the review of a trade."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from trading import picture_files
from trading.bookkeeping import journal
from trading.bookkeeping.booking import trade_body
from trading.domain.chain import JournalEntry
from trading.domain.pictures import made_anew
from trading.errors import InvalidValue, UnknownTrade
from trading.models import Screenshot, Trade
from trading.transactions import reading, writing

PER_TRADE_MAX = 20
TOLD = ("name", "format", "width", "height", "size", "sha256")


def add_screenshot(trade_pk: int, content: bytes, *, by: str) -> Screenshot:
    """Keep a picture, made anew without its metadata, and return its row; one that the trade has already changes
    nothing.

    The file is on disk before its row is: a kill in between leaves a file that no row names, which is removed later.

    Raises: InvalidValue for what is no picture, for one that was taken back from this trade, for an author without a
        name, for more than 20 of a trade, and for a disk that takes no file; UnknownTrade, LedgerBusy, LedgerNotReady.
        Nothing was kept then.
    """
    if not by:
        raise InvalidValue("A screenshot has an author.", field="by")
    picture = made_anew(content)
    with reading():
        picture_files.sort_out(_named)
        if (earlier := _earlier(trade_pk, picture.sha256)) is not None:
            return earlier
    try:
        name = picture_files.write(picture)
    except OSError as error:
        raise InvalidValue(f"No picture can be kept here: {error.strerror}.", field="screenshots") from error
    try:
        row = _kept(trade_pk, Screenshot(
            name=name, format=picture.format, width=picture.width, height=picture.height, size=len(picture.content),
            sha256=picture.sha256, author=by,
        ))  # fmt: skip
    except BaseException:
        picture_files.remove([name])
        raise
    if row.name == name:
        picture_files.settle(name)
    else:  # somebody else has kept the same one at this moment
        picture_files.remove([name])
    return row


def _kept(trade_pk: int, row: Screenshot) -> Screenshot:
    """Write a row and its line of the journal; return it, or the one that keeps the same picture already."""
    now = datetime.now(UTC)
    with writing():
        trade = Trade.objects.select_related("account", "strategy", "instrument__exchange").filter(pk=trade_pk).first()
        if trade is None:
            raise UnknownTrade(f"There is no trade {trade_pk}.", field="trade")
        head = journal.lock_head(trade.account)
        if (earlier := _earlier(trade_pk, row.sha256)) is not None:
            return earlier
        if Screenshot.objects.filter(trade=trade, withdrawal=None).count() >= PER_TRADE_MAX:
            raise InvalidValue(
                f"Trade {trade.trade_id} has {PER_TRADE_MAX} screenshots.",
                field="screenshots",
                hint="No trade keeps more.",
            )
        row.account, row.trade, row.recorded_at = trade.account, trade, now
        row.save()
        body: JournalEntry = {"trade": trade_body(trade), "screenshot_pk": row.pk}
        body["screenshot"] = {name: getattr(row, name) for name in TOLD}
        journal.append(trade.account, "add_screenshot", body, now=now, by=row.author, head=head)
    return row


def _earlier(trade_pk: int, sha256: str) -> Screenshot | None:
    """Return the row of the same picture. Raises: InvalidValue where it was taken back."""
    row = Screenshot.objects.select_related("withdrawal").filter(trade=trade_pk, sha256=sha256).first()
    end = None if row is None else getattr(row, "withdrawal", None)
    if end is not None:
        raise InvalidValue(
            f"{end.author} has taken this very picture back from this trade: {end.reason}.",
            field="screenshots",
            hint="Take the screenshot anew.",
        )
    return row


def _named(names: Collection[str]) -> Collection[str]:
    return set(Screenshot.objects.filter(name__in=names).values_list("name", flat=True))
