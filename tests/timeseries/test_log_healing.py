"""The log of a table that is gone, cut or emptied: said, and made anew from the files that lie beside it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.timeseries.batches import INDIA, SECOND, at, batch, prices
from tests.timeseries.desks import Desk, desk_in
from tests.timeseries.test_commands import manage
from timeseries.errors import StoreDamaged
from timeseries.measurements import INDICATORS, TICKS
from timeseries.shipping.pump import Pump
from timeseries.spool.folder import Spool
from timeseries.stores.base import PointQuery
from timeseries.stores.delta import log as delta_log
from timeseries.stores.delta import table as delta_table
from timeseries.stores.delta.store import DeltaStore

OPEN = at("2021-04-12 09:15")
EVERYTHING = PointQuery(TICKS, 0, 2**62)
WRITES = 12


def entry(log: Path, number: int) -> Path:
    return log / f"{number:020d}.json"


def checkpoints(log: Path) -> list[Path]:
    return sorted(log.glob("*.checkpoint.parquet"))


def without_old_entries(log: Path) -> None:
    for path in log.glob("*.json"):
        if int(path.stem) <= 10:
            path.unlink()


HARMS: dict[str, Callable[[Path], object]] = {
    "gone": shutil.rmtree,
    "an entry gone": lambda log: entry(log, 11).unlink(),
    "an entry cut": lambda log: entry(log, 12).write_bytes(entry(log, 12).read_bytes()[:-30]),
    "an entry emptied": lambda log: entry(log, 12).write_bytes(b""),
    "the checkpoints gone": lambda log: [path.unlink() for path in checkpoints(log)],
    "the checkpoint cut": lambda log: checkpoints(log)[-1].write_bytes(checkpoints(log)[-1].read_bytes()[:-50]),
    "old entries and the checkpoints gone": lambda log: (
        without_old_entries(log),
        [path.unlink() for path in checkpoints(log)],
    ),
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose table of ticks has seen many commits and two checkpoints."""
    monkeypatch.setitem(delta_table.CONFIGURATION, "delta.checkpointInterval", "5")
    desk = desk_in(tmp_path / "data")
    for number in range(WRITES):
        desk.record("M&M", [OPEN + number * SECOND], [number + 1.0])
        assert desk.pump.drain(30)
    return desk


def log_of(desk: Desk) -> Path:
    return desk.store.root / "ticks" / "_delta_log"


def fresh(desk: Desk) -> DeltaStore:
    return DeltaStore(desk.store.root, zone=INDIA)


def closes(store: DeltaStore) -> list[float]:
    return store.read(EVERYTHING).column("close").to_pylist()


ALL = [number + 1.0 for number in range(WRITES)]


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_a_damaged_log_is_named_and_made_anew_without_losing_a_row(desk: Desk, harm: Callable[[Path], object]) -> None:
    reader = fresh(desk)
    assert closes(reader) == ALL
    harm(log_of(desk))
    store = fresh(desk)
    with pytest.raises(StoreDamaged, match="ticks/_delta_log"):
        closes(store)
    assert store.query_sql("SELECT count(*) AS n FROM indicators", {}).to_pylist() == [{"n": 0}]
    [damage] = store.damages()
    assert damage.name == "ticks/_delta_log"
    assert all(one.mended for one in Pump(desk.spool, store).heal())
    assert [closes(one) for one in (store, fresh(desk), reader)] == [ALL] * 3
    assert list((desk.store.root / "ticks" / "_damaged").glob("log-*")) or harm is shutil.rmtree
    # Shipping goes on, in this process as in others; what is written last still stands.
    desk.record("M&M", [OPEN], [7.0], ordinals="restart")
    assert desk.pump.drain(30)
    assert closes(reader) == closes(fresh(desk)) == [7.0, *ALL[1:]]
    fresh(desk).care(now=OPEN)
    assert closes(reader) == closes(fresh(desk)) == [7.0, *ALL[1:]]
    assert desk.pump.points()["balance"] == 0


