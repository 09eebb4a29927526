"""/metrics: who gets it, in which text, what stands in it, and that a part that hangs holds no scrape."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from tests import page_desk
from tests.trading.fault_makers import fact_of_the_intake
from timeseries import presence, wiring
from trading.data_manager import DataManager
from trading.domain.money import to_units
from trading.errors import UnknownTrade
from trading.metrics import desk as desk_metrics
from trading.metrics import snapshot, system
from trading.metrics.series import COUNTER, GAUGE, HISTOGRAM, SERIES, MetricReading, MetricSeries
from trading.metrics.snapshot import Readings, RecentSnapshot, read
from trading.metrics.text import Texts, _Single
from trading.queries.accounts import get_account
from trading.queries.day import day_figures
from trading.queries.period import desk_date
from trading.web import metrics
from velox_site.metrics_docs import markdown

TOKEN = "a token of this test"
DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
STOPPED = {"account": "main", "currency": "INR", "strategy": "stopped"}
BARE = {"account": "main", "currency": "INR", "strategy": "bare"}


@pytest.fixture(autouse=True)
def recent(ledger: Any, alone: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> RecentSnapshot:
    settings.VELOX_METRICS_TOKEN = TOKEN
    patient = RecentSnapshot(patience_seconds=600)
    monkeypatch.setattr(metrics, "recent", patient)
    return patient


@pytest.fixture
def dm() -> Iterator[DataManager]:
    with DataManager() as manager:
        yield manager


def scrape(accept: str = "", token: str = TOKEN) -> Any:
    return Client().get("/metrics", headers={"Authorization": f"Bearer {token}", "Accept": accept})


def now() -> datetime:
    return datetime.now(UTC)


def close(dm: DataManager, trade_id: str, price: Decimal | int, **keywords: Any) -> None:
    symbol = next(held.symbol for held in dm.get_open_positions() if held.trade_id == trade_id)
    dm.close_position(trade_id, None, symbol, price, now(), **keywords)


def numbers(name: str, **labels: str) -> list[float]:
    """Return a series' numbers as a scraper reads them."""
    families = prometheus(scrape().content.decode())
    samples = (sample for family in families for sample in family.samples)
    return [sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()]


class TestWhoGetsIt:
    def test_without_a_token_in_the_settings_there_is_no_such_address(self, settings: Any) -> None:
        settings.VELOX_METRICS_TOKEN = ""
        assert scrape(token="").status_code == 404

    @pytest.mark.parametrize(
        "header", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", "Bearer \xe9", TOKEN]
    )
    def test_another_token_is_refused(self, header: str) -> None:
        answer = Client().get("/metrics", headers={"Authorization": header} if header else {})
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert b"velox_" not in answer.content

    def test_a_desk_on_https_answers_a_scraper_beside_it_which_follows_no_redirect(self, settings: Any) -> None:
        settings.SECURE_SSL_REDIRECT = True
        assert scrape().status_code == 200
        assert Client().get("/").status_code == 301

    def test_a_login_is_no_token(self) -> None:
        client = Client()
        client.force_login(page_desk.member("asha"))
        assert client.get("/metrics").status_code == 401


