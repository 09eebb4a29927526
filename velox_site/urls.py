"""The addresses of VELOX."""

from django.contrib import admin
from django.urls import include, path

from velox_site.log_pages import trade_log

urlpatterns = [
    path("admin/", admin.site.urls),
    path("trades/<int:pk>/log/", trade_log, name="trade_log"),
    path("", include("trading.web.urls")),
]