def test_a_lost_last_commit_is_noticed_by_the_companion_and_its_points_come_again(desk: Desk) -> None:
    entry(log_of(desk), WRITES).unlink()
    assert closes(fresh(desk)) == ALL[:-1]
    Pump(desk.spool, fresh(desk)).healer.run_once()
    assert closes(fresh(desk)) == ALL


def test_files_that_were_removed_do_not_come_back_with_a_new_log(desk: Desk) -> None:
    desk.record("M&M", [OPEN], [9.0], account="replay", source="replay")
    assert desk.pump.drain(30)
    desk.pump.clear_account("replay")
    (checkpoints(log_of(desk))[-1]).write_bytes(b"")
    assert all(one.mended for one in Pump(desk.spool, fresh(desk)).heal())
    assert closes(fresh(desk)) == ALL


def test_a_file_that_is_damaged_beside_its_log_is_named_by_the_new_one_and_healed_next(desk: Desk) -> None:
    files = sorted((desk.store.root / "ticks").glob("day=*/*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    files[0].unlink()
    files[1].write_bytes(b"")
    shutil.rmtree(log_of(desk))
    Pump(desk.spool, fresh(desk)).heal()
    with pytest.raises(StoreDamaged, match=files[1].name):
        closes(fresh(desk))
    Pump(desk.spool, fresh(desk)).heal()
    # Nothing tells what was in it, so all that its day lacks is written again: the rows of the other one, too.
    assert closes(fresh(desk)) == ALL
    assert manage(desk, "spool", "--audit").returncode == 0


def relist_in(folder: str) -> None:
    """Make the log anew as a process of its own, and be killed between taking the old one away and the new one."""
    os_rename, renamed = os.rename, []

    def dying(source: object, target: object) -> None:
        if str(source).endswith("_delta_log"):
            renamed.append(source)
            if len(renamed) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        os_rename(source, target)  # type: ignore[arg-type]

    delta_log.os.rename = dying  # type: ignore[assignment]
    Pump(Spool(Path(folder) / "spool"), DeltaStore(Path(folder) / "delta", zone=INDIA)).heal()


def test_killed_between_the_old_log_and_the_new_one_the_next_healing_makes_it(desk: Desk) -> None:
    entry(log_of(desk), 11).write_bytes(b"")
    code = "import sys; from tests.timeseries import test_log_healing; test_log_healing.relist_in(sys.argv[1])"
    assert subprocess.run([sys.executable, "-c", code, str(desk.folder)], check=False).returncode == -signal.SIGKILL
    assert not log_of(desk).exists()
    with pytest.raises(StoreDamaged):
        closes(fresh(desk))
    assert all(one.mended for one in Pump(desk.spool, fresh(desk)).heal())
    assert closes(fresh(desk)) == ALL


def test_a_table_without_its_log_takes_no_write_that_would_begin_it_anew(desk: Desk) -> None:
    shutil.rmtree(log_of(desk))
    store = fresh(desk)
    with pytest.raises(StoreDamaged):
        store.write(batch(prices("M&M", [OPEN + 99 * SECOND], [1.0]), first=WRITES + 1))
    assert len(list((desk.store.root / "ticks").glob("day=*/*.parquet"))) == WRITES


def test_a_table_without_its_log_keeps_no_other_from_its_care(desk: Desk) -> None:
    store = fresh(desk)
    for day in range(2):
        for part in range(3):
            times = [OPEN + day * 86_400 * SECOND + part]
            points = batch([({"symbol": "M&M", "timeframe": ""}, times[0], {"values": {}})], measurement=INDICATORS)
            store.write(replace(points, source=f"source {part}"))
    shutil.rmtree(log_of(desk))
    with pytest.raises(StoreDamaged):
        store.care(now=OPEN)
    table = DeltaTable(str(desk.store.root / "indicators"))
    assert sorted(Path(file).parent.name for file in table.file_uris()).count("day=2021-04-12") == 1
