"""A file of the store that is gone, cut or altered: named, never a short answer, and filled again from segments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.timeseries.batches import DAY, INDIA, SECOND, at
from tests.timeseries.desks import Desk, desk_in
from tests.timeseries.test_commands import manage, manage_py
from timeseries.errors import StoreDamaged, StoreUnavailable
from timeseries.measurements import TICKS
from timeseries.shipping import healing
from timeseries.shipping.pump import Pump
from timeseries.spool.folder import Spool
from timeseries.stores.base import PointQuery
from timeseries.stores.delta import care as delta_care
from timeseries.stores.delta.store import DeltaStore

OPEN = at("2021-04-12 09:15")
EVERYTHING = PointQuery(TICKS, 0, 2**62)
DAYS = [PointQuery(TICKS, OPEN + number * DAY, OPEN + (number + 1) * DAY) for number in range(2)]


def gone(file: Path) -> None:
    file.unlink()


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def flipped(place: int) -> Callable[[Path], None]:
    def flip(file: Path) -> None:
        content = bytearray(file.read_bytes())
        content[place] ^= 0xFF
        file.write_bytes(content)

    return flip


HARMS = [gone, emptied, cut, flipped(-20), flipped(200)]
NAMES = ["gone", "emptied", "cut", "a byte of the footer", "a byte of a page"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Two days of ticks, each in several files of the store, all of it shipped and its segments kept."""
    desk = desk_in(tmp_path / "data")
    for day in range(2):
        for part in range(3):
            first = OPEN + day * DAY + part * 60 * SECOND
            times = [first + number * SECOND for number in range(20)]
            desk.record("M&M", times, [100.0 + day * 60 + part * 20 + number for number in range(20)])
            assert desk.pump.drain(30)
    return desk


def files(desk: Desk, day: str = "2021-04-12") -> list[Path]:
    """Return the day's files as the table lists them, the oldest first; one that is gone before all others."""
    paths = [Path(file) for file in DeltaTable(str(desk.store.root / "ticks")).file_uris() if f"day={day}" in file]
    return sorted(paths, key=lambda path: path.stat().st_mtime_ns if path.exists() else 0)


def fresh(desk: Desk) -> DeltaStore:
    """Return the store as another process finds it."""
    return DeltaStore(desk.store.root, zone=INDIA)


def closes(store: DeltaStore, query: PointQuery = EVERYTHING) -> list[float]:
    return store.read(query).column("close").to_pylist()


ALL = [100.0 + number for number in range(120)]


@pytest.mark.parametrize("harm", HARMS, ids=NAMES)
def test_a_damaged_file_is_named_the_other_day_answers_and_healing_brings_it_back(
    desk: Desk, harm: Callable[[Path], None]
) -> None:
    file = files(desk)[1]
    harm(file)
    store = fresh(desk)
    [damage] = store.damages(seconds=60)
    assert (damage.name, damage.rows, f"{damage.day}") == (f"ticks/day=2021-04-12/{file.name}", 20, "2021-04-12")
    with pytest.raises(StoreDamaged) as caught:
        store.read(DAYS[0])
    assert file.name in str(caught.value)
    assert "resend" in caught.value.hint
    assert closes(store, DAYS[1]) == ALL[60:]
    assert [one.mended for one in Pump(desk.spool, store).heal()] == [True]
    assert closes(fresh(desk)) == ALL
    assert fresh(desk).damages(seconds=60) == []
    assert desk.pump.points()["balance"] == 0


def test_a_reading_that_needs_no_damaged_file_of_its_day_answers(desk: Desk) -> None:
    files(desk)[0].unlink()
    later = PointQuery(TICKS, OPEN + 60 * SECOND, OPEN + DAY)
    assert closes(fresh(desk), later) == ALL[20:60]
    assert fresh(desk).newest(EVERYTHING).column("close").to_pylist() == [ALL[-1]]
    with pytest.raises(StoreDamaged):
        fresh(desk).first_points(EVERYTHING)


def test_a_free_question_names_the_damaged_file_and_is_not_refused_as_wrong(desk: Desk) -> None:
    file = files(desk)[2]
    cut(file)
    with pytest.raises(StoreDamaged, match=file.name):
        fresh(desk).query_sql("SELECT count(*) FROM ticks", {})
    assert fresh(desk).query_sql("SELECT count(*) AS n FROM indicators", {}).to_pylist() == [{"n": 0}]


def test_the_companion_heals_by_itself_and_says_so(desk: Desk) -> None:
    cut(files(desk)[0])
    emptied(files(desk, "2021-04-13")[0])
    pump = Pump(desk.spool, fresh(desk))
    pump.run_once()
    assert pump.healer.thread
    pump.healer.thread.join()
    assert closes(fresh(desk)) == ALL


