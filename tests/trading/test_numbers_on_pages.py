"""Numbers as people read them: counts are grouped on each page and in each sentence, and plain where programs read."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.template.base import VariableNode
from django.template.context import Context
from django.test import Client

from tests import page_desk
from tests.routes import fill_desk, first_keys, routes, sample
from trading.domain import display
from trading.health import recording
from trading.health.faults import PARTS
from trading.health.report import NO_POINTS
from trading.web.templatetags import velox

pytestmark = pytest.mark.usefixtures("ledger")

# Whole numbers that count nothing: keys, versions, places in a journal, parts of a drawing, what stays small; and what
# Django's admin writes into ids, or of a few users and groups that somebody deletes; what programs are to send.
NUMBERS_OF_NAME = (
    *(
        "pk",
        "id",
        "seed",
        "folds",
        "sequence",
        "version",
        "number",
        "status",
        "day.day",
        "minutes",
        "width",
        "height",
        "strength",
    ),
    *("rating", "num_pages", "page_number", "choices", "counter", "counter0", "bits", "order"),
    *("id_prefix", "id_suffix", "header.sort_priority", "object_count", "field.default"),
)


def test_no_count_reaches_a_page_without_being_grouped(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each number that a template writes as it is, without a filter, is one that counts nothing."""
    fill_desk()
    client.force_login(page_desk.member("asha"))
    seen = set[str]()
    render = VariableNode.render

    def watched(node: VariableNode, context: Context) -> str:
        value = node.filter_expression.resolve(context)
        if type(value) is int and not node.filter_expression.filters:
            seen.add(node.filter_expression.token)
        return render(node, context)

    monkeypatch.setattr(VariableNode, "render", watched)
    keys = first_keys()
    answers = [client.get(sample(route, keys)) for route in routes() if not route.pattern.startswith("/events/")]
    assert sum(answer.status_code == 200 for answer in answers) > 50
    assert {token for token in seen if not token.endswith(NUMBERS_OF_NAME)} == set()


def test_a_sentence_of_the_desk_groups_its_counts_and_json_has_them_plain() -> None:
    assert [display.count(number) for number in (0, 999, 1596, 178719, -12345678)] == [
        *("0", "999", "1,596", "1,78,719", "-1,23,45,678"),
    ]
    points = {**NO_POINTS, "accepted": 178719, "stored": 178719}
    assert recording.spool(points, page_desk.DAY).detail == "1,78,719 points accepted, 0 waiting."
    output = StringIO()
    call_command("health", "--format", "json", stdout=output)
    assert json.loads(output.getvalue())["points"]["accepted"] == 0


def test_each_part_of_the_state_of_health_has_a_name_for_people() -> None:
    assert [part for part in PARTS if velox.part_name(part) == part] == []
