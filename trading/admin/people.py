"""Users: who they are, which groups they are in. Groups say what each may do; only staff enter the admin."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from trading.models import User


@admin.register(User)
class DeskUserAdmin(UserAdmin):  # type: ignore[type-arg]
    list_display = ("username", "first_name", "last_name", "shown_groups", "is_staff", "is_active", "last_login")
    list_filter = ("groups", "is_staff", "is_active")

    def get_queryset(self, request):  # type: ignore[no-untyped-def]
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="groups")
    def shown_groups(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all()) or "—"
