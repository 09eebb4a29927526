"""The site as it is deployed: Django's own checks, and what https switches on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import ROOT, environment

SHOW = """
import json, django
django.setup()
from django.conf import settings
names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "DEBUG",
         "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "SILENCED_SYSTEM_CHECKS")
print(json.dumps({name: getattr(settings, name) for name in names}))
"""


def run(data_dir: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    settings = {"DJANGO_SETTINGS_MODULE": "velox_site.settings", **more}
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(data_dir, **settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_deployment_check_finds_nothing_and_nothing_is_silenced(tmp_path: Path) -> None:
    done = run(
        tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING", VELOX_SITE_URL="https://velox.example"
    )
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout


@pytest.mark.parametrize("url", ["https://velox.example", "http://localhost:8123"])
def test_cookies_are_secure_on_https_and_work_on_http(tmp_path: Path, url: str) -> None:
    done = run(tmp_path, "-c", SHOW, VELOX_SITE_URL=url)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    https = url.startswith("https")
    assert shown["SESSION_COOKIE_SECURE"] is shown["CSRF_COOKIE_SECURE"] is shown["SECURE_SSL_REDIRECT"] is https
    assert bool(shown["SECURE_HSTS_SECONDS"]) is https
    assert shown["CSRF_TRUSTED_ORIGINS"] == [url]
    assert shown["DEBUG"] is False
    assert shown["SILENCED_SYSTEM_CHECKS"] == []
