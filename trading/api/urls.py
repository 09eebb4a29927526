"""The addresses below `/api/v1/`. No session opens them: each asks for a token itself, but for the schema."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from trading.api.application import api
from trading.api.problems import problem
from trading.api.reference import reference
from trading.api.tags import unless_known


def in_problems(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let a view refuse a method as it refuses all else, and ask for no login."""

    @wraps(view)
    def answer(request: HttpRequest, **keywords: str) -> HttpResponse:
        response = view(request, **keywords)
        if isinstance(response, HttpResponseNotAllowed):
            allowed = response["Allow"]
            text = f"{request.method} is not answered here."
            return problem(405, text, code="wrong_method", hint=f"Ask by {allowed}.", headers={"Allow": allowed})
        return unless_known(request, response)

    return login_not_required(answer)


@login_not_required
@csrf_exempt
def not_there(request: HttpRequest) -> HttpResponse:
    """Answer below `/api/v1/` where nothing is."""
    return problem(404, f"Nothing is at {request.path!r}.", code="not_there", hint="/api/v1/openapi.json lists all.")


urlpatterns, _, app_name = api.urls
urlpatterns.insert(0, path("docs/", reference, name="reference"))
for route in urlpatterns:
    if route.callback is not None and route.name != "reference":
        view = require_safe(route.callback) if route.name == "openapi-json" else route.callback
        route.callback = not_there if route.name == "api-root" else in_problems(view)
urlpatterns.append(re_path("", not_there, name="not_there"))