class TestText:
    def test_prometheus_text_by_default_and_openmetrics_where_it_is_asked_for(self) -> None:
        plain, asked = scrape(), scrape("application/openmetrics-text; version=1.0.0; charset=utf-8")
        assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert asked.headers["Content-Type"].startswith("application/openmetrics-text")
        assert plain.headers["Cache-Control"].count("no-store")
        read_back = {family.name for family in openmetrics(asked.content.decode())}
        assert asked.content.endswith(b"# EOF\n") and asked.content.count(b"# EOF") == 1
        assert read_back <= {series.name for series in SERIES} and "velox_part_state" in read_back

    @pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus")
    def test_promtool_finds_nothing_to_say(self, dm: DataManager) -> None:
        dm.open_position("t1", "stopped", "TCS", 100, 1, now(), stop_price=90)
        lint = subprocess.run(
            ["promtool", "check", "metrics"], input=scrape().content, capture_output=True, check=False, timeout=60
        )
        assert (lint.returncode, lint.stdout + lint.stderr) == (0, b"")

    def test_its_document_is_made_from_the_table(self) -> None:
        assert DOCUMENT.read_text() == markdown(), "make it anew: python -m velox_site.metrics_docs > docs/metrics.md"

    def test_a_series_that_the_table_lacks_is_nowhere(self, dm: DataManager) -> None:
        dm.open_position("t1", "stopped", "TCS", 100, 1, now())
        dm.process_tick("TCS", {"ltp": 101})
        endings = {COUNTER: ["_total"], HISTOGRAM: ["_bucket", "_count", "_sum"]}
        named = {series.name + ending for series in SERIES for ending in endings.get(series.kind, [""])}
        text = scrape().content.decode()
        assert {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[0] != "#"} <= named

    def test_what_moved_is_written_anew_and_what_is_gone_is_gone(self, dm: DataManager, recent: RecentSnapshot) -> None:
        dm.open_position("t1", "bare", "TCS", 100, 1, now())
        for price in (101, 102, 102, 103):
            dm.process_tick("TCS", {"ltp": price})
            recent._read_at -= 2
            assert numbers("velox_position_pnl_unrealised", symbol="TCS") == [price - 100]
        close(dm, "t1", 105)
        recent._read_at -= 2
        assert (numbers("velox_position_pnl_unrealised"), numbers("velox_pnl_realised")) == ([], [5])

    @pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
    def test_names_that_stay_and_numbers_that_move_read_as_if_written_anew(self, accept: str) -> None:
        texts, labels = Texts(), ("main", 'a "quoted" name', "two\nlines", "back\\slash", "")
        odd = MetricSeries(
            "velox_odd", GAUGE, ("account", "one", "two", "three", "four"), "Odd ones, 1\nwith a newline."
        )
        counter = MetricSeries("velox_counted", COUNTER, (), "Counted.")
        for samples in (
            [(labels, 0.0), (("b", *labels[1:]), 1e7)],
            [(("b", *labels[1:]), float("nan")), (labels, float("inf")), (("c", *labels[1:]), -1.5e-9)],
            [(labels, 1796000000.123)],
        ):
            readings = [MetricReading(odd, samples), MetricReading(counter, [((), samples[0][1])])]
            assert texts.write(readings, accept) == Texts().write(readings, accept)
            encode, content_type = choose_encoder(accept)
            registry = CollectorRegistry()
            for reading in readings:
                registry.register(_Single(reading.series.filled(reading.samples)))
            assert texts.write(readings, accept) == (encode(registry), content_type)


