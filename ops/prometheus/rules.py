"""The alerting rules of Prometheus and their tests, made from the table of faults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from trading.health.faults import FAULTS, NUMBERS_OLD, NUMBERS_SECONDS, WEB_GONE, Fault
from trading.health.state import DOWN

EVERY_SECONDS = 5  # between two scrapes, and two evaluations: prometheus.yml
BEGINS_SECONDS, LASTS_SECONDS, AFTER_SECONDS = 60, 600, 120  # of the fault in a test
# Scrapes of a fortnight come within the five minutes after which Prometheus takes a series for gone.
FORTNIGHT_DAYS, FORTNIGHT_SCRAPED, FORTNIGHT_EVALUATED = 14, "4m", "1h"
RULES_FILE = "velox_rules.yml"

Labels = dict[str, str]
Rule = TypedDict("Rule", {"alert": str, "expr": str, "for": str, "labels": Labels, "annotations": Labels})


class InputSeries(TypedDict):
    """A series of a rule test, its values in promtool's notation."""

    series: str
    values: str


class ExpectedAlert(TypedDict):
    """An alert that fires, as promtool compares it."""

    exp_labels: Labels
    exp_annotations: Labels


class AlertTest(TypedDict):
    """The alerts of one name that fire at one moment."""

    eval_time: str
    alertname: str
    exp_alerts: list[ExpectedAlert]


class RuleTest(TypedDict):
    """Series over time, and what fires when."""

    interval: str
    input_series: list[InputSeries]
    alert_rule_test: list[AlertTest]


def alert_name(fault: Fault) -> str:
    """Return the rule's name, such as VeloxLedgerBackupOld."""
    return "Velox" + "".join(word.capitalize() for word in f"{fault.part}_{fault.code}".split("_"))


def rule(fault: Fault) -> Rule:
    """Return the alerting rule of one fault: it fires once the fault was there for as long as the table holds it."""
    return {
        "alert": alert_name(fault),
        "expr": fault.rule,
        "for": f"{fault.hold_seconds:g}s",
        "labels": {"severity": "critical" if fault.status == DOWN else "warning"}
        | {"part": fault.part, "code": fault.code},
        "annotations": {"summary": fault.name, "description": fault.cure},
    }


def rules() -> dict[str, list[dict[str, str | list[Rule]]]]:
    """Return the rule file: every fault once."""
    return {"groups": [{"name": "velox", "interval": f"{EVERY_SECONDS}s", "rules": [rule(fault) for fault in FAULTS]}]}


def rule_tests(faults: Sequence[Fault] = FAULTS) -> dict[str, list[str] | str | list[RuleTest]]:
    """Return the test file of the rules: all faults come and go at once, and each raises its own alert and no other."""
    test: RuleTest = {
        "interval": f"{EVERY_SECONDS}s",
        "input_series": [{"series": _series(fault), "values": _values(fault)} for fault in faults],
        "alert_rule_test": [moment for fault in faults for moment in _moments(fault)],
    }
    return {"rule_files": [RULES_FILE], "evaluation_interval": f"{EVERY_SECONDS}s", "tests": [test]}


def _moments(fault: Fault) -> list[AlertTest]:
    """Return when a rule is looked at: silent before the fault and while it is held, one alert, silent after it."""
    begins = BEGINS_SECONDS + (NUMBERS_SECONDS + EVERY_SECONDS if fault is NUMBERS_OLD else 0)
    fires_at, ends_at = begins + fault.hold_seconds, BEGINS_SECONDS + LASTS_SECONDS
    made = rule(fault)
    alert: ExpectedAlert = {"exp_labels": {"job": "velox"} | made["labels"], "exp_annotations": made["annotations"]}
    before: list[float] = [begins - EVERY_SECONDS, *([fires_at - EVERY_SECONDS] if fault.hold_seconds else [])]
    fires: dict[float, list[ExpectedAlert]] = {moment: [] for moment in before} | {
        fires_at: [alert],
        ends_at - EVERY_SECONDS: [alert],
    }
    fires[ends_at + EVERY_SECONDS] = []
    return [
        {"eval_time": f"{moment:g}s", "alertname": made["alert"], "exp_alerts": alerts}
        for moment, alerts in fires.items()
    ]


def fortnight_tests() -> dict[str, list[str] | str | list[RuleTest]]:
    """Return the test file of a fortnight in which every part is well and every scrape answers: no rule fires."""
    minutes = int(FORTNIGHT_SCRAPED.removesuffix("m"))
    scrapes, step = FORTNIGHT_DAYS * 24 * 60 // minutes, minutes * 60
    test: RuleTest = {
        "interval": FORTNIGHT_SCRAPED,
        "input_series": [
            {"series": 'up{job="velox"}', "values": f"1x{scrapes}"},
            {"series": 'velox_seen_timestamp_seconds{job="velox"}', "values": f"0+{step}x{scrapes}"},
        ],
        "alert_rule_test": [
            {"eval_time": f"{day}d", "alertname": alert_name(fault), "exp_alerts": []}
            for day in range(1, FORTNIGHT_DAYS + 1)
            for fault in FAULTS
        ],
    }
    return {"rule_files": [RULES_FILE], "evaluation_interval": FORTNIGHT_EVALUATED, "tests": [test]}


def _series(fault: Fault) -> str:
    if fault is WEB_GONE:
        return 'up{job="velox"}'
    if fault is NUMBERS_OLD:
        return 'velox_seen_timestamp_seconds{job="velox"}'
    return f'velox_part_fault{{job="velox",part="{fault.part}",code="{fault.code}"}}'


def _values(fault: Fault) -> str:
    before, during, after = (seconds // EVERY_SECONDS for seconds in (BEGINS_SECONDS, LASTS_SECONDS, AFTER_SECONDS))
    if fault is WEB_GONE:
        return f"1x{before - 1} 0x{during - 1} 1x{after}"
    if fault is NUMBERS_OLD:  # the time of the last reading stands still, and then is that of now again
        ends_at = BEGINS_SECONDS + LASTS_SECONDS
        return f"0+{EVERY_SECONDS}x{before} {BEGINS_SECONDS}x{during - 2} {ends_at}+{EVERY_SECONDS}x{after}"
    return f"_x{before} 1x{during - 1} stale"
