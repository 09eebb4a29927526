"""The settings of VELOX, by system. Every variable is read by a typed reader (see `environment.py`, `.env.example`)."""

from __future__ import annotations

import logging
import sqlite3
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF
from django.utils.functional import lazy

from velox_site import server_urls
from velox_site.caches import caches
from velox_site.environment import Environment, kept_secret, read_dotenv

BASE_DIR = Path(__file__).resolve().parent.parent
read_dotenv(BASE_DIR)
env = Environment()

# -- the data folder: everything that VELOX writes -------------------------------------------------------------------
# Installed as a package, VELOX has no folder of its own to write into, and must not guess where the desk's is.
_IS_CHECKOUT = (BASE_DIR / "manage.py").is_file()
DATA_DIR = env.folder("VELOX_DATA_DIR", BASE_DIR / "var" if _IS_CHECKOUT else None)
# Lazy: `make run` prepares the folder while other processes of it load these settings already.
IS_DEMO = lazy((DATA_DIR / "demo.json").exists, bool)()

# -- the desk: seeds of the first migration --------------------------------------------------------------------------
TIME_ZONE = env.zone("VELOX_TIME_ZONE", "Asia/Kolkata")
VELOX_CURRENCY = env.currency("VELOX_CURRENCY", "INR")
VELOX_CAPITAL = env.money("VELOX_CAPITAL", "100000")
VELOX_EXCHANGE = env.code("VELOX_EXCHANGE", "NSE", length_max=16)

# -- security --------------------------------------------------------------------------------------------------------
DEBUG = env.flag("DEBUG", default=False)
DEFAULT_EXCEPTION_REPORTER_FILTER = "velox_site.error_pages.MaskedErrors"
# Lazy, so that importing the settings writes nothing: the key is made when something is first signed.
SECRET_KEY = env.text("SECRET_KEY") or lazy(lambda: kept_secret(DATA_DIR / "secret_key"), str)()
VELOX_SITE_URL = env.url("VELOX_SITE_URL", "http://localhost:8000", schemes=("http", "https"))
_site = urlsplit(VELOX_SITE_URL)
ALLOWED_HOSTS = list(dict.fromkeys([str(_site.hostname), "localhost", "127.0.0.1", "[::1]", *env.names("VELOX_HOSTS")]))
CSRF_TRUSTED_ORIGINS = [f"{_site.scheme}://{_site.netloc}"]
IS_HTTPS = _site.scheme == "https"
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
# A scraper follows no redirect, and has sent its token already by the time it would be told of one.
SECURE_REDIRECT_EXEMPT = [r"^health/(live)?$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_HTTPS
REQUEST_BYTES_MAX = 128 << 20  # of what anybody sends at once: the files that a person hands over together
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = ("velox_session", "velox_csrf")
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
AUTH_USER_MODEL = "trading.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL, LOGIN_REDIRECT_URL, LOGOUT_REDIRECT_URL = ("login", "overview", "login")

# -- Django ----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "timeseries.apps.TimeseriesConfig",
    "trading.apps.TradingConfig",
    "lab.apps.LabConfig",
    "velox_site.apps.VeloxAdminConfig",
    "velox_site.apps.VeloxSiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_structlog",
    "csp",
]
MIDDLEWARE = [
    "trading.web.request_times.observed_requests",
    "trading.web.guard.NeverStoredMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "trading.web.older.own_writes",
    "trading.web.guard.OpenViewsMiddleware",
    "trading.web.guard.GroupRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "trading.web.static_files.logged_requests",
]
ROOT_URLCONF = "velox_site.urls"
ASGI_APPLICATION = "velox_site.asgi.application"
WSGI_APPLICATION = "velox_site.wsgi.application"
KEPT_FILES = ("lab.queries.signal_models.kept_models",)  # files beside the ledger that each backup has
DEMO_STEPS = ("lab_demo",)  # commands that look at a demo's day, behind READY
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "trading" / "web" / "templates", BASE_DIR / "lab" / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": [
                f"trading.web.templatetags.{name}"
                for name in ("velox", "trade_cells", "position_cells", "candle_cells", "cut_cells", "admin_head")
            ],
            "libraries": {"lab_cells": "lab.web.templatetags.lab_cells"},
        },
    }
]
LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = ["velox_site.formats"]  # times to the second, of 24 hours
USE_I18N = False
USE_TZ = True
STATIC_URL = "static/"
STATICFILES_DIRS: list[Path | tuple[str, Path]] = [BASE_DIR / "trading" / "web" / "static"]
if _charts := find_spec("litecharts"):  # carries the library that draws charts; nothing of it is imported
    STATICFILES_DIRS += [("charts", Path(folder) / "js") for folder in _charts.submodule_search_locations or ()]

