"""A Flex query's answer: executions once, settlements once, signs and instants as the file means them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring, tostring
from zoneinfo import ZoneInfo

import pytest

from trading.brokers import ibkr_flex
from trading.brokers.document import Document
from trading.brokers.ibkr import contract_symbol
from trading.brokers.values import FillKind, FillLine, Head, Statement
from trading.brokers.zones import needs_zone, with_zone
from trading.errors import InvalidValue, UnknownLayout

NEW_YORK = ZoneInfo("America/New_York")
TRADE = {
    "accountId": "U7654321", "currency": "USD", "assetCategory": "STK", "symbol": "QZA", "description": "QZA CORP",
    "conid": "900001", "multiplier": "1", "tradeID": "T1", "dateTime": "20260126;115715", "tradeDate": "20260126",
    "quantity": "691", "tradePrice": "43.1", "ibCommission": "-3.455", "ibCommissionCurrency": "USD", "buySell": "BUY",
    "ibOrderID": "O1", "levelOfDetail": "EXECUTION",
}  # fmt: skip
OPTION = {
    "assetCategory": "OPT", "symbol": "QZA   260117C00005000", "description": "QZA 17JAN26 5 C", "conid": "900002",
    "multiplier": "100", "listingExchange": "CBOE",
}  # fmt: skip


def element(tag: str, attributes: dict[str, str]) -> str:
    return tostring(Element(tag, attributes), encoding="unicode")


def trade(**changes: str) -> str:
    return element("Trade", TRADE | changes)


def flex(*trades: str, rest: str = "", account: str = "U7654321") -> Document:
    """Return an answer with one statement of January 2026."""
    tree = fromstring(
        '<FlexQueryResponse queryName="q" type="AF"><FlexStatements count="1">'
        f'<FlexStatement accountId="{account}" fromDate="20260101" toDate="20260131" period="">'
        f"<Trades>{''.join(trades)}</Trades>{rest}</FlexStatement></FlexStatements></FlexQueryResponse>"
    )
    return Document("flex.xml", "0" * 64, "xml", tree=tree)


def read(*trades: str, rest: str = "") -> Statement:
    return ibkr_flex.read(flex(*trades, rest=rest))


def fill(**changes: str) -> FillLine:
    statement = read(trade(**changes))
    assert statement.rejected == ()
    return statement.fills[0]


def rejection(**changes: str) -> str:
    statement = read(trade(**changes))
    assert statement.fills == ()
    return statement.rejected[0].reason


def test_an_execution_is_a_fill_with_its_ids_and_its_commission_as_a_cost() -> None:
    statement = read(trade(orderReference="breakout"))
    (line,) = statement.fills
    assert (line.side, line.quantity, line.price) == ("BUY", Decimal(691), Decimal("43.1"))
    assert (line.fill_id, line.order_id, line.tag, line.kind) == ("T1", "O1", "breakout", FillKind.TRADE)
    assert line.charges == {Head.BROKERAGE: Decimal("3.455")}
    assert (statement.client, statement.first_day, statement.last_day) == (
        "U7654321", date(2026, 1, 1), date(2026, 1, 31),
    )  # fmt: skip


def test_orders_lots_and_closed_lots_tell_of_the_same_trade_and_are_left_out() -> None:
    levels = [trade(levelOfDetail=level) for level in ("EXECUTION", "ORDER", "CLOSED_LOT", "LOT")]
    statement = read(*levels, element("Lot", TRADE), element("Order", TRADE), element("SymbolSummary", TRADE))
    assert len(statement.fills) == 1
    assert [remark.reason for remark in statement.ignored] == ["not_an_execution"] * 6


def test_a_query_with_orders_alone_is_refused_with_what_to_tick() -> None:
    with pytest.raises(UnknownLayout, match="no executions") as refusal:
        read(trade(levelOfDetail="ORDER"))
    assert "Executions" in refusal.value.hint


def test_a_sale_has_a_quantity_below_0() -> None:
    line = fill(quantity="-100", buySell="SELL", proceeds="4310")
    assert (line.side, line.quantity) == ("SELL", Decimal(100))


@pytest.mark.parametrize(("quantity", "word"), [("100", "SELL"), ("-100", "BUY")])
def test_a_side_that_contradicts_the_sign_is_rejected(quantity: str, word: str) -> None:
    assert rejection(quantity=quantity, buySell=word) == "side_conflict"


def test_the_sign_tells_the_side_where_no_word_does() -> None:
    assert fill(quantity="-100", buySell="").side == "SELL"


def test_a_commission_above_0_is_a_rebate() -> None:
    assert fill(ibCommission="0.42").charges == {Head.BROKERAGE: Decimal("-0.42")}


@pytest.mark.parametrize(
    ("cells", "is_empty"), [({}, False), ({"ibCommission": ""}, True), ({"ibCommission": "0"}, False)]
)
def test_a_commission_that_is_left_empty_is_told_from_one_that_nobody_asked_for(
    cells: dict[str, str], is_empty: bool
) -> None:
    without = {name: cell for name, cell in TRADE.items() if name != "ibCommission"}
    assert read(element("Trade", without | cells)).fills[0].is_uncharged is is_empty


def test_taxes_stand_apart_from_the_commission() -> None:
    assert fill(taxes="-1.5").charges == {Head.BROKERAGE: Decimal("3.455"), Head.OTHER: Decimal("1.5")}


def test_a_commission_in_another_currency_is_no_charge_of_the_fill_and_is_named() -> None:
    statement = read(trade(ibCommissionCurrency="CAD"))
    assert statement.fills[0].charges == {}
    assert [remark.reason for remark in statement.ignored] == ["commission_currency"]


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"dateTime": "20260126;115715"}, datetime(2026, 1, 26, 11, 57, 15)),
        ({"dateTime": "2026-01-26, 11:57:15"}, datetime(2026, 1, 26, 11, 57, 15)),
        ({"dateTime": "2026-01-26 11:57:15"}, datetime(2026, 1, 26, 11, 57, 15)),
        ({"dateTime": "", "tradeDate": "2026-01-26", "tradeTime": "162000"}, datetime(2026, 1, 26, 16, 20)),
        ({"dateTime": "", "tradeTime": ""}, None),
    ],
)
def test_each_style_of_date_is_read(changes: dict[str, str], at: datetime | None) -> None:
    line = fill(**changes)
    assert (line.at, line.day) == (at, date(2026, 1, 26))


@pytest.mark.parametrize("stamp", ["01/02/2026;115715", "20261301;115715", "20260126;250000", "yesterday"])
def test_a_date_that_can_be_read_in_two_ways_or_none_is_rejected(stamp: str) -> None:
    assert rejection(dateTime=stamp) == "unreadable_cell"


def test_an_evening_session_counts_to_its_trade_date() -> None:
    line = fill(dateTime="20260125;183000", tradeDate="20260126")
    assert (line.day, line.at) == (date(2026, 1, 26), datetime(2026, 1, 25, 18, 30))


class TestZone:
    def test_the_file_names_none_so_that_it_is_asked_for(self) -> None:
        statement = read(trade())
        assert statement.zone == ""
        assert needs_zone(statement)

    def test_the_stated_zone_makes_the_times_aware(self) -> None:
        statement = with_zone(read(trade()), "America/New_York")
        assert statement.fills[0].at == datetime(2026, 1, 26, 11, 57, 15, tzinfo=NEW_YORK)
        assert (statement.zone, needs_zone(statement)) == ("America/New_York", False)

    def test_a_time_that_the_clocks_show_twice_is_rejected(self) -> None:
        statement = with_zone(read(trade(dateTime="20261101;013000"), trade(tradeID="T2")), "America/New_York")
        assert [line.fill_id for line in statement.fills] == ["T2"]
        assert [remark.reason for remark in statement.rejected] == ["ambiguous_time"]

    def test_an_unknown_zone_is_refused(self) -> None:
        with pytest.raises(InvalidValue, match="no time zone 'Mars/Base'"):
            with_zone(read(trade()), "Mars/Base")

    def test_a_time_with_its_zone_needs_no_other(self) -> None:
        statement = read(trade(dateTime="20260126;115715 EST"))
        assert statement.fills[0].at == datetime(2026, 1, 26, 11, 57, 15, tzinfo=NEW_YORK)
        assert with_zone(statement, "Asia/Kolkata") == statement

    def test_days_without_clocks_need_none(self) -> None:
        assert not needs_zone(read(trade(dateTime="", tradeTime="")))


class TestOptions:
    @pytest.mark.parametrize(
        ("symbol", "name"),
        [
            ("VXX   110917C00005000", "VXX110917C00005000"),
            ("GOOGL 260117P00150500", "GOOGL260117P00150500"),
            ("VXX 17SEP11 5 C", "VXX110917C00005000"),
            ("GOOGL 17JAN26 150.5 P", "GOOGL260117P00150500"),
            ("ESZ6", "ESZ6"),
            ("P OESX  DEC 26 4800", "P OESX DEC 26 4800"),
        ],
    )
    def test_a_contract_has_one_symbol_however_it_is_spelled(self, symbol: str, name: str) -> None:
        assert contract_symbol(symbol) == name

    def test_its_instrument_is_the_whole_contract_with_its_multiplier(self) -> None:
        name = fill(**OPTION, quantity="2", tradePrice="6.95", proceeds="-1390", exchange="BOX").instrument
        assert (name.symbol, name.multiplier, name.code) == ("QZA260117C00005000", Decimal(100), "900002")
        assert name.exchange == "CBOE"  # where it is listed, and not where it was traded

    @pytest.mark.parametrize(("note", "kind"), [("A", FillKind.EXERCISE), ("Ex", FillKind.EXERCISE),
                                                ("Ep", FillKind.EXPIRY)])  # fmt: skip
    def test_a_settlement_stands_at_price_0_and_is_no_sale(self, note: str, kind: FillKind) -> None:
        line = fill(**OPTION, quantity="3", tradePrice="0", proceeds="-0", exchange="--", notes=note, ibCommission="0",
                    transactionType="BookTrade")  # fmt: skip
        assert (line.kind, line.price, line.quantity, line.side) == (kind, Decimal(0), Decimal(3), "BUY")

    def test_a_trade_at_price_0_without_such_a_note_is_rejected(self) -> None:
        assert rejection(**OPTION, tradePrice="0", notes="P") == "zero_price"

    def test_an_event_that_stands_among_the_trades_is_told_once(self) -> None:
        settled = trade(**OPTION, quantity="3", tradePrice="0", notes="A", transactionType="BookTrade")
        event = TRADE | OPTION | {"date": "2026-01-17", "transactionType": "Assignment", "quantity": "3"}
        statement = read(settled, rest=f"<OptionEAE>{element('OptionEAE', event)}</OptionEAE>")
        assert (len(statement.fills), statement.actions) == (1, ())
        assert [remark.reason for remark in statement.ignored] == ["same_as_trade"]

    def test_an_ordinary_trade_of_the_contract_does_not_tell_its_event(self) -> None:
        bought = trade(**OPTION, quantity="3", tradePrice="6.95")
        event = TRADE | OPTION | {"date": "2026-01-17", "transactionType": "Expiration", "quantity": "-3"}
        statement = read(bought, rest=f"<OptionEAE>{element('OptionEAE', event)}</OptionEAE>")
        assert [action.quantity for action in statement.actions] == [Decimal(-3)]

    def test_an_event_alone_is_proposed_and_never_booked(self) -> None:
        event = TRADE | OPTION | {"date": "2026-01-17", "transactionType": "Assignment", "quantity": "20"}
        statement = read(rest=f"<OptionEAE>{element('OptionEAE', event)}</OptionEAE>")
        assert statement.fills == ()
        (action,) = statement.actions
        assert (action.kind, action.quantity, action.day) == ("settlement", Decimal(20), date(2026, 1, 17))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"notes": "Ca"}, "cancelled"),
        ({"buySell": "BUY (Ca.)"}, "cancelled"),
        ({"transactionType": "TradeCancel"}, "cancelled"),
        ({"assetCategory": "BOND"}, "asset_category"),
        ({"quantity": "0"}, "unreadable_cell"),
        ({"quantity": "many"}, "unreadable_cell"),
        ({"currency": ""}, "unreadable_cell"),
        ({"proceeds": "-29782.10", "tradePrice": "43.2"}, "proceeds_conflict"),
        ({"proceeds": "29782.10"}, "proceeds_conflict"),
    ],
)
def test_a_row_that_cannot_be_booked_is_rejected_with_its_reason(changes: dict[str, str], reason: str) -> None:
    assert rejection(**changes) == reason


def test_a_change_of_money_is_no_trade() -> None:
    statement = read(trade(), trade(assetCategory="CASH", symbol="EUR.USD"))
    assert len(statement.fills) == 1
    assert [remark.reason for remark in statement.ignored] == ["currency_conversion"]


def test_a_position_is_taken_whole_and_not_by_lots() -> None:
    whole = TRADE | {"reportDate": "20260131", "position": "-340", "costBasisPrice": "34.405", "side": "Short",
                     "levelOfDetail": "SUMMARY"}  # fmt: skip
    rows = element("OpenPosition", whole) + element("OpenPosition", whole | {"levelOfDetail": "LOT"})
    (position,) = read(rest=f"<OpenPositions>{rows}</OpenPositions>").positions
    assert (position.quantity, position.average_price) == (Decimal(-340), Decimal("34.405"))


def test_an_average_of_0_is_none_that_a_query_without_costs_writes() -> None:
    row = TRADE | {"reportDate": "20260131", "position": "340", "costBasisPrice": "0", "side": "Long",
                   "levelOfDetail": "SUMMARY"}  # fmt: skip
    (position,) = read(rest=f"<OpenPositions>{element('OpenPosition', row)}</OpenPositions>").positions
    assert position.average_price is None


def test_cash_comes_with_its_currency_and_sums_are_left_out() -> None:
    row = TRADE | {"type": "Other Fees", "description": "BUNDLE", "dateTime": "2026-01-03", "amount": "-10",
                   "transactionID": "C1", "levelOfDetail": "DETAIL"}  # fmt: skip
    rows = element("CashTransaction", row) + element("CashTransaction", row | {"levelOfDetail": "SUMMARY"})
    (bill,) = read(rest=f"<CashTransactions>{rows}</CashTransactions>").bills
    assert (bill.amount, bill.currency, bill.text, bill.voucher) == (Decimal(-10), "USD", "Other Fees: BUNDLE", "C1")


def test_a_split_is_proposed_with_its_ratio() -> None:
    row = TRADE | {"reportDate": "2026-01-18", "dateTime": "2026-01-17, 20:25:00", "quantity": "480",
                   "description": "QZA(US0000000001) SPLIT 1 FOR 25 (QZA, QZA CORP, US0000000002)"}  # fmt: skip
    (action,) = read(rest=f"<CorporateActions>{element('CorporateAction', row)}</CorporateActions>").actions
    assert (action.kind, action.new, action.old, action.day) == ("split", Decimal(1), Decimal(25), date(2026, 1, 18))


def test_a_quiet_period_is_empty_and_no_error() -> None:
    statement = read(rest=f"<SecuritiesInfo>{element('SecurityInfo', TRADE)}</SecuritiesInfo>")
    assert statement.is_empty
    assert [remark.reason for remark in statement.ignored] == ["other_section"]


def test_the_statements_of_two_accounts_are_refused() -> None:
    with pytest.raises(InvalidValue, match="2 accounts"):
        ibkr_flex.read(flex(trade(), account="U0000001"))


def test_a_file_without_statement_is_refused() -> None:
    with pytest.raises(UnknownLayout, match="no FlexStatement"):
        ibkr_flex.read(Document("flex.xml", "", "xml", tree=fromstring("<FlexQueryResponse />")))


class TestRealSamples:
    """Real answers of the service, with account numbers that their publishers made up."""

    def statement(self, path: Path) -> Statement:
        return ibkr_flex.read(Document(path.name, "", "xml", tree=fromstring(path.read_text())))

    def test_partial_executions_of_one_order_are_fills_of_their_own(self, market_data: Path) -> None:
        statement = self.statement(market_data / "tradetally" / "ibkr-flex-report.xml")
        assert statement.rejected == ()
        assert [(line.side, line.quantity, line.price) for line in statement.fills] == [
            ("BUY", Decimal(691), Decimal("43.1")),
            ("SELL", Decimal(100), Decimal("44.19")),
            ("BUY", Decimal(103), Decimal(300)),
            ("BUY", Decimal(137), Decimal(300)),
        ]
        assert {line.order_id for line in statement.fills[2:]} == {"ORD00003"}
        assert sum(line.charges[Head.BROKERAGE] for line in statement.fills) == Decimal("5.7665514")
        assert statement.positions[0].quantity == Decimal(340)

    def test_a_year_of_trades_adds_up_to_its_corporate_actions(self, market_data: Path) -> None:
        statement = self.statement(market_data / "portfolio-performance" / "ibflexFile01.xml")
        assert (len(statement.fills), statement.rejected) == (14, ())
        held = {
            symbol: sum(line.quantity for line in statement.fills if line.instrument.symbol == symbol)
            for symbol in ("GCM", "UUU")
        }
        assert held == {"GCM": Decimal(12000), "UUU": Decimal(12000)}  # what the split and the tender take away
        assert [(action.kind, action.quantity) for action in statement.actions] == [
            ("other", Decimal(-12000)), ("other", Decimal(12000)), ("split", Decimal(480)),
            ("split", Decimal(-12000)), ("other", Decimal(-12000)),
        ]  # fmt: skip
        assert len(statement.bills) == 7

    def test_single_elements_of_each_kind(self, market_data: Path) -> None:
        elements = fromstring((market_data / "ibflex" / "flex-elements.xml").read_text())
        document = flex(account="U123456")
        assert document.tree is not None
        section = document.tree.find("FlexStatements/FlexStatement")
        assert section is not None
        for child in elements:
            section.append(child)
        # Single elements stand where sections do: each is put into one.
        for child in list(elements):
            section.remove(child)
            holder = fromstring(f"<{child.tag}s />")
            holder.append(child)
            section.append(holder)
        statement = ibkr_flex.read(document)
        assert statement.rejected == ()
        (assignment,) = statement.fills
        assert (assignment.kind, assignment.price, assignment.instrument.symbol) == (
            FillKind.EXERCISE, Decimal(0), "VXX110917C00005000",
        )  # fmt: skip
        (event,) = statement.actions  # another contract, of which no settlement stands among the trades
        assert (event.instrument.symbol, event.quantity) == ("VXX110805C00020000", Decimal(20))
        assert [bill.amount for bill in statement.bills] == [Decimal(27800)]
        assert statement.positions == ()  # a lot alone is no position
