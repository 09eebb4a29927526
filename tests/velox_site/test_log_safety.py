"""What a log must not do: tell a secret, be forged by its data, or be written twice over."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.velox_site.test_logs import folder, kept, line
from velox_site import logs
from velox_site.log_lines import as_json, as_text, in_colour
from velox_site.log_masks import masked_text

__all__ = ["folder"]
SECRET = "hunter2hunter2"


def everything(folder: Path) -> str:
    return "".join(file.read_text() for file in folder.iterdir() if not file.name.startswith("."))


class TestSecrets:
    @pytest.mark.parametrize(
        "data",
        [
            {"password": SECRET},
            {"api_key": SECRET},
            {"INFLUXDB_V2_TOKEN": SECRET},
            {"Authorization": SECRET},
            {"url": f"redis://:{SECRET}@127.0.0.1:6379/0"},
            {"error": f"cannot reach postgres://velox:{SECRET}@db/velox now"},
            {"query": f"a=1&token={SECRET}&b=2"},
            {"said": f"Authorization: Bearer {SECRET}"},
            {"headers": {"cookie": SECRET, "inner": [{"secret": SECRET}]}},
            {"body": f'{{"password": "{SECRET}"}}'},
            {"error": OSError(f"amqp://desk:{SECRET}@broker refused")},
        ],
    )
    def test_a_secret_stands_in_no_sink(
        self, folder: Path, data: dict[str, Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        logs.system_log.error("it failed", **data)
        written = everything(folder) + capsys.readouterr().err
        assert SECRET not in written
        assert "***" in written

    def test_messages_exceptions_and_the_standard_library_are_masked_too(self, folder: Path) -> None:
        logs.system_log.error(f"redis://:{SECRET}@host is gone")
        try:
            raise ValueError(f"password={SECRET}")
        except ValueError:
            logs.system_log.exception("it failed")
        logging.getLogger("some.package").error("token=%s", SECRET, extra={"api_key": SECRET})
        assert len(kept(folder)) == 3
        assert SECRET not in everything(folder)

    def test_what_is_no_secret_stays_and_the_callers_data_are_untouched(self, folder: Path) -> None:
        nested = {"password": SECRET, "side": "LONG"}
        logs.trade_log.info("opened", symbol="M&M", note="x = y: z", at="09:15:00", nested=nested)
        context = kept(folder)[0]["context"]
        assert (context["symbol"], context["note"], context["at"]) == ("M&M", "x = y: z", "09:15:00")
        assert context["nested"] == {"password": "***", "side": "LONG"}
        assert nested["password"] == SECRET


class TestForging:
    FORGED = "\n2026-03-02T12:00:00.000000Z CRITICAL [risk] limit lifted by=nobody\n"

    def test_no_data_name_or_traceback_begins_a_line_of_its_own(self, folder: Path) -> None:
        logs.strategy_log.info(f"a{self.FORGED}", note=self.FORGED, **{f"x{self.FORGED}": 1})
        logging.getLogger(f"some{self.FORGED}").error("b")
        try:
            raise ValueError(self.FORGED)
        except ValueError:
            logs.strategy_log.exception("it failed", nested={"a": [self.FORGED]})
        texts = (folder / "velox.log").read_text().splitlines()
        assert not [text for text in texts if text.startswith("2026-03-02")]
        assert sum(text.startswith("20") for text in texts) == 3
        assert len((folder.glob("velox-*.jsonl").__next__()).read_text().splitlines()) == 3

    @pytest.mark.parametrize("separator", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
    def test_no_other_separator_does_either(self, separator: str) -> None:
        event = line(f"a{separator}b", note=f"c{separator}d")
        assert separator not in as_text(event)
        assert separator not in in_colour(event)
        assert json.loads(as_json(event))["context"] == {"note": f"c{separator}d"}


def test_one_record_is_made_into_a_line_once_per_sink(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Counted:
        said = 0

        def __str__(self) -> str:
            self.said += 1
            return "counted"

    value = Counted()
    logs.strategy_log.info("signal taken", value=value)
    assert value.said == 3  # the JSON, the text, the console
    assert capsys.readouterr().err.count("signal taken") == 1


def test_the_predecessors_example_has_the_predecessors_shape(folder: Path) -> None:
    logs.strategy_log.info(
        "Signal generated", strategy_id="scalping_pro", symbol="RELIANCE", action="BUY", price=2450.00, rsi=45.5
    )
    [found] = kept(folder)
    assert found.pop("timestamp")[-1] == "Z"
    assert found == {
        "level": "INFO",
        "logger": "strategy",
        "message": "Signal generated",
        "context": {
            "strategy_id": "scalping_pro",
            "symbol": "RELIANCE",
            "action": "BUY",
            "price": 2450.0,
            "rsi": 45.5,
        },
    }


@pytest.mark.parametrize("password", ["plain", "a/b", "a@b", "a#b", "a'b", 'a"b', "a:b", "a?b=c", "a,b;c", "a%2Fb"])
def test_whatever_a_password_in_a_url_holds_it_is_masked(password: str) -> None:
    told = masked_text(f"cannot reach 'postgres://velox:{password}@db:5432/velox': refused")
    assert told == "cannot reach 'postgres://***@db:5432/velox': refused"
