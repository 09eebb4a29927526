"""What a dashboard is made of: queries of three sources, panels, variables, and their JSON as Grafana 11.6 has it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Json = Mapping[str, "Json"] | Sequence["Json"] | str | float | bool | None

WIDTH = 24  # columns of Grafana's grid
ACCOUNT, INSTANCE, STRATEGY, SYMBOL = "account", "instance", "strategy", "symbol"


@dataclass(frozen=True, slots=True)
class Source:
    """A data source by its fixed uid. ``need`` is what a panel says where it has nothing to show."""

    uid: str
    plugin: str
    need: str

    def reference(self) -> Json:
        """Return what a panel names it by."""
        return {"type": self.plugin, "uid": self.uid}


PROMETHEUS = Source("velox-prometheus", "prometheus", "No sample. Prometheus scrapes /metrics: VELOX_METRICS_TOKEN.")
POSTGRES = Source(
    "velox-postgres",
    "grafana-postgresql-datasource",
    "No row. Needs the ledger on PostgreSQL (DATABASE_URL) and VELOX_GRAFANA_PASSWORD.",
)
INFLUX = Source(
    "velox-influx",
    "influxdb",
    "No point. Needs the telemetry in InfluxDB 2 (INFLUXDB_V2_URL) and its token for reading.",
)


@dataclass(frozen=True, slots=True)
class Query:
    """One question of a panel. ``is_table``: rows as they are now, else series over the time shown."""

    source: Source
    text: str
    legend: str = ""
    is_table: bool = False

    def json(self, reference: str) -> Json:
        """Return the query as its source's plugin reads it."""
        head: dict[str, Json] = {"refId": reference, "datasource": self.source.reference()}
        if self.source is PROMETHEUS:
            shape: dict[str, Json] = {"instant": self.is_table, "range": not self.is_table, "editorMode": "code"}
            form = "table" if self.is_table else "time_series"
            return {**head, "expr": self.text, "legendFormat": self.legend or "__auto", "format": form, **shape}
        if self.source is POSTGRES:
            form = "table" if self.is_table else "time_series"
            return {**head, "rawSql": self.text, "rawQuery": True, "editorMode": "code", "format": form}
        return {**head, "query": self.text}


def promql(text: str, legend: str = "", *, is_table: bool = False) -> Query:
    """Return a question of Prometheus over the time shown.

    Each series is narrowed to the web that is chosen: of several each tells the whole ledger, and a sum would add them.
    """
    web = f'{INSTANCE}="${INSTANCE}"'
    text = re.sub(r"\b(velox_\w+)(?:{([^}]*)})?", lambda at: f"{at[1]}{{{','.join(filter(None, (at[2], web)))}}}", text)
    return Query(PROMETHEUS, text, legend, is_table)


def promql_now(text: str, legend: str = "") -> Query:
    """Return a question of Prometheus for what is now, a row per series."""
    return promql(text, legend, is_table=True)


def sql(text: str) -> Query:
    """Return a question of the ledger whose rows have a column ``time``, and ``metric`` for several series."""
    return Query(POSTGRES, text.strip())


def sql_rows(text: str) -> Query:
    """Return a question of the ledger whose rows are a table."""
    return Query(POSTGRES, text.strip(), is_table=True)


