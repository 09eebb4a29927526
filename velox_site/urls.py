"""The addresses of VELOX."""

from django.contrib import admin
from django.urls import include, path

from lab.web.cards import model_page
from lab.web.runs import run_list, run_page, surface_page, windows_page
from velox_site.log_pages import log_list, trade_log

urlpatterns = [
    path("admin/", admin.site.urls),
    path("system/logs/", log_list, name="logs"),
    path("trades/<int:pk>/log/", trade_log, name="trade_log"),
    path("lab/", run_list, name="lab"),
    path("lab/runs/<int:pk>/", run_page, name="lab_run"),
    path("lab/runs/<int:pk>/surface/", surface_page, name="lab_surface"),
    path("lab/runs/<int:pk>/windows/", windows_page, name="lab_windows"),
    path("lab/models/<int:pk>/", model_page, name="lab_model"),
    path("api/v1/", include("trading.api.urls")),
    path("", include("trading.web.urls")),
]
