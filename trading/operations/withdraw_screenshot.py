"""Taking a screenshot of a trade back."""

from __future__ import annotations

from datetime import UTC, datetime

from trading import picture_files
from trading.bookkeeping import journal
from trading.bookkeeping.booking import trade_body
from trading.domain.chain import JournalEntry
from trading.errors import InvalidValue
from trading.models import Screenshot, ScreenshotWithdrawal
from trading.transactions import writing

REASON_MAX = 200


def withdraw_screenshot(pk: int, *, by: str, reason: str) -> ScreenshotWithdrawal:
    """Take a screenshot back and return its end, which stays; one that was taken back before keeps its first end.

    Its row keeps the picture's hash; its file is removed once that is committed, at the latest by the next backup.

    Raises: InvalidValue for a screenshot that is not there, and where author or reason are missing or too long;
        LedgerBusy, LedgerNotReady. Nothing was changed then.
    """
    reason = " ".join(reason.split())
    if not by:
        raise InvalidValue("A screenshot is taken back by somebody.", field="by", hint="Say who takes it back.")
    if not reason or len(reason) > REASON_MAX:
        hint = f"Say why in 1 to {REASON_MAX} characters."
        raise InvalidValue("A screenshot is not taken back without a reason.", field="reason", hint=hint)
    with writing():
        now, rows = datetime.now(UTC), Screenshot.objects.select_related("account", "trade__strategy")
        screenshot = rows.select_related("trade__instrument__exchange").filter(pk=pk).first()
        if screenshot is None:
            raise InvalidValue(f"There is no screenshot {pk}.", field="screenshot")
        head = journal.lock_head(screenshot.account)
        end = ScreenshotWithdrawal.objects.filter(screenshot=screenshot).first()
        if end is None:
            end = ScreenshotWithdrawal.objects.create(
                account=screenshot.account, screenshot=screenshot, author=by, reason=reason, withdrawn_at=now
            )
            body: JournalEntry = {"trade": trade_body(screenshot.trade), "screenshot_pk": pk}
            body |= {"withdrawal_pk": end.pk, "reason": reason}
            journal.append(screenshot.account, "withdraw_screenshot", body, now=now, by=by, head=head)
    picture_files.remove([screenshot.name])
    return end