class TestDesk:
    @pytest.mark.ledger
    def test_the_day_of_each_strategy_equals_the_ledgers(self, dm: DataManager) -> None:
        dm.open_position("t1", "stopped", "TCS", 100, 3, now())
        close(dm, "t1", 110, charges="4.25")
        dm.open_position("t2", "stopped", "INFY", 50, 2, now())
        close(dm, "t2", Decimal("47.5"))
        figures = day_figures(get_account("main"), desk_date(datetime.now(UTC)))
        assert numbers("velox_pnl_realised", **STOPPED) == [float(figures["total_pnl"])] == [20.75]
        assert numbers("velox_trades_closed", account="main") == [2]
        assert numbers("velox_trades_without_charges", account="main") == [1]
        assert numbers("velox_journal_rows_total", account="main") == [4]
        assert numbers("velox_follower_rows_behind", account="main") == [4]
        assert numbers("velox_pnl_realised", account="replay") == []

    def test_open_risk_is_what_the_stops_would_cost_from_the_last_prices(self, dm: DataManager) -> None:
        dm.open_position("t1", "stopped", "TCS", 100, 3, now(), stop_price=90)
        opened_at = now()
        dm.open_position("t2", "stopped", "INFY", 50, 2, opened_at, side="SHORT", stop_price=55)
        dm.open_position("t3", "bare", "TCS", 100, 1, now())
        dm.open_position("t4", "bare", "SBIN", 10, 1, now())
        dm.process_tick("TCS", {"ltp": 104})
        dm.process_tick("INFY", {"ltp": 56})  # past its stop: nothing more to lose to it
        assert numbers("velox_pnl_unrealised", **STOPPED) == [12 - 12]
        assert numbers("velox_risk_open", **STOPPED) == [3 * 14]
        assert numbers("velox_positions_without_stop", **BARE) == [2]
        assert numbers("velox_positions_unpriced", **BARE) == [1]
        assert numbers("velox_position_pnl_unrealised", symbol="INFY") == [-12]
        assert numbers("velox_position_pnl_unrealised", symbol="SBIN") == []
        assert numbers("velox_position_opened_timestamp_seconds", symbol="INFY") == [opened_at.timestamp()]

    def test_symbols_stand_on_so_many_positions_the_largest_first(
        self, dm: DataManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(desk_metrics, "POSITIONS_MAX", 2)
        for number, price in enumerate((103, 90, 101), start=1):
            dm.open_position(f"t{number}", "bare", f"S{number}", 100, 1, now())
            dm.process_tick(f"S{number}", {"ltp": price})
        assert numbers("velox_position_pnl_unrealised") == [-10, 3]
        assert numbers("velox_positions_open", **BARE) == [3]

    def test_money_beyond_sixty_four_bits_is_summed(self, dm: DataManager) -> None:
        for number in range(2):
            dm.open_position(f"t{number}", "bare", f"S{number}", 1, 1, now())
            close(dm, f"t{number}", 80_000_000_000)
        assert numbers("velox_pnl_realised", **BARE) == [2 * 79_999_999_999.0]
        assert to_units(Decimal(2 * 79_999_999_999)) > 2**63


class TestSystem:
    def test_each_part_has_one_state_and_points_add_up(self, dm: DataManager) -> None:
        dm.process_tick("TCS", {"ltp": 100})
        states = numbers("velox_part_state", part="spool")
        assert (sum(states), len(states)) == (1, 4)
        assert numbers("velox_points_accepted_total") == [1]
        assert sum(numbers("velox_points")) + sum(numbers("velox_points_balance")) == 1
        assert numbers("velox_records_refused_total") == [0, 0, 0]
        assert len(numbers("velox_feed_age_seconds")) == 1
        assert numbers("velox_companion_up") == [0]
        assert len(numbers("velox_feed_exchange_ahead_seconds")) == 1

    def test_what_waits_behind_the_ledger_counts(self, dm: DataManager) -> None:
        assert numbers("velox_facts_waiting") == [0]
        assert numbers("velox_follower_behind_seconds") == []
        dm.open_position("t1", "bare", "TCS", 100, 1, now())
        fact_of_the_intake()
        waiting = read(now=now() + timedelta(seconds=90))
        samples = {reading.series.name: reading.samples for reading in waiting}
        assert samples["velox_facts_waiting"] == [((), 1)]
        [(labels, seconds)] = samples["velox_follower_behind_seconds"]
        assert labels == ("main",) and 90 <= seconds < 690

    def test_a_worker_that_works_shows_when_it_finished_a_task(self, settings: Any, ledger: Any) -> None:
        assert numbers("velox_task_age_seconds") == []
        settings.CELERY_BROKER_URL = "redis://127.0.0.1:9/0"
        for name in ("worker", "beat", presence.TASK):
            presence.mark(ledger.data_dir, name)
        samples = {reading.series.name: reading.samples for reading in read(now=now())}
        assert [labels for labels, _ in samples["velox_task_age_seconds"]] == [("worker",), ("beat",)]
        [(_, seconds)] = samples["velox_task_finished_age_seconds"]
        assert 0 <= seconds < 600

    def test_feeds_are_at_most_so_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        feeds = {
            f"source {number}": {"last_at": "", "age_seconds": float(number), "exchange_ahead_seconds": 0.0}
            for number in range(60)
        }
        look = system.look(now=now())
        health: Any = {**look.report, "feeds": feeds}
        monkeypatch.setattr(system, "look", lambda now: look._replace(report=health))
        ages = numbers("velox_feed_age_seconds")
        assert (len(ages), min(ages)) == (system.FEEDS_MAX, 10)

    def test_what_cannot_be_read_is_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*, now: datetime) -> Iterator[Any]:
            raise OSError("the disk is gone")
            yield

        monkeypatch.setattr(snapshot, "SOURCES", (broken, system.parts))
        assert numbers("velox_disk_free_bytes") == []
        assert numbers("velox_part_state", part="ledger", state="ok") == [1]


