"""Any broker's table is read by a mapping file; a mapping that leaves a guess is refused."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from trading.brokers.containers.opening import open_document, open_head
from trading.brokers.formats import recognise
from trading.brokers.mapped_file import MappedFormat, shipped_formats
from trading.brokers.mapping import FOLDER, parse_mapping, shipped_mappings
from trading.brokers.values import Broker, Head, Statement
from trading.errors import InvalidValue, UnknownLayout

MAPPING = """
code = "acme_trades"
name = "Acme: trades"
zone = "Asia/Kolkata"
decimals = "point"
currency = "INR"
exchange = "NSE"
[columns]
day = "Date"
clock = "Time"
side = "B/S"
symbol = "Scrip"
quantity = "Qty"
price = "Rate"
fill_id = "Trade No"
product = "Product"
client = "UCC"
[styles]
day = ["%d/%m/%Y"]
clock = ["%I:%M:%S %p"]
[sides]
BUY = ["B"]
SELL = ["S"]
[marks]
"₹" = "INR"
[products]
intraday = ["MIS"]
delivery = ["CNC"]
[charges]
brokerage = "Brok"
stamp = "Stamp"
[[ignored]]
reason = "total"
column = "Scrip"
words = ["Total"]
"""
HEADER = "UCC,Date,Time,B/S,Scrip,Qty,Rate,Trade No,Product,Brok,Stamp"
ROW = 'AB1,02/06/2026,03:20:21 PM,B,RELIANCE,"1,200",₹2453.05,238243,MIS,20,-0.12'


def read(*rows: str, mapping: str = MAPPING, header: str = HEADER) -> Statement:
    content = "\n".join((header, *rows)).encode()
    each = MappedFormat(parse_mapping(mapping, "acme.toml"))
    assert recognise(open_head(content, "a.csv"), [each], []) is each
    return each.read(open_document(content, "a.csv"))


class TestAFile:
    def test_a_row_becomes_a_fill(self) -> None:
        statement = read(ROW)
        fill = statement.fills[0]
        assert (statement.broker, statement.kind, statement.zone, statement.client) == (
            Broker.OTHER,
            "acme_trades",
            "Asia/Kolkata",
            "AB1",
        )
        assert (fill.side, fill.quantity, fill.price, fill.currency) == ("BUY", 1200, Decimal("2453.05"), "INR")
        assert (fill.instrument.exchange, fill.instrument.symbol) == ("NSE", "RELIANCE")
        assert fill.at == datetime(2026, 6, 2, 9, 50, 21, tzinfo=UTC)
        assert (fill.fill_id, fill.product, fill.place.row) == ("238243", "intraday", 2)
        assert fill.charges == {Head.BROKERAGE: Decimal(20), Head.STAMP: Decimal("-0.12")}
        assert (statement.first_day, statement.last_day, statement.rows_read) == (date(2026, 6, 2), date(2026, 6, 2), 1)

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            (("02/06/2026", "06/13/2026"), "no day"),
            (("03:20:21 PM", "15:20:21"), "no time of day"),
            ((",B,", ",X,"), "no word that buys or sells"),
            (('"1,200"', "0"), "no quantity"),
            (('"1,200"', "-5"), "the row is a BUY"),
            (("₹2453.05", "$2453.05"), "no number"),
            (("₹2453.05", "-1"), "price below 0"),
            (("RELIANCE", ""), "names no instrument"),
            (("RELIANCE", "LARSEN, TOUBRO"), "more cells than its header"),
        ],
    )
    def test_a_row_that_says_otherwise_is_rejected_with_its_reason(self, change: tuple[str, str], fault: str) -> None:
        statement = read(ROW.replace(*change), ROW)
        assert len(statement.fills) == 1
        assert [(remark.place.row, fault in remark.text) for remark in statement.rejected] == [(2, True)]

    def test_rows_that_the_mapping_ignores_are_named(self) -> None:
        statement = read(ROW, ",,,,Total,1200,,,,20,")
        assert [(remark.place.row, remark.reason) for remark in statement.ignored] == [(3, "total")]

    def test_a_sentence_is_read_by_its_pattern_and_pence_as_pounds(self) -> None:
        mapping = MAPPING.replace(
            'currency = "INR"',
            'pattern = "(?P<side>B|S) (?P<quantity>[0-9.]+) @ (?P<price>[0-9.]+) (?P<currency>[A-Z]+)"',
        )
        mapping = mapping.replace('quantity = "Qty"\nprice = "Rate"\n', "").replace(
            "[marks]", '[minor_units]\nGBX = "GBP"\n[marks]'
        )
        fill = read(ROW.replace(",B,", ",S 4 @ 496 GBX,"), mapping=mapping).fills[0]
        assert (fill.side, fill.quantity, fill.price, fill.currency) == ("SELL", 4, Decimal("4.96"), "GBP")

    def test_an_amount_alone_gives_the_price(self) -> None:
        mapping = MAPPING.replace('price = "Rate"', 'amount = "Rate"')
        fill = read(ROW.replace('"1,200"', "3").replace("₹2453.05", "100"), mapping=mapping).fills[0]
        assert (fill.price, fill.amount) == (Decimal("33.33333333"), 100)

    def test_a_header_without_rows_is_empty(self) -> None:
        assert read().is_empty

    def test_clients_are_not_mixed(self) -> None:
        with pytest.raises(UnknownLayout, match="2 clients"):
            read(ROW, ROW.replace("AB1", "CD2"))

    def test_a_changed_header_is_told_by_name(self) -> None:
        content = f"{HEADER.replace('Rate', 'Price')}\n{ROW}".encode()
        with pytest.raises(UnknownLayout, match="new columns 'Price'; missing columns 'Rate'"):
            MappedFormat(parse_mapping(MAPPING, "acme.toml")).read(open_document(content, "a.csv"))

    def test_another_delimiter_than_the_stated_one_is_another_file(self) -> None:
        each = MappedFormat(parse_mapping(MAPPING.replace("code =", 'delimiter = ";"\ncode ='), "acme.toml"))
        assert not each.matches(open_head(f"{HEADER}\n{ROW}".encode(), "a.csv"))
        assert each.matches(open_head(f"{HEADER}\n{ROW}".replace(",", ";").encode(), "a.csv"))


class TestAMapping:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            (("zone =", "zones ="), "zones"),
            (('"Asia/Kolkata"', '"Asia/Bombay Street"'), "zone"),
            (('"Asia/Kolkata"', '"/etc/passwd"'), "zone"),
            (('"point"', '"dot"'), "decimals"),
            (('decimals = "point"', ""), "decimals"),
            (('currency = "INR"', ""), "currency"),
            (('symbol = "Scrip"', 'scrip = "Scrip"'), "scrip"),
            (('symbol = "Scrip"\n', ""), "columns"),
            (('day = "Date"\n', ""), "columns"),
            (('day = "Date"', 'at = "Date"\nday = "Date"'), "columns"),
            (('price = "Rate"\n', ""), "columns"),
            (('side = "B/S"\n', ""), "columns"),
            (('BUY = ["B"]\nSELL = ["S"]', ""), "sides"),
            (('SELL = ["S"]', 'SELL = ["B"]'), "sides"),
            (('SELL = ["S"]', 'SHORT = ["S"]'), "SHORT"),
            (('day = ["%d/%m/%Y"]', ""), "styles"),
            (('brokerage = "Brok"', 'fee = "Brok"'), "fee"),
            (('words = ["Total"]', ""), "words"),
            (('words = ["Total"]', "words = 5"), "words"),
            (('words = ["Total"]', "words = [5]"), "words"),
            (('words = ["Total"]', 'pattern = "("'), "pattern"),
            (('reason = "total"', ""), "reason"),
            (('quantity = "Qty"', "quantity = 5"), "quantity"),
            (("[products]", "[other]"), "other"),
            (('code = "acme_trades"', "code = 5"), "code"),
            (('code = "acme_trades"', 'is_exact = "yes"\ncode = "acme_trades"'), "is_exact"),
            (('code = "acme_trades"', 'delimiter = ", "\ncode = "acme_trades"'), "delimiter"),
            (('code = "acme_trades"', 'pattern = "(?P<strike>.)"\ncode = "acme_trades"'), "pattern"),
            (("[columns]", "[columns"), "mapping"),
        ],
    )  # fmt: skip
    def test_a_key_that_is_wrong_or_missing_is_named(self, change: tuple[str, str], field: str) -> None:
        assert change[0] in MAPPING
        with pytest.raises(InvalidValue, match=r"acme\.toml") as caught:
            parse_mapping(MAPPING.replace(*change), "acme.toml")
        assert caught.value.field == field

    def test_the_shipped_ones_are_all_read(self) -> None:
        assert len(shipped_mappings()) == len(list(FOLDER.iterdir())) >= 7


# What each real sample holds: fills, then the reasons of the rest; what is wrong in a sample is rejected and named.
SAMPLES = {
    "ghostfolio/sample.csv": ("ghostfolio_activities", 2, {"fee": 1, "dividend": 1}, 1),
    "ghostfolio/vti-buy-on-ibkr.csv": ("ibkr_flex_trades", 1, {}, 0),
    "export-to-ghostfolio/ibkr-trades-export.csv": ("ibkr_trades", 8, {"currency_exchange": 3}, 0),
    "export-to-ghostfolio/schwab-export.csv": (
        "schwab_transactions",
        43,
        {"dividend": 43, "fee": 12, "corporate_action": 12, "interest": 5, "transfer": 4, "total": 1},
        0,
    ),
    "export-to-ghostfolio/trading212-export.csv": (
        "trading212_history",
        4,
        {"dividend": 3, "corporate_action": 3, "transfer": 2, "interest": 1},
        0,
    ),
    "export-to-ghostfolio/coinbase-export.csv": (
        "coinbase_transactions",
        2,
        {"income": 2, "transfer": 2, "conversion": 2},
        0,
    ),
    "export-to-ghostfolio/degiro-export.csv": (
        "degiro_account",
        13,
        {
            "transfer": 16,
            "dividend": 16,
            "charge": 13,
            "currency_exchange": 12,
            "corporate_action": 3,
            "rest_of_an_order_id": 1,
        },
        0,
    ),
}


def sample(market_data: Path, name: str) -> Statement:
    content = (market_data / name).read_bytes()
    return recognise(open_head(content, name), shipped_formats(), []).read(open_document(content, name))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_real_sample_is_read_by_its_shipped_mapping(market_data: Path, name: str) -> None:
    kind, fills, ignored, rejected = SAMPLES[name]
    statement = sample(market_data, name)
    assert (statement.kind, len(statement.fills), len(statement.rejected)) == (kind, fills, rejected)
    assert Counter(remark.reason for remark in statement.ignored) == ignored
    assert statement.rows_read == fills + sum(ignored.values()) + rejected


def test_figures_of_the_real_samples(market_data: Path) -> None:
    vti = sample(market_data, "ghostfolio/vti-buy-on-ibkr.csv").fills[0]
    assert (vti.quantity, vti.price, vti.charges[Head.BROKERAGE], vti.at) == (
        17,
        Decimal("204.3473"),
        1,
        datetime(2023, 4, 3, 9, 58, 53),
    )
    assert vti.instrument.multiplier == 1
    trades = sample(market_data, "export-to-ghostfolio/ibkr-trades-export.csv").fills
    assert sum(fill.quantity * fill.price for fill in trades if fill.currency == "USD") == Decimal("31576.55")
    schwab = {
        fill.instrument.symbol: fill for fill in sample(market_data, "export-to-ghostfolio/schwab-export.csv").fills
    }
    assert (schwab["SNAXX"].side, schwab["SNAXX"].quantity) == ("SELL", 500135)  # "500,135": a group, no decimals
    degiro = sample(market_data, "export-to-ghostfolio/degiro-export.csv").fills
    aviva = next(fill for fill in degiro if fill.instrument.company == "AVIVA")
    assert (aviva.side, aviva.quantity * aviva.price, aviva.currency) == ("SELL", Decimal("19.84"), "GBP")
    bitcoin = sample(market_data, "export-to-ghostfolio/coinbase-export.csv").fills
    assert [(fill.currency, fill.charges[Head.BROKERAGE]) for fill in bitcoin] == [
        ("EUR", Decimal("2.99")),
        ("USD", Decimal("2.99")),
    ]
