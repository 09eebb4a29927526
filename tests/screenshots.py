"""`make screenshots`: open every page of the demo, light, dark, wide and on a phone; pictures in build/screenshots."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.browser import LAPTOP, NARROW, ROOT, WIDE, Browser, chromium, manage, server

FOLDER = ROOT / "build" / "screenshots"
DEMO = ROOT / "var" / "demo"  # that of `make run`; made where it is not there yet
LOOKS = {"light": (LAPTOP, False), "dark": (LAPTOP, True), "wide": (WIDE, False), "phone": (NARROW, False)}
MISSING = {"error-404", "strategy-nothing"}
STRANGERS = {"login": "/login/"}
ROWS = {  # what the addresses below are filled with
    "last": "SELECT id, trading_day FROM trading_trade WHERE strategy_id IN (SELECT id FROM trading_strategy WHERE"
    " code = 'opening_range') AND state = 'CLOSED' ORDER BY opened_at DESC LIMIT 1",
    "carried": "SELECT id FROM trading_trade WHERE state = 'OPEN'",
    "early": "SELECT id, trading_day FROM trading_trade WHERE exit_reason = 'trailing_stop' ORDER BY opened_at LIMIT 1",
    "strategy": "SELECT id FROM trading_strategy WHERE code = 'ema_cross'",
    "symbol": "SELECT id FROM trading_instrument WHERE symbol = 'RELIANCE'",
    "gap": "SELECT day FROM trading_feedgap",
    "run": "SELECT id FROM lab_keptrun WHERE kind = 'backtest' ORDER BY id DESC LIMIT 1",
    "search": "SELECT id FROM lab_keptrun WHERE kind = 'optimize'",
    "stops": "SELECT id FROM lab_keptrun WHERE kind = 'stop_lab'",
    "parting": "SELECT id FROM lab_keptrun WHERE kind = 'gap'",
    "motifs": "SELECT id FROM lab_keptrun WHERE kind = 'motifs'",
    "candles": "SELECT id FROM lab_keptrun WHERE kind = 'candles'",
    "model": "SELECT id FROM lab_signalmodel",
    "note": "SELECT day FROM trading_daynote WHERE version = 2",
}
PAGES = {
    "overview": "/",
    "overview-nothing": "/?account=replay",
    "calendar": "/calendar/",
    "calendar-nothing": "/calendar/?account=replay",
    "day": "/days/{last[1]}/",
    "day-gap": "/days/{gap[0]}/",
    "day-note": "/days/{note[0]}/",
    "trades": "/trades/",
    "trades-filtered": "/trades/?result=loss&side=SHORT",
    "trades-nothing": "/trades/?account=replay",
    "trade": "/trades/{last[0]}/",
    "trade-open": "/trades/{carried[0]}/",
    "trade-early": "/trades/{early[0]}/",
    "trade-prices": "/trades/{last[0]}/prices/",
    "trade-journal": "/trades/{last[0]}/journal/",
    "trade-log": "/trades/{last[0]}/log/",
    "trade-new": "/trades/new/",
    "trade-fill": "/trades/{carried[0]}/fill/",
    "trade-close": "/trades/{carried[0]}/close/",
    "strategies": "/strategies/?days=all",
    "strategy": "/strategies/{strategy[0]}/?days=all",
    "strategy-nothing": "/strategies/{strategy[0]}/?days=all&account=replay",
    "symbols": "/symbols/?days=all",
    "symbol": "/symbols/{symbol[0]}/?days=all",
    "signals": "/signals/",
    "lab": "/lab/",
    "lab-nothing": "/lab/?account=replay",
    "lab-run": "/lab/runs/{run[0]}/",
    "lab-search": "/lab/runs/{search[0]}/",
    "lab-windows": "/lab/runs/{search[0]}/windows/",
    "lab-surface": "/lab/runs/{search[0]}/surface/",
    "lab-stops": "/lab/runs/{stops[0]}/",
    "lab-gap": "/lab/runs/{parting[0]}/",
    "lab-motifs": "/lab/runs/{motifs[0]}/",
    "lab-candles": "/lab/runs/{candles[0]}/",
    "lab-model": "/lab/models/{model[0]}/",
    "brokers": "/brokers/",
    "reconcile": "/reconcile/",
    "limits": "/limits/",
    "alerts": "/alerts/",
    "interface": "/api/v1/docs/",
    "system": "/system/",
    "system-proof": "/system/proof/",
    "system-logs": "/system/logs/",
    "password": "/password/",
    "admin": "/admin/",
    "admin-trades": "/admin/trading/trade/",
    "admin-trade": "/admin/trading/trade/{last[0]}/change/",
    "admin-signals": "/admin/trading/signal/",
    "admin-instruments": "/admin/trading/instrument/",
    "admin-instrument": "/admin/trading/instrument/{symbol[0]}/change/",
    "admin-strategies": "/admin/trading/strategy/",
    "admin-journal": "/admin/trading/journal/",
    "trades-refused": "/trades/?side=UPWARDS",
    "error-404": "/trades/999999/",
}


def main() -> int:
    """Write the pictures; return 1 where a page complained or was wider than its window."""
    pages = demo_pages()
    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as profile,
        server(DEMO) as address,
        chromium(Path(profile), address) as browser,
    ):
        faults = pictures(browser, STRANGERS)
        browser.log_in(*(DEMO / "login").read_text(encoding="utf-8").split())
        faults += pictures(browser, pages)
    print("\n".join(faults) or f"Pictures in {FOLDER.relative_to(ROOT)}/")
    return 1 if faults else 0


def demo_pages() -> dict[str, str]:
    """Return each page's address in the demo of `make run`, which is made where it is not there yet."""
    for step in ("--prepare", "--fill", "--look"):
        manage(DEMO, "demo", step)
    with closing(sqlite3.connect(DEMO / "ledger.sqlite3")) as ledger:
        rows = {name: ledger.execute(query).fetchone() for name, query in ROWS.items()}
    return {name: address.format(**rows) for name, address in PAGES.items()}


def pictures(browser: Browser, pages: dict[str, str]) -> list[str]:
    """Write a picture of each page in each look; return what it complained of, and by how much it was too wide."""
    faults = []
    for look, (size, dark) in LOOKS.items():
        browser.show(size, dark=dark)
        for name, address in pages.items():
            browser.open(address)
            browser.settle()
            browser.picture(FOLDER / f"{name}-{look}.png")
            complaints = [line for line in browser.complaints() if "404 (Not Found)" not in line or name not in MISSING]
            faults += [f"{name}-{look}: {complaint}" for complaint in complaints]
            if browser.overflow() > 0:
                faults.append(f"{name}-{look}: {browser.overflow()} px too wide")
    return faults


if __name__ == "__main__":
    sys.exit(main())