# -- the ledger ------------------------------------------------------------------------------------------------------
DATABASE_URL = env.url("DATABASE_URL", "", schemes=("sqlite", "postgres", "postgresql"))
_database: server_urls.DatabaseSettings = {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA_DIR / "ledger.sqlite3"}
if DATABASE_URL:
    _database = server_urls.database(DATABASE_URL)
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # Before 3.51.3 SQLite's WAL mode can lose a commit; velox_site/__init__.py brings a later one where it can.
    _journal_mode = "WAL" if sqlite3.sqlite_version_info >= (3, 51, 3) else "DELETE"
    _database |= {
        "ENGINE": "velox_site.sqlite",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 2,
            # Recursive triggers: else INSERT OR REPLACE would take an append-only row away without a word.
            "init_command": (
                f"PRAGMA journal_mode={_journal_mode}; PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON;"
            ),
        },
    }
elif _database["ENGINE"] == "django.db.backends.postgresql":
    # A server that went without a word is found out within seconds. No standby is waited for, but by the ledger's own
    # writes (trading/transactions.py): a login must not wait for one that is gone.
    _database["OPTIONS"] = {
        "connect_timeout": 2,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        "options": "-c synchronous_commit=local",
        **_database.get("OPTIONS", {}),
    }
VELOX_WAL_ARCHIVE = env.flag("VELOX_WAL_ARCHIVE", default=False)  # of PostgreSQL: health then looks after it
DATABASES = {"default": _database}
# A standby of that server, for reports and pages that say how old they are. Nothing is ever written there.
if _replica_url := env.url("DATABASE_REPLICA_URL", "", schemes=("postgres", "postgresql")):
    _replica = server_urls.database(_replica_url)
    _replica["OPTIONS"] = {
        **_database.get("OPTIONS", {}),
        "options": "-c default_transaction_read_only=on",
        **_replica.get("OPTIONS", {}),
    }
    DATABASES["replica"] = _replica
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
JOURNAL_KEY = lazy(lambda: kept_secret(DATA_DIR / "journal.key"), str)()

# -- caches: "hot" is VELOX's own, "default" anybody's -----------------------------------------------------------------
CACHE_URL = env.url("CACHE_URL", "", schemes=("redis", "rediss", "unix"))
CACHES = caches(CACHE_URL)

