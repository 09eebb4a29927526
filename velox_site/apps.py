"""Wires the admin's site in. It stands here: an app's configuration is read before any model may be."""

from django.contrib.admin.apps import AdminConfig


class VeloxAdminConfig(AdminConfig):
    default_site = "velox_site.admin_site.VeloxAdminSite"
