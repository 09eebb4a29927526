"""A desk on a primary and a standby, asked by lines of JSON: `{"do": NAME, ...}` gets one line of JSON as answer."""

from __future__ import annotations

import io
import json
import sys
from contextlib import suppress
from typing import Any

import django

if __name__ == "__main__":
    django.setup()
    from django.contrib.auth.models import Group
    from django.core.management import call_command
    from django.db import connections
    from django.test import Client

    from tests.trading.book import closed, opened
    from trading import replica
    from trading.models import User

    touches: list[str] = []
    person = Client(headers={"host": "localhost"})
    user, _ = User.objects.get_or_create(username="asha", is_superuser=True, is_staff=True)
    user.groups.set(Group.objects.all())
    person.force_login(user)

    kind = type(connections["default"])
    connect = kind.connect

    def counted(self: Any) -> None:
        if self.alias == replica.ALIAS:
            touches.append("")
        connect(self)

    kind.connect = counted  # type: ignore[method-assign]

    def page(path: str) -> Any:
        answer = person.get(path)
        text = answer.content.decode()
        foot = text[text.find('<footer class="foot">') :].partition("</footer>")[0]
        return {"status": answer.status_code, "foot": foot, "text": text}

    def command(name: str, *arguments: str) -> Any:
        out, err = io.StringIO(), io.StringIO()
        with suppress(SystemExit):  # it has findings
            call_command(name, *arguments, stdout=out, stderr=err)
        return {"out": out.getvalue(), "err": err.getvalue()}

    def book(trade_id: str) -> Any:
        opened(trade_id)
        closed(trade_id)
        return {}

    def note(path: str, text: str) -> Any:
        return {"status": person.post(path, {"text": text, "after": 0}).status_code}

    def touched() -> Any:
        count = len(touches)
        touches.clear()
        connections[replica.ALIAS].close()
        return {"count": count}

    def ask_again() -> Any:
        replica._gone_until[0] = float("-inf")
        return {}

    doings = {row.__name__: row for row in (page, command, book, note, touched, ask_again)}
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(doings[request["do"]](*request["with"])), flush=True)