class TestLatencies:
    """Histograms, whose counts are those of every process of the data folder."""

    @staticmethod
    def calls(name: str, **labels: str) -> float:
        return sum(numbers(f"{name}_count", **labels))

    def test_calls_at_the_ledger_count_by_kind_and_so_does_one_that_is_refused(self, dm: DataManager) -> None:
        dm.open_position("t1", "s", "TCS", 100, 1, now())
        dm.get_open_positions()
        with pytest.raises(UnknownTrade):
            dm.close_position("t2", "s", "TCS", 100, now())
        assert self.calls("velox_ledger_call_seconds", kind="write") == 2
        assert self.calls("velox_ledger_call_seconds", kind="read") == 1
        assert numbers("velox_ledger_call_seconds_bucket", kind="write", le="+Inf") == [2]
        [total] = numbers("velox_ledger_call_seconds_sum", kind="write")
        assert 0 < total < 60

    def test_readings_and_shipping_count_and_no_tick_does(self, dm: DataManager) -> None:
        for price in range(100, 120):
            dm.process_tick("TCS", {"ltp": price})
        assert not wiring.latency_folder().exists()
        wiring.open_pump().look(wiring.open_spool().lanes())
        dm.get_ticks("TCS", now() - timedelta(hours=1), now())
        dm.get_candles("TCS", "1m", now() - timedelta(hours=1), now())
        assert self.calls("velox_points_read_seconds") == 2
        assert self.calls("velox_shipping_seconds") == 1

    def test_pages_and_answers_to_programs_count_and_who_watches_the_desk_does_not(self) -> None:
        client = Client()
        for path in ("/login/", "/", "/no-such-page", "/api/v1/accounts", "/health/", "/static/velox/velox.css"):
            client.get(path)
        assert self.calls("velox_request_seconds", kind="page") == 3
        assert self.calls("velox_request_seconds", kind="api") == 1

    def test_another_process_counts_into_the_same_numbers(self, dm: DataManager) -> None:
        dm.open_position("t1", "s", "TCS", 100, 1, now())
        pid = os.fork()
        if not pid:
            wiring.observe("ledger_write", 0.2)
            os._exit(0)
        os.waitpid(pid, 0)
        assert self.calls("velox_ledger_call_seconds", kind="write") == 2


class TestRecent:
    def test_a_part_that_hangs_holds_no_scrape_and_the_numbers_say_their_age(self) -> None:
        hangs, goes_on, readings = threading.Event(), threading.Event(), list[datetime]()

        def hanging(*, now: datetime) -> Readings:
            readings.append(now)
            if len(readings) > 1:
                hangs.set()
                assert goes_on.wait(600)
            return read(now=now)

        newest = RecentSnapshot(hanging, patience_seconds=600)
        first = newest.get()
        newest._read_at -= 2  # a second and more went by
        newest._patience = 0
        assert newest.get() is first and hangs.wait(600)
        assert [newest.get() for _ in range(3)] == [first] * 3 and len(readings) == 2
        goes_on.set()
        newest._patience = 600
        assert newest.get() is not first

    def test_before_the_first_numbers_it_answers_that_there_are_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        goes_on = threading.Event()

        def hanging(*, now: datetime) -> Readings:
            assert goes_on.wait(600)
            return []

        monkeypatch.setattr(metrics, "recent", RecentSnapshot(hanging, patience_seconds=0))
        assert scrape().status_code == 503
        goes_on.set()

    def test_a_reading_that_fails_leaves_the_next_to_try_again(self) -> None:
        tries = list[datetime]()

        def failing(*, now: datetime) -> Readings:
            tries.append(now)
            if len(tries) == 1:
                raise ValueError
            return []

        newest = RecentSnapshot(failing, patience_seconds=600)
        assert newest.get() is None
        assert newest.get() is not None

    def test_many_at_once_share_one_reading(self) -> None:
        readings = list[datetime]()

        def counting(*, now: datetime) -> Readings:
            readings.append(now)
            return []

        newest = RecentSnapshot(counting, patience_seconds=600)
        threads = [threading.Thread(target=newest.get) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(readings) == 1
