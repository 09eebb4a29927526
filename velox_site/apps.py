"""Wires the admin's site in; it stands here because an app's configuration is read before any model may be."""

from django.contrib.admin.apps import AdminConfig


class VeloxAdminConfig(AdminConfig):
    default_site = "trading.admin.site.VeloxAdminSite"
