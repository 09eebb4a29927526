"""`make screenshots`: open every page on a laptop and on a phone, light and dark; pictures in var/screenshots."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests import page_desk
from tests.browser import LAPTOP, PHONE, ROOT, Browser, chromium, filled, manage, server

FOLDER = ROOT / "var" / "screenshots"
PAGES = {
    "overview": "/",
    "trades": "/trades/",
    "new-trade": "/trades/new/",
    "trade": "/trades/4/",
    "trade-prices": "/trades/4/prices/",
    "trade-journal": "/trades/4/journal/",
    "trade-log": "/trades/4/log/",
    "strategies": "/strategies/?days=all&strategy=ema_cross",
    "calendar": "/calendar/",
    "day": "/days/2024-03-15/",
    "strategy": "/strategies/1/?days=all",
    "symbols": "/symbols/?days=all",
    "symbol": "/symbols/38/?days=all",
    "signals": "/signals/?followed=15",
    "brokers": "/brokers/",
    "reconcile": "/reconcile/?account=replay",
    "system": "/system/",
    "proof": "/system/proof/",
    "logs": "/system/logs/",
    "admin": "/admin/",
    "admin-trades": "/admin/trading/trade/",
    "admin-trade": "/admin/trading/trade/3/change/",
    "admin-signals": "/admin/trading/signal/",
}
LOOKS = {
    f"{name}-{scheme}": (size, scheme == "dark")
    for name, size in (("laptop", LAPTOP), ("phone", PHONE))
    for scheme in ("light", "dark")
}


def main() -> int:
    """Write the pictures; return 1 where a page complained or was wider than its window."""
    with tempfile.TemporaryDirectory(dir=_var(), prefix="screenshots-") as folder:
        faults = _of_desk(filled(Path(folder) / "desk"), Path(folder) / "profile")
        faults += _of_empty_desk(Path(folder) / "empty", Path(folder) / "profile-2")
    print("\n".join(faults) or f"Pictures in {FOLDER.relative_to(ROOT)}/")
    return 1 if faults else 0


def _var() -> Path:
    (ROOT / "var").mkdir(exist_ok=True)
    return ROOT / "var"


def _of_desk(data_dir: Path, profile: Path) -> list[str]:
    with server(data_dir) as address, chromium(profile, address) as browser:
        faults = _pictures(browser, {"login": "/login/"})
        browser.log_in("asha", page_desk.PASSWORD)
        return faults + _pictures(browser, PAGES)


def _of_empty_desk(data_dir: Path, profile: Path) -> list[str]:
    data_dir.mkdir(mode=0o700)
    manage(data_dir, "migrate", "--verbosity", "0")
    make = (
        "from trading.models import User; User.objects.create_superuser('asha', password='" + page_desk.PASSWORD + "')"
    )
    manage(data_dir, "shell", "--command", make)
    with server(data_dir) as address, chromium(profile, address) as browser:
        browser.log_in("asha", page_desk.PASSWORD)
        return _pictures(browser, {"empty": "/"})


def _pictures(browser: Browser, pages: dict[str, str]) -> list[str]:
    faults = []
    for look, (size, dark) in LOOKS.items():
        browser.show(size, dark=dark)
        for name, address in pages.items():
            browser.open(address)
            browser.picture(FOLDER / f"{name}-{look}.png")
            faults += [f"{name}-{look}: {complaint}" for complaint in browser.complaints()]
            if browser.overflow() > 0:
                faults.append(f"{name}-{look}: {browser.overflow()} px too wide")
    return faults


if __name__ == "__main__":
    sys.exit(main())
