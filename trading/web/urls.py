"""The addresses of the pages."""

from django.contrib.auth import views as auth
from django.urls import path, reverse_lazy

from trading.web import (
    alerts,
    brokers,
    calendar,
    hand_entry,
    health,
    limits,
    live,
    metrics,
    overview,
    reconcile,
    saved_filters,
    screenshots,
    signals,
    static_files,
    strategies,
    symbols,
    system,
    trade,
    trades,
)
from trading.web.guard import without_group
from trading.web.login import ThrottledLogin, ThrottledPasswordChange
from trading.web.posted import form_on

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("calendar/", calendar.calendar, name="calendar"),
    path("days/<str:day>/", calendar.day_page, name="day"),
    path("trades/", trades.trade_list, name="trades"),
    path("trades/csv/", trades.trades_csv, name="trades_csv"),
    path("trades/filters/", saved_filters.saved_filters, name="saved_filters"),
    path("trades/xlsx/", trades.trades_xlsx, name="trades_xlsx"),
    path("trades/new/", hand_entry.new_trade, name="new_trade"),
    path("trades/<int:pk>/", trade.trade_page, name="trade"),
    path("trades/<int:pk>/review/", trade.review, name="trade_review"),
    path("trades/<int:pk>/screenshots/", screenshots.add, name="add_screenshots"),
    path("trades/<int:pk>/screenshots/<int:picture>/", screenshots.show, name="screenshot"),
    path("trades/<int:pk>/screenshots/<int:picture>/withdraw/", screenshots.withdraw, name="withdraw_screenshot"),
    path("trades/<int:pk>/fill/", hand_entry.add_fill, name="add_fill"),
    path("trades/<int:pk>/close/", hand_entry.close, name="close_trade"),
    path("trades/<int:pk>/chart/", trade.chart, name="trade_chart"),
    path("trades/<int:pk>/prices/", trade.prices, name="trade_prices"),
    path("trades/<int:pk>/journal/", trade.journal, name="trade_journal"),
    path("strategies/", strategies.strategy_list, name="strategies"),
    path("events/", live.events, name="events"),
    path("strategies/<int:pk>/", strategies.strategy_page, name="strategy"),
    path("symbols/", symbols.symbol_list, name="symbols"),
    path("symbols/<int:pk>/", symbols.symbol_page, name="symbol"),
    path("signals/", signals.signal_list, name="signals"),
    path("brokers/", brokers.brokers, name="brokers"),
    path("reconcile/", reconcile.reconcile, name="reconcile"),
    path("limits/", limits.limits, name="limits"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("system/", system.system, name="system"),
    path("system/proof/", system.proof, name="proof"),
    path("login/", ThrottledLogin.as_view(), name="login"),
    path("logout/", form_on("overview")(without_group(auth.LogoutView.as_view())), name="logout"),
    path(
        "password/",
        without_group(ThrottledPasswordChange.as_view(success_url=reverse_lazy("password_done"))),
        name="password",
    ),
    path("password/done/", without_group(auth.PasswordChangeDoneView.as_view()), name="password_done"),
    path("health/", health.health, name="health"),
    path("health/live", health.live, name="live"),
    path("metrics", metrics.metrics, name="metrics"),
    path("static/<path:name>", static_files.static_file, name="static"),
]
