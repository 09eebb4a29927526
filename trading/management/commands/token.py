"""`manage.py token`: list, make and revoke the tokens with which programs use an account over HTTP."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import TypedDict

from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.models import ApiToken, TokenScope
from trading.operations.make_token import make_token
from trading.operations.revoke_token import revoke_token
from trading.queries.period import parse_moment
from trading.queries.tokens import all_tokens, is_alive
from trading.token_use import last_use
from trading.transactions import ask


class Command(VeloxCommand):
    help = "List the tokens with which programs use an account over HTTP, make one, or revoke one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        formats = ("table", "csv", "json")
        add_format_arguments(parser, formats=formats)
        verbs = parser.add_subparsers(dest="verb", metavar="list | make | revoke")
        listing = verbs.add_parser("list", help="every token with its account and last use (also without a verb)")
        make = verbs.add_parser("make", help="make a token; its secret is shown this once and kept nowhere")
        make.add_argument("name", help="who uses it: the journal names what it recorded after it")
        make.add_argument("--account", default="main", help="the one account that it sees (default: main)")
        make.add_argument(
            "--scope",
            action="append",
            required=True,
            choices=TokenScope.values,
            help="what it may do; give it several times",
        )
        make.add_argument("--expires", metavar="TIME", help="when it ends, such as 2027-01-01 (default: never)")
        make.add_argument("--network", action="append", default=[], help="from where alone it may come: 10.0.0.0/8")
        revoke = verbs.add_parser("revoke", help="end a token at once")
        revoke.add_argument("name")
        for verb in (make, revoke):
            verb.add_argument("--by", default=getpass.getuser(), help="who does it (default: the user of this shell)")
        for verb in (listing, make, revoke):
            add_format_arguments(verb, formats=formats, below_another=True)

    def answer(
        self,
        *,
        verb: str | None,
        name: str = "",
        account: str = "",
        scope: list[str] | None = None,
        expires: str | None = None,
        network: list[str] | None = None,
        by: str = "",
    ) -> bool:
        secret = None
        if verb == "make":
            expires_at = None if expires is None else parse_moment(expires)
            new = make_token(account, name, scope or (), by=by, expires_at=expires_at, networks=network or ())
            secret = new.secret
        elif verb == "revoke":
            revoke_token(name, by=by)
        tokens = [each for each in ask(all_tokens) if not name or each.name == name]
        self.emit(tokens_report(tokens, now=datetime.now(UTC), secret=secret))
        return True


class TokenRow(TypedDict):
    """A token as the command shows it, never with its secret."""

    name: str
    account: str
    scopes: list[str]
    networks: list[str]
    state: str
    made_at: datetime
    made_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def tokens_report(tokens: list[ApiToken], *, now: datetime, secret: str | None = None) -> Report:
    """Return tokens as a command's answer; ``secret`` is that of the one that was just made."""
    rows = [token_row(each, now) for each in tokens]
    columns = ["Name", "Account", "May", "From", "State", "Made by", "Ends", "Last used"]
    cells = [
        [
            *(row["name"], row["account"], " ".join(row["scopes"]), " ".join(row["networks"]) or "anywhere"),
            *(row["state"], row["made_by"], row["expires_at"], row["last_used_at"]),
        ]
        for row in rows
    ]
    body: dict[str, object] = {"tokens": rows}
    notes = []
    if secret is not None:
        body["secret"] = secret
        notes.append(f"Its secret, shown this once: {secret}")
    return Report("Tokens", body, [Table("Tokens", columns, cells)], notes=notes)


def token_row(token: ApiToken, now: datetime) -> TokenRow:
    """Return what is told of a token; its state is alive, expired or revoked."""
    end = getattr(token, "revocation", None)
    state = "alive" if is_alive(token, now) else "expired" if end is None else "revoked"
    return {
        "name": token.name,
        "account": token.account.code,
        "scopes": token.scopes.split(),
        "networks": token.networks.split(),
        "state": state,
        "made_at": token.made_at,
        "made_by": token.author,
        "expires_at": token.expires_at,
        "revoked_at": None if end is None else end.revoked_at,
        "last_used_at": last_use(token),
    }
