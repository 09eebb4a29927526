"""Screenshots of a trade: handed over by whoever reviews it, and shown to whoever may see the desk."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from trading import picture_files
from trading.domain.pictures import BYTES_MAX
from trading.errors import InvalidValue, VeloxError
from trading.models import Screenshot, Trade, User
from trading.operations.add_screenshot import PER_TRADE_MAX, add_screenshot
from trading.operations.withdraw_screenshot import withdraw_screenshot
from trading.picture_files import PictureFile
from trading.queries.accounts import all_accounts
from trading.web.choice import AccountChoice, page
from trading.web.guard import MAINTAIN, REVIEW
from trading.web.posted import form_on


@form_on("trade", "pk")
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep the pictures that were handed over with a trade, each by itself; say which were not taken, and why."""
    if not request.user.has_perm(REVIEW):
        raise PermissionDenied("Only reviewers and operators hand pictures over.")
    trade = get_object_or_404(Trade.objects.select_related("account", "instrument"), pk=pk)
    files, refused = request.FILES.getlist("screenshots"), []
    for file in files[:PER_TRADE_MAX]:
        try:
            add_screenshot(pk, _content(file), by=request.user.get_username())
        except VeloxError as error:
            refused.append((file.name, str(error)))
    refused += [(file.name, f"At most {PER_TRADE_MAX} at once.") for file in files[PER_TRADE_MAX:]]
    if files and not refused:
        return redirect(f"{reverse('trade', args=[pk])}#screenshots")
    choice = AccountChoice(trade.account, all_accounts())
    kept = len(files) - len(refused)
    response = page(request, "velox/screenshots.html", "trades", choice, trade=trade, refused=refused, kept=kept)
    response.status_code = HTTPStatus.BAD_REQUEST
    return response


@form_on("trade", "pk")
def withdraw(request: HttpRequest, pk: int, picture: int) -> HttpResponse:
    """Take a picture of a trade back: whoever handed it over may, and operators."""
    row = get_object_or_404(Screenshot.objects.select_related("account", "trade__instrument"), pk=picture, trade=pk)
    if not may_withdraw(request.user, row):
        raise PermissionDenied("Only who handed a picture over, and operators, take it back.")
    try:
        withdraw_screenshot(picture, by=request.user.get_username(), reason=request.POST.get("reason", ""))
    except VeloxError as error:
        choice = AccountChoice(row.account, all_accounts())
        context = {"trade": row.trade, "refused": [(f"Screenshot by {row.author}", str(error))], "is_withdrawal": True}
        response = page(request, "velox/screenshots.html", "trades", choice, **context)
        response.status_code = HTTPStatus.BAD_REQUEST
        return response
    return redirect(f"{reverse('trade', args=[pk])}#screenshots")


def may_withdraw(user: AbstractBaseUser | AnonymousUser, picture: Screenshot) -> bool:
    """Tell whether somebody may take a picture back."""
    if not isinstance(user, User):
        return False
    return user.has_perm(MAINTAIN) or (user.has_perm(REVIEW) and picture.author == user.get_username())


@require_safe
def show(request: HttpRequest, pk: int, picture: int) -> HttpResponse:
    """Return a picture of a trade; one whose file is not as it was kept is not shown."""
    row = get_object_or_404(Screenshot.objects.select_related("withdrawal"), pk=picture, trade=pk)
    if hasattr(row, "withdrawal"):
        raise Http404(f"{row.withdrawal.author} has taken this picture back: {row.withdrawal.reason}.")
    content = picture_files.read(PictureFile(row.name, row.sha256))
    if content is None:
        raise Http404("The file of this picture is missing or altered: `manage.py verify_ledger` says which.")
    response = HttpResponse(content, content_type=f"image/{row.format.lower()}")
    response["Content-Disposition"] = f'inline; filename="trade-{pk}-{picture}.{row.format.lower()}"'
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _content(file: UploadedFile[bytes]) -> bytes:
    """Return what a file holds. Raises: InvalidValue for one that is too large to be looked at."""
    if (file.size or 0) > BYTES_MAX:
        raise InvalidValue("It is larger than 5 MB.", field="screenshots", hint="Take a smaller part of the screen.")
    return b"".join(file.chunks())
