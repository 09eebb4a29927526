"""`manage.py state_charges`: say what a day's trades were charged, head by head, where no note and no file does."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from trading.domain.charge_heads import Head, Segment
from trading.domain.charge_schedule import MARKETS
from trading.domain.money import parse_amount
from trading.domain.stated_charges import ChargeSource, ChargeStatement
from trading.errors import InvalidValue
from trading.management.base import VeloxCommand
from trading.management.output import Report, Table, add_format_arguments
from trading.management.report import Value
from trading.operations.state_charges import state_charges
from trading.queries.accounts import get_account
from trading.queries.period import parse_day

HEADS = [str(head) for head in Head]


class Command(VeloxCommand):
    help = (
        "State the charges of a day, or of a period, in the account's currency: HEAD=AMOUNT, such as stt=105 "
        "brokerage=40, a rebate below 0. A head that a note or a file states stays theirs; the others of the trades of "
        "those days follow. The same again changes nothing, another amount stands in the place of the first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("amounts", nargs="+", metavar="HEAD=AMOUNT", help=f"heads are {' '.join(HEADS)}")
        parser.add_argument("--on", required=True, metavar="DAY", help="the day, or the first of a period")
        parser.add_argument("--to", metavar="DAY", help="the last day of a period (default: the day)")
        parser.add_argument("--segment", default="", choices=[str(each) for each in Segment], help="of this alone")
        parser.add_argument("--market", default="", choices=MARKETS, help="of this alone: NSE has NFO and CDS in it")
        parser.add_argument("--by", required=True, help="who says so; kept in the journal")
        parser.add_argument("--reason", required=True, help="where it is known from")
        parser.add_argument("--account", default="main", help="the account (default: main)")
        add_format_arguments(parser, formats=("table", "json"))

    def answer(
        self,
        *,
        amounts: Sequence[str],
        on: str,
        to: str | None,
        segment: str,
        market: str,
        by: str,
        reason: str,
        account: str,
    ) -> bool:
        day = parse_day(on)
        last_day = day if to is None else parse_day(to)
        lines = []
        for text in amounts:
            head, equals, amount = text.partition("=")
            if not equals or head not in HEADS:
                raise InvalidValue(
                    f"{text!r} is no HEAD=AMOUNT.", field="amounts", hint=f"Heads are {', '.join(HEADS)}."
                )
            lines.append(
                ChargeStatement(
                    day=day,
                    last_day=last_day,
                    head=Head(head),
                    amount=parse_amount(amount, head),
                    source=ChargeSource.PERSON,
                    segment=segment,
                    exchange=market,
                )
            )
        kept = state_charges(account, lines, by=by, text=reason)
        currency = get_account(account).currency
        columns = ["Day", "To", "Segment", "Market", "Head", "Amount"]
        rows: list[list[Value]] = [
            [line.day, line.last_day, segment, market, str(line.head), line.amount] for line in lines
        ]
        notes = [f"{kept.lines} of {len(lines)} are new; {kept.trades} trades changed by them."]
        body = {
            "account": account,
            "currency": currency,
            "from": day,
            "to": last_day,
            "charges": {str(line.head): line.amount for line in lines},
            "lines_new": kept.lines,
            "trades_changed": kept.trades,
        }
        self.emit(Report("Stated charges", body, [Table(f"Charges · {account}", columns, rows, currency)], notes))
        return True