def test_health_the_audit_and_resend_name_the_file_and_what_to_do(desk: Desk) -> None:
    file = files(desk)[0]
    gone(file)
    store = json.loads(manage_py(desk, "health", "--format", "json").stdout)["parts"]["store"]
    assert (store["status"], store["code"]) == ("degraded", "store_damaged")
    assert file.name in store["detail"]
    assert "resend --damaged" in store["cure"]
    audited = manage(desk, "spool", "--audit", "--format", "json")
    found = json.loads(audited.stdout)
    assert audited.returncode == 1
    assert found["damaged"] == [{"file": f"ticks/day=2021-04-12/{file.name}", "day": "2021-04-12", "rows": 20}]
    assert sum(row["missing"] for row in found["audit"]) == 20
    assert file.name in manage(desk, "spool", "--audit").stdout
    sent = manage(desk, "resend", "--damaged", "--format", "json")
    assert sent.returncode == 0
    assert json.loads(sent.stdout)["files"] == [
        {"file": f"ticks/day=2021-04-12/{file.name}", "rows": 20, "missing": 0, "mended": True}
    ]
    assert manage(desk, "spool", "--audit").returncode == 0
    store = json.loads(manage_py(desk, "health", "--format", "json").stdout)["parts"]["store"]
    assert store["code"] in ("", "slow")  # slow: of a machine that has much else to do
    assert closes(fresh(desk)) == ALL


def test_resend_since_a_time_heals_too(desk: Desk) -> None:
    gone(files(desk)[0])
    assert manage(desk, "resend", "--since", "2021-04-12").returncode == 0
    assert closes(fresh(desk)) == ALL


def test_rows_that_no_segment_keeps_are_given_up_only_by_word_and_counted(desk: Desk) -> None:
    file = files(desk)[0]
    gone(file)
    first = desk.spool.lane("default", "ticks").segments()[0]
    first.unlink()
    assert [one.mended for one in Pump(desk.spool, fresh(desk)).heal()] == [False]
    with pytest.raises(StoreDamaged):
        closes(fresh(desk))
    sent = manage(desk, "resend", "--damaged", "--format", "json")
    [told] = json.loads(sent.stdout)["files"]
    assert (sent.returncode, told["missing"], told["mended"]) == (1, 20, False)
    assert manage(desk, "resend", "--damaged", "--give-up").returncode == 0
    assert closes(fresh(desk)) == ALL[20:]
    assert fresh(desk).lost() == 20
    store = json.loads(manage_py(desk, "health", "--format", "json").stdout)["parts"]["store"]
    assert (store["code"] in ("", "slow"), "20 rows were lost" in store["detail"]) == (True, True)


def test_a_file_put_back_from_a_copy_is_whole_again(desk: Desk, tmp_path: Path) -> None:
    file = files(desk)[0]
    copy = tmp_path / "copy"
    copy.write_bytes(file.read_bytes())
    cut(file)
    store = fresh(desk)
    assert len(store.damages(seconds=60)) == 1
    file.write_bytes(copy.read_bytes())
    assert store.damages(seconds=60) == []
    assert closes(store) == ALL


def test_the_newer_of_two_writes_of_a_point_is_what_is_healed(desk: Desk) -> None:
    desk.record("M&M", [OPEN], [7.0], ordinals="restart")  # the same point once more
    assert desk.pump.drain(30)
    expected = [7.0, *ALL[1:]]
    assert closes(fresh(desk)) == expected
    for harmed in (files(desk)[-1], files(desk)[0]):
        gone(harmed)
        assert all(one.mended for one in Pump(desk.spool, fresh(desk)).heal())
        assert closes(fresh(desk)) == expected


def test_compaction_leaves_a_damaged_file_out_and_carries_on_elsewhere(desk: Desk) -> None:
    harmed = files(desk)[1]
    flipped(200)(harmed)
    desk.record("M&M", [OPEN + 2 * DAY], [1.0])
    assert desk.pump.drain(30)
    fresh(desk).care(now=OPEN)
    assert len(files(desk)) == 3
    assert len(files(desk, "2021-04-13")) == 1
    assert [one.name.rsplit("/")[-1] for one in fresh(desk).damages()] == [harmed.name]
    assert Pump(desk.spool, fresh(desk)).heal()
    fresh(desk).care(now=OPEN)
    assert len(files(desk)) == 1
    assert closes(fresh(desk)) == [*ALL, 1.0]


def test_a_file_that_goes_while_it_is_merged_is_healed_and_merged_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, merged = fresh(desk), delta_care._merged

    def going(*given: object) -> object:
        for file in files(desk)[:1]:
            file.unlink(missing_ok=True)
        return merged(*given)  # type: ignore[arg-type]

    desk.record("M&M", [OPEN + 2 * DAY], [1.0])
    assert desk.pump.drain(30)
    monkeypatch.setattr(delta_care, "_merged", going)
    with pytest.raises(StoreUnavailable):
        store.care(now=OPEN)
    monkeypatch.undo()
    assert all(one.mended for one in Pump(desk.spool, fresh(desk)).heal())
    fresh(desk).care(now=OPEN)
    assert len(files(desk)) == 1
    assert closes(fresh(desk)) == [*ALL, 1.0]


