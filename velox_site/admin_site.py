"""The admin's site: VELOX's name on it, and one way to log in for all pages.

Not in `trading.admin`: Django makes the site before it imports that package, which registers with the site.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from trading.web.choice import MAIN, query_of


class VeloxAdminSite(AdminSite):
    """Django's admin under VELOX's name, entered by the login page of all pages."""

    site_header = "VELOX"
    site_title = "VELOX"
    index_title = "Records"
    enable_nav_sidebar = False  # the lists need the width

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """Return the apps with their lists, whose links stay in the account that the address names."""
        code = request.GET.get("account", MAIN)
        apps: list[dict[str, Any]] = super().get_app_list(request, app_label)
        if code != MAIN:
            for links in (*apps, *(model for app in apps for model in app["models"])):
                for name in ("app_url", "admin_url"):
                    if links.get(name):
                        links[name] += query_of({"account": code})
        return apps

    @method_decorator(never_cache)
    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, str] | None = None) -> HttpResponse:
        """Send people to the login page of all pages, and back; a user who may not enter is told so there."""
        index = reverse("admin:index", current_app=self.name)
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(index)
        return redirect_to_login(request.GET.get("next", index))
