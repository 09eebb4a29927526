"""A web without the recorder's folder: it accepts no point that would go with it, and says who holds what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests import page_desk
from tests.trading.book import opened
from tests.trading.test_api import _fresh_rates, caller  # noqa: F401 - a fixture
from tests.trading.test_api_ticks import TICK, _own_sources, post  # noqa: F401 - a fixture
from trading import picture_files
from trading.data_manager import DataManager
from trading.domain.pictures import CleanPicture
from trading.health.report import HELD, OF_THE_RECORDER
from trading.models import Trade

pytestmark = pytest.mark.usefixtures("ledger", "alone")
TIME = "2024-03-15T04:01:00Z"


@pytest.fixture(autouse=True)
def _elsewhere(settings: Any) -> None:
    settings.VELOX_RECORDER_ELSEWHERE = True


def test_points_are_refused_and_nothing_of_them_is_kept(settings: Any) -> None:
    program = caller("record", "operate")
    answers = [
        post(program, [TICK]),
        program.post("indicators", {"symbol": "TCS", "values": {"rsi": 1}, "at": TIME}),
        program.post("snapshots", {"strategy_id": "s", "symbol": "TCS", "current_price": 1, "quantity": 1, "at": TIME}),
    ]
    assert [(status, told["code"]) for status, told in answers] == [(503, "held_by_recorder")] * 3
    with DataManager(source="here") as dm:
        assert dm.process_tick("TCS", {"ltp": 1}) is False
        assert dm.process_ticks([{"symbol": "TCS", "ltp": 1}]).accepted == 0
    assert not list(Path(settings.SPOOL_DIR).rglob("*.seg*"))


def test_a_picture_is_not_taken_into_a_folder_that_goes_with_the_web() -> None:
    with pytest.raises(OSError, match="held by the recorder"):
        picture_files.write(CleanPicture("PNG", 1, 1, b""))


def test_the_ledger_is_written_from_any_web() -> None:
    body = {"trade_id": "T1", "strategy_id": "s", "symbol": "TCS", "entry_price": 1, "quantity": 1, "entry_time": TIME}
    assert caller("record").post("positions", body)[0] == 200
    assert Trade.objects.filter(trade_id="T1").exists()


def test_its_pages_say_what_the_recorder_holds_and_it_is_well(client: Client) -> None:
    opened("T1")
    client.force_login(page_desk.member("asha"))
    parts = DataManager().health()["parts"]
    assert {parts[name]["detail"] for name in OF_THE_RECORDER} == {HELD.detail}
    assert {parts[name]["status"] for name in OF_THE_RECORDER} == {"off"}
    assert "held by the recorder" in client.get("/system/").content.decode()
    assert "of this web alone" in client.get("/system/logs/").content.decode()
    for page in ("/", "/trades/", "/calendar/", "/alerts/", "/brokers/", "/days/2024-03-15/"):
        assert client.get(page).status_code == 200, page
    assert json.loads(client.get("/health/").content)["status"] != "down"
