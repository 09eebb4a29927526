"""Who may look at the desk's records at all, and that no browser or proxy keeps a page of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control
from django.utils.deprecation import MiddlewareMixin
from django.views.defaults import permission_denied

from trading.models import User

View = Callable[..., HttpResponseBase]

LOOK = "trading.view_trade"  # viewer, reviewer and operator have it, and so has any group that is to see the desk
REVIEW = "trading.change_review"  # who reviews trades keeps pictures with them, too
MAINTAIN = "trading.add_correction"  # who may correct the ledger may have it proved, and reads what VELOX logs
NO_GROUP = (
    "You are in none of the groups that may look at this desk: ask whoever keeps VELOX's users (a superuser) to add "
    "you to viewer, reviewer or operator."
)


def without_group(view: View) -> View:
    """Let every user who is logged in use this view, in a group or in none."""
    view.needs_group = False  # type: ignore[attr-defined]
    return view


def may_look(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Tell whether a group of this user may look at the desk; a superuser counts as in every group."""
    return isinstance(user, User) and user.is_active and LOOK in user.get_group_permissions()


class OpenViewsMiddleware(LoginRequiredMiddleware):
    """Django's, but who asks is not looked up for a view that needs no login: static files come a dozen to a page."""

    def process_view(self, request: HttpRequest, view: View, *arguments: Any) -> HttpResponseBase | None:
        is_open = not getattr(view, "login_required", True)
        return None if is_open else super().process_view(request, view, *arguments)


class GroupRequiredMiddleware(MiddlewareMixin):
    """Refuse every page to a user whom no group lets look. It stands behind that which asks for a login.

    A permission given to the user alone does not open the door: who sees the desk can be read from the groups.
    """

    def process_view(
        self, request: HttpRequest, view: View, _arguments: Any, _keywords: Any
    ) -> HttpResponseBase | None:
        is_open = not getattr(view, "login_required", True) or not getattr(view, "needs_group", True)
        if is_open or may_look(request.user):
            return None
        return permission_denied(request, PermissionDenied(NO_GROUP))  # not raised: the log needs no traceback of it


class NeverStoredMiddleware(MiddlewareMixin):
    """Let nobody keep an answer on disk, unless its view says that it is for everybody (static files)."""

    def process_response(self, _request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if "public" not in response.headers.get("Cache-Control", ""):
            patch_cache_control(response, no_store=True)
        return response
