"""Screenshots of trades."""

from __future__ import annotations

from trading.models import Screenshot, Trade
from trading.picture_files import PictureFile


def screenshots_of(trade: Trade) -> list[Screenshot]:
    """Return the screenshots of a trade, the oldest first."""
    return list(Screenshot.objects.filter(trade=trade).order_by("pk"))


def screenshot_files() -> list[PictureFile]:
    """Return the file of every screenshot of the ledger."""
    return [PictureFile(*row) for row in Screenshot.objects.order_by("pk").values_list("name", "sha256")]
