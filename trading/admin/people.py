"""Users and their groups: groups tell what each may do; only staff enter the admin."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest

from trading.admin.base import Listed
from trading.models import User


@admin.register(User)
class DeskUserAdmin(Listed, UserAdmin):  # type: ignore[type-arg]
    list_display = ("username", "first_name", "last_name", "shown_groups", "is_staff", "is_active", "last_login")
    list_filter = ("groups", "is_staff", "is_active")

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Let only those see users who may change them: looking at trades needs no look at people."""
        return self.has_change_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="groups")
    def shown_groups(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all()) or "—"


admin.site.unregister(Group)


@admin.register(Group)
class DeskGroupAdmin(Listed, GroupAdmin):
    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Refuse a group with members: the database would take them out by itself, and no journal would tell."""
        return obj is not None and not obj.user_set.exists() and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, tuple[Callable[..., str], str, str] | None]:
        """Return none: many at once would be deleted without a look at their members."""
        return {}
