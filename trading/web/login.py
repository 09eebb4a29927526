"""The login of all pages: throttled, and every try that failed stands in the log."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import structlog
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from trading import login_tries

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
            until = timezone.localtime(timezone.now() + timedelta(seconds=self.tries.wait_seconds))
            context = self.get_context_data(form=self.get_form_class()(self.request), locked_until=until)
            answer = self.render_to_response(context, status=TOO_MANY)
            answer["Retry-After"] = str(math.ceil(self.tries.wait_seconds))
            return answer
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        login_tries.succeeded(self.name, self.address)
        return super().form_valid(form)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        log.warning("login failed", user=_shown(self.name), address=self.address, tries=self.tries.count)
        return super().form_invalid(form)


def _shown(name: str) -> str:
    """Return the name where a user has it; what else was typed there may be a password."""
    try:
        return name if get_user_model().objects.filter(username=name).exists() else "***"
    except (ValueError, DataError):  # what no database takes as text, no user is called
        return "***"
