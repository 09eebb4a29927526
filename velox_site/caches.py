"""Django's caches: `hot` is VELOX's own (`trading.hot.cache`), `default` is an ordinary one for every other app."""

from __future__ import annotations

from typing import TypedDict

# The clients' own time-outs are seconds or none; what hangs must cost a caller, both together, under a fifth of one.
CONNECT_SECONDS, ANSWER_SECONDS = 0.05, 0.1
HOT_ENTRIES_MAX = 100_000  # a local cache's default of 300 drops what a desk of a few hundred symbols keeps


class CacheSettings(TypedDict, total=False):
    """Django's settings of one cache, as far as VELOX sets them."""

    BACKEND: str
    LOCATION: str | list[str]
    KEY_PREFIX: str
    OPTIONS: dict[str, str | float]


def caches(url: str) -> dict[str, CacheSettings]:
    """Return `CACHES` for a Redis, or for this process's own memory where ``url`` is empty."""
    if not url:
        local = "django.core.cache.backends.locmem.LocMemCache"
        return {
            "default": {"BACKEND": local, "LOCATION": "velox-site"},
            "hot": {"BACKEND": local, "LOCATION": "velox", "OPTIONS": {"MAX_ENTRIES": HOT_ENTRIES_MAX}},
        }
    # The address goes in a list: written as a text it would be cut at a comma in the password.
    return {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": [url],
            "KEY_PREFIX": "velox-site",
            "OPTIONS": {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": ANSWER_SECONDS},
        },
        "hot": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": [url],
            "KEY_PREFIX": "velox",
            "OPTIONS": {
                "SERIALIZER": "trading.hot.cache.AsItIs",  # JSON, made and read there: never a pickle
                "SOCKET_CONNECT_TIMEOUT": CONNECT_SECONDS,
                "SOCKET_TIMEOUT": ANSWER_SECONDS,
            },
        },
    }
