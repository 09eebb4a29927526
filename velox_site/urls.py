"""The addresses of VELOX."""

from django.contrib import admin
from django.urls import include, path

from velox_site.log_pages import log_list, trade_log

urlpatterns = [
    path("admin/", admin.site.urls),
    path("system/logs/", log_list, name="logs"),
    path("trades/<int:pk>/log/", trade_log, name="trade_log"),
    path("api/v1/", include("trading.api.urls")),
    path("", include("trading.web.urls")),
]