def flux(text: str, *names: str) -> Query:
    """Return a question of InfluxDB, in which ``account`` and the ``names`` are what is chosen, as tags hold it.

    A tag's percent sign is encoded (`timeseries/stores/influx/names.py`): unencoded, "ema 2%" would have no row.
    """
    chosen = (
        f'{name} = strings.replaceAll(v: ${{{name}:doublequote}}, t: "%", u: "%25")' for name in (ACCOUNT, *names)
    )
    return Query(INFLUX, "\n".join(('import "strings"', *chosen, text.strip())))


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel, of one source. ``columns`` names and orders those of a table: as the query has them, to what is shown.

    ``units`` are Grafana's: by column of a table, or under "" for all. ``back``: the time that it shows whatever the
    dashboard's is, such as `90d`.
    """

    title: str
    kind: str
    queries: tuple[Query, ...]
    description: str = ""
    width: int = 12
    height: int = 8
    units: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    style: Mapping[str, Json] = field(default_factory=dict)
    back: str = ""

    def json(self, number: int, x: int, y: int) -> Json:
        """Return the panel at its place."""
        source = self.queries[0].source
        defaults: dict[str, Json] = {"noValue": source.need, "unit": self.units.get("", "none")}
        if self.style:
            defaults["custom"] = self.style
        overrides: list[Json] = [
            {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
            for name, unit in self.units.items()
            if name
        ]
        panel: dict[str, Json] = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": source.reference(),
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": [query.json(chr(ord("A") + place)) for place, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": defaults, "overrides": overrides},
            "options": _OPTIONS[self.kind],
        }
        if self.back:
            panel["timeFrom"] = self.back
        if self.columns:
            order = {name: place for place, name in enumerate(self.columns)}
            merge: list[Json] = [{"id": "merge", "options": {}}] if len(self.queries) > 1 else []
            chosen: Json = {"include": {"names": list(self.columns)}}
            organise: Json = {"indexByName": order, "renameByName": self.columns, "excludeByName": {}}
            panel["transformations"] = [
                *merge,
                {"id": "filterFieldsByName", "options": chosen},
                {"id": "organize", "options": organise},
            ]
        return panel


_LEGEND: Json = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_OPTIONS: Mapping[str, Json] = {
    "stat": {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showPercentChange": False,
        "textMode": "value_and_name",
        "wideLayout": True,
    },
    "table": {"cellHeight": "sm", "showHeader": True},
    "timeseries": {"legend": _LEGEND, "tooltip": {"hideZeros": False, "mode": "multi", "sort": "none"}},
}


@dataclass(frozen=True, slots=True)
class Row:
    """A heading above the panels that follow it."""

    title: str

    def json(self, number: int, y: int) -> Json:
        """Return the row at its place."""
        return {
            "id": number,
            "type": "row",
            "title": self.title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y},
            "panels": [],
        }


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice of one value at the top of a dashboard, as a source has them; never several, and never all."""

    name: str
    query: Query
    label: str = ""

    def json(self) -> Json:
        """Return the variable."""
        text: Json = self.query.text
        if self.query.source is PROMETHEUS:
            text = {"qryType": 1, "query": self.query.text, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
        return {
            "type": "query",
            "name": self.name,
            "label": self.label or self.name.capitalize(),
            "datasource": self.query.source.reference(),
            "query": text,
            "multi": False,
            "includeAll": False,
            "refresh": 2,
            "sort": 1,
            "skipUrlSync": False,
        }


@dataclass(frozen=True, slots=True)
class Marks:
    """Annotations: rows of the ledger with `time`, `text` and `tags`."""

    name: str
    query: Query
    colour: str

    def json(self) -> Json:
        """Return the annotations' query."""
        return {
            "name": self.name,
            "enable": True,
            "hide": False,
            "iconColor": self.colour,
            "datasource": self.query.source.reference(),
            "target": self.query.json("A"),
        }


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard. It always asks for an account first: no figure adds two."""

    uid: str
    title: str
    description: str
    contents: tuple[Panel | Row, ...]
    variables: tuple[Variable, ...]
    marks: tuple[Marks, ...] = ()
    since: str = "now/d"
    refresh: str = "30s"

    def panels(self) -> Iterator[Panel]:
        """Yield its panels in order."""
        yield from (content for content in self.contents if isinstance(content, Panel))

    def queries(self) -> Iterator[tuple[str, Query]]:
        """Yield every question that it asks with the title of whoever asks."""
        for panel in self.panels():
            yield from ((panel.title, query) for query in panel.queries)
        yield from ((f"variable {variable.name}", variable.query) for variable in self.variables)
        yield from ((marks.name, marks.query) for marks in self.marks)

    def json(self) -> Json:
        """Return the dashboard as Grafana's file provisioning takes it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["velox"],
            "timezone": "browser",
            "editable": False,
            "graphTooltip": 1,
            "schemaVersion": 41,
            "refresh": self.refresh,
            "time": {"from": self.since, "to": "now"},
            "timepicker": {"refresh_intervals": ["5s", "10s", "30s", "1m", "5m", "1h"]},
            "templating": {"list": [variable.json() for variable in self.variables]},
            "annotations": {"list": [marks.json() for marks in self.marks]},
            "links": [_LINK],
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[Json]:
        """Yield rows and panels from left to right, a new line where one does not fit."""
        x = y = height = 0
        for number, content in enumerate(self.contents, 1):
            width = WIDTH if isinstance(content, Row) else content.width
            if x + width > WIDTH:
                x, y, height = 0, y + height, 0
            if isinstance(content, Row):
                yield content.json(number, y)
                height = 1
            else:
                yield content.json(number, x, y)
                height = max(height, content.height)
            x += width


_LINK: Json = {
    "title": "VELOX",
    "type": "dashboards",
    "tags": ["velox"],
    "asDropdown": True,
    "icon": "external link",
    "includeVars": True,
    "keepTime": False,
    "targetBlank": False,
    "tooltip": "",
}
