"""`python -m ops.prometheus`: write the rules of Prometheus and their tests, as ops/prometheus has them."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from ops.prometheus.rules import RULES_FILE, fortnight_tests, rule_tests, rules

FOLDER = Path(__file__).resolve().parent
HEAD = "# Made from docs/faults.md's table by `python -m ops.prometheus`; do not edit it.\n"


def files() -> dict[Path, str]:
    """Return each file with their texts."""
    contents = {
        RULES_FILE: rules(),
        "velox_rules_test.yml": rule_tests(),
        "velox_fortnight_test.yml": fortnight_tests(),
    }
    return {
        FOLDER / name: HEAD + yaml.safe_dump(json.loads(json.dumps(content)), sort_keys=False, width=120)
        for name, content in contents.items()
    }


def main() -> None:
    """Write them."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
