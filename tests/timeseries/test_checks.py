"""Misconfiguration of the time series, by the id of its check."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from timeseries.errors import StoreMisconfigured
from timeseries.wiring import open_store


def ids() -> list[str]:
    return [message.id for message in run_checks() if message.id and message.id.startswith("timeseries.")]


@pytest.fixture
def folders(tmp_path: Path):
    with override_settings(SPOOL_DIR=tmp_path / "spool", DELTA_DIR=tmp_path / "delta", INFLUXDB_V2_URL=""):
        yield tmp_path


def test_a_fresh_data_folder_is_fine(folders: Path) -> None:
    assert ids() == []
    (folders / "spool").mkdir()
    assert ids() == []


def test_a_file_where_the_spool_should_be_is_e001(folders: Path) -> None:
    (folders / "spool").write_text("")
    assert ids() == ["timeseries.E001"]


def test_a_link_where_the_tables_should_be_is_e001(folders: Path) -> None:
    (folders / "delta").symlink_to(folders)
    assert ids() == ["timeseries.E001"]


def test_influxdb_without_its_bucket_and_token_is_e002(folders: Path) -> None:
    asked = {"INFLUXDB_V2_URL": "http://localhost:8086", "INFLUXDB_V2_ORG": "velox"}
    with override_settings(**asked, INFLUXDB_V2_BUCKET="", INFLUXDB_V2_TOKEN=""):
        assert ids() == ["timeseries.E002"]
        with pytest.raises(StoreMisconfigured, match="INFLUXDB_V2_BUCKET and INFLUXDB_V2_TOKEN") as caught:
            open_store()
        assert caught.value.field == "INFLUXDB_V2_BUCKET"
    with override_settings(**asked, INFLUXDB_V2_BUCKET="b", INFLUXDB_V2_TOKEN="t"):
        assert ids() == []
        assert (open_store().name, open_store().label) == ("influx", "InfluxDB at localhost:8086")
