"""What the types catch, by mypy itself: a check that cannot fail is a defect.

In the last folder: `make check`, which shares mypy's cache, runs beside the first ones.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FACADE = "trading/data_manager.py"
# A keyword of each operation as the facade hands it on, and the same misspelt.
MISSPELT = {
    "stop_price=stop_price,": "stopp_price=stop_price,",  # open_position
    "flip_to=flip_to,": "flip_too=flip_to,",  # add_fill
    "exit_reason=exit_reason,": "exit_raison=exit_reason,",  # close_position
    "key=key,": "keey=key,",  # apply_split
    "reason=reason)": "raison=reason)",  # record_signal
    "source=source, strategy_id": "sauce=source, strategy_id",  # set_charges
    "method, at=at)": "method, att=at)",  # update_trailing_sl
}


def test_a_misspelt_keyword_that_the_facade_hands_on_to_the_ledger_is_a_type_error(tmp_path: Path) -> None:
    text = (ROOT / FACADE).read_text(encoding="utf-8")
    for right, wrong in MISSPELT.items():
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    misspelt = tmp_path / "data_manager.py"
    misspelt.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--shadow-file", FACADE, str(misspelt), FACADE]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    refused = re.findall(r'Unexpected keyword argument "(\w+)"', checked.stdout)
    assert sorted(refused) == sorted(wrong.partition("=")[0].split()[-1] for wrong in MISSPELT.values()), checked.stdout
