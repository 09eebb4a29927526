"""`python -m ops.grafana`: write the dashboards and what Grafana is provisioned with, as ops/grafana has them."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from ops.grafana.live_boards import DESK, LEDGER, TELEMETRY
from ops.grafana.parts import Json
from ops.grafana.provisioned import BOARDS, CONTACTS, RULES, SOURCES
from ops.grafana.trading_boards import STRATEGIES, STRATEGY_BOARD, SYMBOL_BOARD

FOLDER = Path(__file__).resolve().parent
DASHBOARDS = (DESK, STRATEGIES, STRATEGY_BOARD, SYMBOL_BOARD, TELEMETRY, LEDGER)
PROVISIONED: dict[str, Json] = {
    "datasources/velox.yaml": SOURCES,
    "dashboards/velox.yaml": BOARDS,
    "alerting/rules.yaml": RULES,
    "alerting/contacts.yaml": CONTACTS,
}
HEAD = "# Made by `python -m ops.grafana`; do not edit it.\n"


def files() -> dict[Path, str]:
    """Return every file that Grafana reads, with its text."""
    texts = {
        FOLDER / "dashboards" / f"{dashboard.uid}.json": json.dumps(dashboard.json(), indent=1) + "\n"
        for dashboard in DASHBOARDS
    }
    for name, content in PROVISIONED.items():
        plain = json.loads(json.dumps(content))  # no aliases in YAML for what several entries share
        texts[FOLDER / "provisioning" / name] = HEAD + yaml.safe_dump(plain, sort_keys=False, width=120)
    return texts


def main() -> None:
    """Write them."""
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
