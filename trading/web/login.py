"""The pages that look at a password, login and change of the own one: throttled, every failed try in the log."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import structlog
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from trading import login_tries
from trading.models import User

TOO_MANY = 429

log = structlog.get_logger("system")


class ThrottledLogin(LoginView):
    """Look at a password only while this user name has tries left from this address.

    The address is the one that the connection comes from. No header can name another: whoever sends it could write it.
    """

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.name = login_tries.normal(request.POST.get("username", ""))
        self.address = request.META.get("REMOTE_ADDR", "")
        self.tries = login_tries.begin(self.name, self.address)
        if self.tries.wait_seconds > 0:
            log.warning("login refused: too many tries", user=_shown(self.name), address=self.address)
            return _refused(self, self.get_form_class()(self.request), self.tries)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        login_tries.succeeded(self.name, self.address)
        return super().form_valid(form)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        log.warning("login failed", user=_shown(self.name), address=self.address, tries=self.tries.count)
        return super().form_invalid(form)


class ThrottledPasswordChange(PasswordChangeView):
    """Look at the old password only while its user has tries left from this address; they count with those to log in.

    Else whoever finds a desk that is logged in could try as many as there are.
    """

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.name, self.address = request.user.get_username(), request.META.get("REMOTE_ADDR", "")
        self.tries = login_tries.begin(self.name, self.address)
        if self.tries.wait_seconds > 0:
            log.warning("change of password refused: too many tries", user=self.name, address=self.address)
            return _refused(self, PasswordChangeForm(User.objects.get(pk=request.user.pk)), self.tries)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        login_tries.succeeded(self.name, self.address)
        return super().form_valid(form)

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        if "old_password" in form.errors:
            log.warning("old password wrong", user=self.name, address=self.address, tries=self.tries.count)
        else:  # it was right, and the new one will not do
            login_tries.succeeded(self.name, self.address)
        return super().form_invalid(form)


def _refused(
    view: LoginView | PasswordChangeView, form: AuthenticationForm | PasswordChangeForm, tries: login_tries.Tries
) -> HttpResponse:
    """Return the page with a form that looked at nothing, and from when on it will look again."""
    until = timezone.localtime(timezone.now() + timedelta(seconds=tries.wait_seconds))
    answer = view.render_to_response(view.get_context_data(form=form, locked_until=until), status=TOO_MANY)
    answer["Retry-After"] = str(math.ceil(tries.wait_seconds))
    return answer


def _shown(name: str) -> str:
    """Return the name where a user has it; what else was typed there may be a password."""
    try:
        return name if get_user_model().objects.filter(username=name).exists() else "***"
    except (ValueError, DataError):  # what no database takes as text, no user is called
        return "***"
