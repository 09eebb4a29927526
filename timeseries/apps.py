from django.apps import AppConfig


class TimeseriesConfig(AppConfig):
    name = "timeseries"

    def ready(self) -> None:
        from timeseries import checks  # noqa: F401, PLC0415  (registers the system checks)
