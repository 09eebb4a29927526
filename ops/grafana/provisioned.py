"""What Grafana is provisioned with beside its dashboards: sources, folders, alert rules (paused) and where they go."""

from __future__ import annotations

from ops.grafana.parts import INFLUX, POSTGRES, PROMETHEUS, Json
from ops.prometheus.rules import rule
from trading.health.faults import FAULTS, Fault

FOLDER = "VELOX"
PERIOD_SECONDS = 10  # the shortest that Grafana judges by
CONTACT = "velox-alertmanager"

SOURCES: Json = {
    "apiVersion": 1,
    "datasources": [
        {
            "name": "VELOX Prometheus",
            "uid": PROMETHEUS.uid,
            "type": PROMETHEUS.plugin,
            "access": "proxy",
            "url": "$VELOX_PROMETHEUS_URL",
            "isDefault": True,
            "editable": False,
            "jsonData": {"httpMethod": "POST", "timeInterval": "5s"},
        },
        {
            "name": "VELOX ledger",
            "uid": POSTGRES.uid,
            "type": POSTGRES.plugin,
            "access": "proxy",
            "url": "$VELOX_POSTGRES_ADDRESS",
            "user": "velox_grafana",
            "editable": False,
            "jsonData": {
                "database": "$VELOX_POSTGRES_DATABASE",
                "sslmode": "$VELOX_POSTGRES_SSLMODE",
                "postgresVersion": 1500,
                "timescaledb": False,
                "maxOpenConns": 8,
                "maxIdleConns": 2,
                "connMaxLifetime": 3600,
            },
            "secureJsonData": {"password": "$VELOX_GRAFANA_PASSWORD"},
        },
        {
            "name": "VELOX telemetry",
            "uid": INFLUX.uid,
            "type": INFLUX.plugin,
            "access": "proxy",
            "url": "$INFLUXDB_V2_URL",
            "editable": False,
            "jsonData": {
                "version": "Flux",
                "organization": "$INFLUXDB_V2_ORG",
                "defaultBucket": "$INFLUXDB_V2_BUCKET",
            },
            "secureJsonData": {"token": "$INFLUXDB_READ_TOKEN"},
        },
    ],
}

BOARDS: Json = {
    "apiVersion": 1,
    "providers": [
        {
            "name": "velox",
            "folder": FOLDER,
            "type": "file",
            "disableDeletion": True,
            "allowUiUpdates": False,
            "options": {"path": "/etc/grafana/velox/dashboards"},
        }
    ],
}


def alert_rule(fault: Fault) -> Json:
    """Return the rule of one fault: paused, firing once its expression has had a sample for as long as it is held."""
    return {
        "uid": f"velox-{fault.part}-{fault.code}".replace("_", "-")[:40],
        "title": f"{fault.part}: {fault.name}"[:190],
        "condition": "B",
        "for": f"{fault.hold_seconds:g}s",
        "isPaused": True,
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": rule(fault)["labels"],
        "annotations": {"summary": fault.name, "description": fault.cure},
        "data": [
            {
                "refId": "A",
                "datasourceUid": PROMETHEUS.uid,
                "relativeTimeRange": {"from": 60, "to": 0},
                "model": {"refId": "A", "expr": rule_expression(fault), "instant": True, "range": False},
            },
            {
                "refId": "B",
                "datasourceUid": "__expr__",
                "relativeTimeRange": {"from": 0, "to": 0},
                "model": {
                    "refId": "B",
                    "type": "threshold",
                    "expression": "A",
                    "conditions": [{"evaluator": {"type": "gt", "params": [0]}}],
                },
            },
        ],
    }


def rule_expression(fault: Fault) -> str:
    """Return how many samples the fault's expression has, whatever they say; none while the fault is not there."""
    return f"count({fault.rule})"


RULES: Json = {
    "apiVersion": 1,
    "groups": [
        {
            "orgId": 1,
            "name": "velox",
            "folder": FOLDER,
            "interval": f"{PERIOD_SECONDS}s",
            "rules": [alert_rule(fault) for fault in FAULTS],
        }
    ],
}

# Grafana hands on to Alertmanager, whose file has the addresses: they are in one place, whoever judges the rules.
CONTACTS: Json = {
    "apiVersion": 1,
    "contactPoints": [
        {
            "orgId": 1,
            "name": CONTACT,
            "receivers": [
                {
                    "uid": CONTACT,
                    "type": "prometheus-alertmanager",
                    "settings": {"url": "$VELOX_ALERTMANAGER_URL"},
                    "disableResolveMessage": False,
                }
            ],
        }
    ],
    "policies": [
        {
            "orgId": 1,
            "receiver": CONTACT,
            "group_by": ["part", "code"],
            "group_wait": "0s",
            "group_interval": "10s",
            "repeat_interval": "4h",
        }
    ],
}
