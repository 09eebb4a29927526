"""Addresses that take a form and show nothing of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from trading.web.guard import View


def form_on(page: str, *names: str) -> Callable[[View], View]:
    """Let a view take what its form sends, and lead whoever comes without to the page that has the form.

    A form that was sent after the session's end leads through the login back to its address, without what was sent.

    Args:
        page: the name of the page's address.
        names: the parts of the view's address that stand in the page's, too.
    """

    def decorated(view: View) -> View:
        @require_http_methods(["GET", "HEAD", "POST"])
        @wraps(view)
        def posted(request: HttpRequest, **keys: int) -> HttpResponseBase:
            if request.method == "POST":
                return view(request, **keys)
            query = request.META.get("QUERY_STRING", "")
            return redirect(reverse(page, kwargs={name: keys[name] for name in names}) + (f"?{query}" if query else ""))

        return posted

    return decorated
