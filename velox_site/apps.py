"""Wires the admin's site and this package's commands in. It stands here: apps are known before any model may be."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class VeloxAdminConfig(AdminConfig):
    default_site = "velox_site.admin_site.VeloxAdminSite"


class VeloxSiteConfig(AppConfig):
    name = "velox_site"
