"""Screenshots of trades."""

from __future__ import annotations

from datetime import datetime

from trading.models import Screenshot, ScreenshotWithdrawal, Trade
from trading.picture_files import PictureFile


def screenshots_of(trade: Trade) -> list[Screenshot]:
    """Return the screenshots of a trade with their withdrawals, the oldest first."""
    return list(Screenshot.objects.filter(trade=trade).select_related("withdrawal").order_by("pk"))


def screenshot_files() -> list[PictureFile]:
    """Return the file of every screenshot of the ledger that was not taken back."""
    rows = Screenshot.objects.filter(withdrawal=None).order_by("pk")
    return [PictureFile(*row) for row in rows.values_list("name", "sha256")]


def withdrawn_names(*, until: datetime | None = None) -> list[str]:
    """Return the names of the files of screenshots that were taken back, or were so before an instant."""
    rows = ScreenshotWithdrawal.objects.filter(**({} if until is None else {"withdrawn_at__lt": until}))
    return list(rows.values_list("screenshot__name", flat=True))
