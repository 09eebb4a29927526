"""`python -m tests.ops.flux_language`: have every Flux of the dashboards checked by Flux's own language server.

It comes from npm, pinned, into a folder of this run's own; part of `make chaos`, never of `make test`. It knows names,
arguments and types, as the server does; four planted faults show that it looks.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.ops.flux_texts import OF_INFLUX, written_out

PACKAGE = "@influxdata/flux-lsp-node@0.8.40"  # MIT
SCRIPT = """
const { Flux } = require('@influxdata/flux-lsp-node');
const texts = JSON.parse(require('fs').readFileSync(0));
const valid = text => { try { return new Flux(text).is_valid(); } catch { return false; } };
console.log(JSON.stringify(Object.entries(texts).filter(([, text]) => !valid(text)).map(([name]) => name)));
"""
PLANTED = {
    "range(": "rangee(",
    "every: 1m0s": "evry: 1m0s",
    "|> filter": "> filter",
    '"main"': "5 + x",
}


def main() -> int:
    """Return 0 where all are valid and every planted fault is seen."""
    if not (shutil.which("npm") and shutil.which("node")):
        print("=" * 100, "NOT RUN: the language server of Flux needs npm and node", "=" * 100, sep="\n")
        return 0
    texts = {title: written_out(text) for title, text in OF_INFLUX}
    first = next(iter(texts.values()))
    assert all(right in first for right in PLANTED)
    planted = {f"planted: {wrong}": first.replace(right, wrong, 1) for right, wrong in PLANTED.items()}
    with tempfile.TemporaryDirectory(prefix="velox-flux-") as name:
        folder = Path(name)
        (folder / "package.json").write_text('{"private": true}')
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", PACKAGE], cwd=folder, check=True)
        (folder / "check.cjs").write_text(SCRIPT)
        done = subprocess.run(
            ["node", "check.cjs"],
            cwd=folder,
            input=json.dumps({**texts, **planted}).encode(),
            capture_output=True,
            check=True,
        )
    refused = set(json.loads(done.stdout))
    print(f"{len(texts)} texts of Flux, {len(refused - planted.keys())} of them no Flux; {len(planted)} faults planted")
    for title in sorted(refused - planted.keys()) + sorted(f"not seen: {t}" for t in planted.keys() - refused):
        print(title)
    return int(refused != planted.keys())


if __name__ == "__main__":
    sys.exit(main())