# -- the time series -------------------------------------------------------------------------------------------------
SPOOL_DIR = DATA_DIR / "spool"
DELTA_DIR = DATA_DIR / "delta"
CELERY_BROKER_URL = env.url("CELERY_BROKER_URL", "", schemes=("redis", "rediss", "amqp", "amqps", "memory"))
KAFKA_SERVERS = env.text("KAFKA_SERVERS")
KAFKA_SECURITY_PROTOCOL = env.text("KAFKA_SECURITY_PROTOCOL")
KAFKA_CA = env.text("KAFKA_CA")
KAFKA_CERTIFICATE = env.text("KAFKA_CERTIFICATE")
KAFKA_KEY = env.text("KAFKA_KEY")
KAFKA_KEY_PASSWORD = env.text("KAFKA_KEY_PASSWORD")
KAFKA_SASL_MECHANISM = env.text("KAFKA_SASL_MECHANISM")
KAFKA_SASL_USERNAME = env.text("KAFKA_SASL_USERNAME")
KAFKA_SASL_PASSWORD = env.text("KAFKA_SASL_PASSWORD")
INFLUXDB_V2_URL = env.url("INFLUXDB_V2_URL", "", schemes=("http", "https"))
INFLUXDB_V2_ORG = env.text("INFLUXDB_V2_ORG")
INFLUXDB_V2_BUCKET = env.text("INFLUXDB_V2_BUCKET")
INFLUXDB_V2_TOKEN = env.text("INFLUXDB_V2_TOKEN")
VELOX_RECORDER_ELSEWHERE = env.flag("VELOX_RECORDER_ELSEWHERE", default=False)  # this web has no spool to keep
VELOX_SPOOL_SYNC_MS = env.integer("VELOX_SPOOL_SYNC_MS", 200, minimum=1, maximum=60_000)
VELOX_SPOOL_MAX_BYTES = env.optional_integer("VELOX_SPOOL_MAX_BYTES", minimum=64 * 1024 * 1024)
VELOX_KEEP_SHIPPED_DAYS = env.integer("VELOX_KEEP_SHIPPED_DAYS", 7, minimum=0, maximum=36_500)
VELOX_RETENTION_DAYS = env.optional_integer("VELOX_RETENTION_DAYS", minimum=1, maximum=36_500)  # unset is for ever
# Days that are over, as Delta tables on an object store (s3://bucket/prefix) or in a folder (file:///folder).
VELOX_ARCHIVE_URL = env.text("VELOX_ARCHIVE_URL")
_access = {
    "endpoint": env.url("VELOX_ARCHIVE_ENDPOINT", "", schemes=("http", "https")),
    **{name: env.text(f"VELOX_ARCHIVE_{name.upper()}") for name in ("region", "access_key_id", "secret_access_key")},
}
ARCHIVE_ACCESS = {name: text for name, text in _access.items() if text}
VELOX_KEEP_LOCAL_DAYS = env.optional_integer("VELOX_KEEP_LOCAL_DAYS", minimum=1, maximum=36_500)
VELOX_ARCHIVE_CACHE_BYTES = env.integer("VELOX_ARCHIVE_CACHE_BYTES", 10 * 2**30, minimum=64 * 1024 * 1024)

# -- metrics: for who has the token; without one there is no /metrics --------------------------------------------------
VELOX_METRICS_TOKEN = env.text("VELOX_METRICS_TOKEN")
# The password of the role by which Grafana reads views of a ledger on PostgreSQL; without one there is no such role.
VELOX_GRAFANA_PASSWORD = env.text("VELOX_GRAFANA_PASSWORD")

# -- alerts: without a channel nothing leaves this machine -------------------------------------------------------------
VELOX_ALERT_URLS = env.words("VELOX_ALERT_URLS")
VELOX_ALERT_KINDS = env.words("VELOX_ALERT_KINDS")
VELOX_ALERT_QUIET = env.hours("VELOX_ALERT_QUIET")
VELOX_DEADMAN_URL = env.url("VELOX_DEADMAN_URL", "", schemes=("http", "https"))

# -- the HTTP interface: of each token and web process ----------------------------------------------------------------
# The proxies whose word is taken for the address that a request comes from.
VELOX_TRUSTED_PROXIES = env.networks("VELOX_TRUSTED_PROXIES")
VELOX_API_REQUESTS_PER_SECOND = env.integer("VELOX_API_REQUESTS_PER_SECOND", 100, minimum=1)

# -- logs ------------------------------------------------------------------------------------------------------------
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
LOG_DIR = DATA_DIR / "logs"
LOGGING_CONFIG = "velox_site.logs.configure"
VELOX_LOG_FORMAT = env.choice("VELOX_LOG_FORMAT", "VELOX", ("VELOX", "ECS"))
LOGGING: dict[str, str | Path] = {
    "folder": LOG_DIR,
    "level": LOG_LEVEL,
    "format": VELOX_LOG_FORMAT.lower(),
    "zone": TIME_ZONE,
}
# Task ids, and the request's that asked for a task. Without a broker there are no tasks, and Celery is not imported.
DJANGO_STRUCTLOG_CELERY_ENABLED = bool(CELERY_BROKER_URL)
DJANGO_STRUCTLOG_REQUEST_CANCELLED_LOG_LEVEL = logging.INFO  # a viewer goes: every live page ends so
