"""The few rules of the house that a machine holds well."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("velox_site", "lab", "trading", "timeseries")
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-lab.txt", "requirements-patterns.txt",
         "requirements-lab-ray.txt", "requirements-lab-dask.txt", "requirements-archive.txt",
         "requirements-kafka.txt", "requirements-spark.txt")  # fmt: skip


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in sorted((ROOT / folder).rglob("*.py")) if "migrations" not in path.parts)


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def names(path: Path) -> Iterator[str]:
    """Yield every dotted name that a module uses, called or handed on, and `module.name` of what it imports by name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def test_nothing_is_pickled() -> None:
    guilty = [
        path for path in sources(*PACKAGES) if {"pickle", "cloudpickle", "marshal", "shelve"} & set(imported(path))
    ]
    assert guilty == []


def test_no_signals_are_received() -> None:
    guilty = [path for path in sources(*PACKAGES) if any(name.startswith("django.dispatch") for name in imported(path))]
    assert guilty == []


def test_only_the_store_for_it_imports_the_influx_client() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in sources(*PACKAGES)
        if any("influxdb_client" in n for n in imported(path))
    }
    assert users <= {"timeseries/stores/influx/server.py"}


def test_only_the_hot_state_touches_the_cache() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in sources("lab", "trading", "timeseries")
        if "django.core.cache" in set(imported(path))
    }
    assert users <= {"trading/hot/cache.py"}


def test_files_are_locked_in_one_place_which_gives_the_lock_back_whatever_forks() -> None:
    takers = {path.relative_to(ROOT).as_posix() for path in sources(*PACKAGES) if "fcntl.flock" in calls(path)}
    assert takers == {"timeseries/spool/locks.py"}


def test_modules_stay_under_four_hundred_lines() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): n
        for path in sources(*PACKAGES)
        if (n := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_files_are_brought_to_the_disk_in_one_place() -> None:
    callers = {
        path.relative_to(ROOT).as_posix()
        for path in sources(*PACKAGES)
        if {"os.fsync", "os.fdatasync", "os.sync"} & set(names(path))
    }
    assert callers == {"timeseries/spool/durable.py"}


# Whoever sleeps cannot be woken: each module that may, with what it waits for that has no condition to wait on.
SLEEPERS = {
    "timeseries/shipping/healing.py": "a lane's lease, which another process holds for the length of a slice",
    "timeseries/shipping/pump.py": "the companion's progress, which it leaves in files alone",
    "timeseries/shipping/shipper.py": "the spool's gate, a file lock that has a time limit",
    "timeseries/spool/folder.py": "a source's lock, a file lock that has a time limit",
    "timeseries/spool/lane.py": "a frame that another processor is just writing to mapped memory",
    "timeseries/spool/syncer.py": "its next window, once the pipe to its companion is closed",
    "timeseries/stores/delta/archive.py": "another process's pass over the archive, a file lock that has a time limit",
    "timeseries/stores/delta/table.py": "another process that tidies the table's log",
    "trading/api/tick_application.py": "the loop's next turn, at which a server hears of a client who left",
    "trading/management/commands/health.py": "its next look, for whoever watches in a terminal",
    "trading/management/commands/ship.py": "the companion's follower, whose progress is in the ledger alone",
    "trading/replay.py": "the pace at which ticks are replayed",
    "trading/summon.py": "the companion's lock, at which somebody only looks",
    "trading/telemetry.py": "the companion's follower, whose progress is in the ledger alone",
    "trading/transactions.py": "SQLite's writers' lock, a file lock that has a time limit",
    "trading/live/channel.py": "the next look for the viewers of a page, at a ledger and a spool that tell nobody",
    "velox_site/log_reader.py": "further lines of a log, for whoever follows it in a terminal",
    "velox_site/serve.py": "its own health page's first answer, and connections that come as it ends",
}


def test_only_these_modules_sleep() -> None:
    sleepers = {
        path.relative_to(ROOT).as_posix()
        for path in sources(*PACKAGES)
        if {"time.sleep", "asyncio.sleep"} & set(names(path))
    }
    assert sleepers == SLEEPERS.keys()


@pytest.mark.parametrize("banned", ["eval", "exec", "os.system", "datetime.utcnow"])
def test_no_banned_call(banned: str) -> None:
    assert [path for path in sources(*PACKAGES) if banned in set(calls(path))] == []


def test_nothing_is_left_unfinished() -> None:
    words = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    guilty = [
        path for path in sources(*PACKAGES, "bench", "examples") if words.search(path.read_text(encoding="utf-8"))
    ]
    assert guilty == []


def test_every_variable_of_the_environment_is_documented() -> None:
    read = set(re.findall(r'env\.\w+\("([A-Z0-9_]+)"', (ROOT / "velox_site/settings.py").read_text()))
    documented = set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert len(read) > 15
    assert read - documented - {"VELOX_DATA_DIR"} == set()


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = {path.stem for package in PACKAGES for path in (ROOT / package).glob("management/commands/[a-z]*.py")}
    assert commands
    assert {name for name in commands - {"migrate"} if f"manage.py {name}" not in readme} == set()


def test_every_module_that_a_page_names_is_there() -> None:
    """A page may leave out the package, or the room that its sentence is about."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    roots = [ROOT, *(ROOT / package for package in PACKAGES)]
    named = {
        (page.name, path)
        for page in pages
        if page.name != "CHANGELOG.md"
        for path in re.findall(r"`((?:\w+/)+\w+\.py)`", page.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert {(page, path) for page, path in named if not any((root / path).is_file() for root in roots)} == set()


def test_locks_carry_hashes_and_no_address() -> None:
    for name in LOCKS:
        text = (ROOT / name).read_text()
        pins = re.findall(r"^[a-z0-9][^\s]*==[^\s]+.*$", text, re.M)
        assert len(pins) > 20
        assert text.count("--hash=sha256:") >= len(pins)
        assert not re.search(r"https?://|--(extra-)?index|--find-links|--trusted-host", text)


def test_no_text_sends_anybody_to_the_registry_for_a_package_of_velox() -> None:
    """The registry has a stranger's package of that name: what an extra brings is named by itself, or by its lock."""
    texts = (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *sources(*PACKAGES))
    assert [path for path in texts if re.search(r"install ['\"]?velox\b", path.read_text(encoding="utf-8"))] == []


def test_all_locks_pin_the_same_versions() -> None:
    pins = [dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*])?==([^\s;]+)", (ROOT / n).read_text(), re.M)) for n in LOCKS]
    assert all(pins)
    for other in pins[1:]:
        shared = {name: (version, other[name]) for name, version in pins[0].items() if name in other}
        assert {name: pair for name, pair in shared.items() if pair[0] != pair[1]} == {}
        assert pins[0].keys() - other.keys() == set()
    for name in set.intersection(*(set(lock) for lock in pins[1:])):
        assert len({lock[name] for lock in pins[1:]}) == 1, name
