"""docs/faults.md, made from the table of faults: `python -m velox_site.fault_docs > docs/faults.md`."""

from __future__ import annotations

import sys

from velox_site import desk  # noqa: F401  (first: it sets Django up)

# isort: split
from trading.health.faults import FAULTS, Fault

HEAD = """\
# Faults

Made from `trading/health/faults.py` by `python -m velox_site.fault_docs`; do not edit it.

Each fault that VELOX tells of itself, once: `manage.py health`, `/metrics` (`velox_part_fault{part, code}`), its own
alerts and the rules of `ops/` have it from this table. A part has one fault at a time, the worst of those it is in.

- *Seconds* pass at most until `health` shows the fault, counted from the limits and periods that its check goes by. A
  look comes when somebody asks: every scrape of Prometheus, every round of VELOX's own alerts. A process's first look
  loads its clients too, InfluxDB's for most of a second of a processor: long on a machine that is overloaded.
- *Held*: a state that may pass by itself is alarmed only after so many seconds more.
- *Mended*: what `manage.py doctor --fix` does about it. Where that is empty a person decides; it never touches what was
  accepted.

Two things look like faults and are none: a feed that is quiet while its exchange is closed (`feed` is ok), and a second
companion, which finds the first one's lock taken, says so, and ends with exit 0.

| fault | part | status | code | seconds | held | cure | mended |
|---|---|---|---|---|---|---|---|
"""


def markdown() -> str:
    """Return the page, one row per fault."""
    return HEAD + "".join(map(_row, FAULTS))


def _row(fault: Fault) -> str:
    cells = (
        fault.name, fault.part, fault.status, f"`{fault.code}`", f"{fault.seconds:g}", f"{fault.hold_seconds:g}",
        fault.cure, fault.mending or "–",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