def test_a_file_that_was_merged_from_many_is_healed_from_all_their_segments(desk: Desk) -> None:
    desk.record("TCS", [OPEN + number * SECOND for number in range(5)], range(1, 6), source="second")
    assert desk.pump.drain(30)
    desk.record("M&M", [OPEN + 2 * DAY], [1.0])
    assert desk.pump.drain(30)
    expected = closes(fresh(desk))
    fresh(desk).care(now=OPEN)
    [merged] = files(desk)
    cut(merged)
    [mending] = Pump(desk.spool, fresh(desk)).heal()
    assert (mending.rows, mending.missing, mending.mended) == (65, 0, True)
    assert closes(fresh(desk)) == expected


def test_a_damaged_file_of_an_account_alone_does_not_keep_the_account_from_being_cleared(desk: Desk) -> None:
    desk.record("M&M", [OPEN + number for number in range(9)], range(1, 10), account="replay", source="replay")
    assert desk.pump.drain(30)
    cut(files(desk)[-1])
    desk.pump.clear_account("replay")
    assert closes(fresh(desk)) == ALL
    assert fresh(desk).damages(seconds=60) == []
    assert desk.pump.points()["balance"] == 0


def test_two_processes_that_heal_at_once_leave_every_point_once(desk: Desk) -> None:
    for day in ("2021-04-12", "2021-04-13"):
        gone(files(desk, day)[0])
    running = [subprocess.Popen(healer(desk), stdin=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    assert closes(fresh(desk)) == ALL
    assert fresh(desk).damages(seconds=60) == []


def healer(desk: Desk, *more: str) -> list[str]:
    code = "import sys; from tests.timeseries import test_healing; test_healing.heal_in(*sys.argv[1:])"
    return [sys.executable, "-c", code, str(desk.folder), *more]


def heal_in(folder: str, dies_before: str = "") -> None:
    """Heal as a process of its own; ``dies_before`` the write or the dropping it is killed."""
    spool, store = Spool(Path(folder) / "spool"), DeltaStore(Path(folder) / "delta", zone=INDIA)
    store.slice_rows = 10
    if dies_before == "the second write":
        restore, restored = store.restore, []

        def dying(batch: object) -> object:
            restored.append(batch)
            return restore(batch) if len(restored) < 2 else os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[arg-type]

        store.restore = dying  # type: ignore[method-assign,assignment]
    elif dies_before == "the dropping":
        delta_care.drop = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
    Pump(spool, store).heal()


@pytest.mark.parametrize("moment", ["the second write", "the dropping"])
def test_a_healing_that_was_killed_is_finished_by_the_next_and_reads_no_short_answer(desk: Desk, moment: str) -> None:
    gone(files(desk)[0])
    assert subprocess.run(healer(desk, moment), check=False).returncode == -signal.SIGKILL
    with pytest.raises(StoreDamaged):
        closes(fresh(desk), DAYS[0])
    for _ in range(2):
        assert all(one.mended for one in Pump(desk.spool, fresh(desk)).heal())
        assert closes(fresh(desk)) == ALL


def test_a_disk_that_is_full_while_healing_leaves_the_file_named_and_healing_goes_on_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone(files(desk)[0])
    store = fresh(desk)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(store.writers["ticks"], "add_file", full)
        with pytest.raises(StoreUnavailable, match="No space left"):
            Pump(desk.spool, store).heal()
    assert len(store.damages()) == 1
    with pytest.raises(StoreDamaged):
        closes(store)
    assert all(one.mended for one in Pump(desk.spool, store).heal())
    assert closes(fresh(desk)) == ALL


def test_a_file_that_cannot_be_healed_is_not_tried_again_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    gone(files(desk)[0])
    desk.spool.lane("default", "ticks").segments()[0].unlink()
    now = [0.0]
    healer = healing.Healer(desk.spool, fresh(desk), owner="a test", clock=lambda: now[0])
    tries: list[float] = []
    heal = healing.heal
    monkeypatch.setattr(healing, "heal", lambda *given, **more: (tries.append(now[0]), heal(*given, **more))[1])
    for second in range(0, 301, 15):
        now[0] = float(second)
        healer.run_once()
    assert tries == [0.0, 60.0, 180.0]


def test_files_of_an_older_build_without_a_checksum_are_found_when_they_cannot_be_read(desk: Desk) -> None:
    file = files(desk)[0]
    table = DeltaTable(str(desk.store.root / "ticks"))
    plain = file.with_name("older.parquet")
    file.rename(plain)
    log = desk.store.root / "ticks" / "_delta_log"
    for entry in log.glob("*.json"):
        entry.write_text(entry.read_text().replace(file.name, plain.name))
    assert table.version() > 0
    assert closes(fresh(desk)) == ALL
    assert fresh(desk).damages(seconds=60) == []
    cut(plain)
    [damage] = fresh(desk).damages(seconds=60)
    assert damage.name.endswith("older.parquet")
    assert all(one.mended for one in Pump(desk.spool, fresh(desk)).heal())
    assert closes(fresh(desk)) == ALL
