"""The addresses of the pages."""

from django.contrib.auth import views as auth
from django.urls import path

from trading.web import brokers, health, live, overview, reconcile, static_files, strategies, trades
from trading.web.guard import without_group
from trading.web.login import ThrottledLogin

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("trades/", trades.trade_list, name="trades"),
    path("trades/<int:pk>/", trades.trade_page, name="trade"),
    path("strategies/", strategies.strategy_list, name="strategies"),
    path("events/", live.events, name="events"),
    path("brokers/", brokers.brokers, name="brokers"),
    path("reconcile/", reconcile.reconcile, name="reconcile"),
    path("login/", ThrottledLogin.as_view(), name="login"),
    path("logout/", without_group(auth.LogoutView.as_view()), name="logout"),
    path("health/", health.health, name="health"),
    path("static/<path:name>", static_files.static_file, name="static"),
]
