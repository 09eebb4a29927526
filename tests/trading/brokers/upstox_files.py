"""Upstox's files of a client that was made up, with each trap of theirs in them."""

from __future__ import annotations

from datetime import datetime

from trading.brokers.document import CellRow

COMPANY = "UPSTOX SECURITIES PRIVATE LIMITED"
PREAMBLE: tuple[CellRow, ...] = (
    (COMPANY,),
    ("(Formerly Another Private Limited)",),
    ("Dealing Office: Somewhere",),
    (),
    ("UCC", "ZZ1234"),
    ("Name", "A TRADER"),
    ("PAN", "AAAAA0000A"),
    ("Report Time Period", "28-08-2026 To 04-09-2026"),
    ("Generated On", "2026-09-04 00:07:10"),
    (),
)
FOOTER: tuple[CellRow, ...] = ((), (), ("From a day on our broking operations are another company's.",))
TRADE_COLUMNS = (
    *("Date", "Company", "Amount", "Exchange", "Segment", "Scrip Code", "Instrument Type", "Strike Price", "Expiry"),
    *("Trade Num", "Trade Time", "Side", "Quantity", "Price"),
)
DAY = datetime(2026, 8, 28)
SHARE = (DAY, "MADE UP WIRES LTD", 1243.7, "NSE", "EQ", "500001", "Equity", 0, None, "204257888", "11:52:13", "Buy", 2,
         621.85)  # fmt: skip
NIFTY = (DAY, "NIFTY", 2470, "FON", "FO", "NIFTY", "European Put", 24000, "01-09-2026", "1468483", "11:37:22", "Buy",
         65, 38)  # fmt: skip
NIFTY_SALE = (*NIFTY[:2], 2385.5, *NIFTY[3:9], "1489993", "11:38:40", "Sell", 65, 36.7)
SENSEX = (DAY, "BSX", 1801, "FOB", "FO", "BSX", "European Call", 78300, "03-09-2026", "903090", "11:46:39", "Buy", 20,
          90.05)  # fmt: skip

PNL_COLUMNS = (
    *("Scrip Name", "Scrip Code", "Symbol", "ISIN", "Scrip Opt", "Qty", "Buy Date", "Buy Rate", "Buy Amt"),
    *("Sell Date", "Sell Rate", "Sell Amt", "Days", "Total PL", "Short Term", "Long Term", "Speculation", "Turn Over"),
)
PNL_PREAMBLE: tuple[CellRow, ...] = (
    *PREAMBLE,
    ("Segment", "EQ"),
    ("P&L Summary",),
    ("Gross P&L", 98.95),
    ("Net P&L", 95.72),
    ("Charges",),
    ("Brokerage", 2.66),
    ("TURNOVER CHG", 0.08),
    ("CENTRAL GST", 0.24),
    ("STATE GST", 0.25),
    ("TOTAL", 3.23),
    ("Realised P&L Details",),
)
INTRADAY = ("MADE UP WIRES LTD", "523539", "MADEUP", "INE000A01010", "EQ", 3, "28-08-2026", 443.3, 1329.9,
            "28-08-2026", 442.95, 1328.85, 0, -1.05, 0, 0, -1.05, 1.05)  # fmt: skip
DELIVERY = ("MADE UP CABLES LTD", "523540", "CABLES", "INE000A01028", "EQ", 10, "01-06-2026", 100, 1000,
            "31-08-2026", 110, 1100, 91, 100, 100, 0, 0, 1100)  # fmt: skip

NOTE_FIRST_PAGE = (
    "NSE-EQ",
    "CONTRACT NOTE CUM TAX INVOICE",
    COMPANY,
    "BSE-EQ BSE-F&O NSE-EQ NSE-F&O",
    "Contract Note No. : 12345678",
    "Trade Date : 28/08/2026",
    "UCC OF CLIENT : ZZ1234",
    "INE000A01010 MADE UP",
    "WIRES 3 443.3000 443.3000 1329.90 -3 442.9500 442.9500 -1328.85 0 1.05",
    "Obligation Details",
    "EQ-CASH (Rs.) TOTAL (Net) (Rs.)",
    "PAY IN / ( PAY OUT ) OBLIGATION 1.05 1.05",
    "Brokerage Charges 2.66 2.66",
)
NOTE_SECOND_PAGE = (
    "DIRECTOR/AUTHORISED SIGNATORY",
    "PAN: AAAAA0000A",
    "Accounting code of services : 997152",
    "EQ-CASH (Rs.) TOTAL (Net) (Rs.)",
    "[IGST 18% On Brokerage] 0.48 0.48",
    "[IGST 18% On Charges] 0.01 0.01",
    "[STT-Round off] -0.33 -0.33",
    "[STT-SQUP] 0.33 0.33",
    "[TURNOVER CHG] 0.08 0.08",
    "Net amount (-) receivable by Client / (+) payable by Client (Rs.) 4.28 4.28",
    "GST Taxable Value of Supply:- Brokerage: Rs. 2.66 = Total: Rs. ,[TURNOVER CHG*] :Rs. 0.08 2.74",
    "* These trades indicates square-off",
)
NOTE_PURCHASE = (
    "1200000038507282 11:55:42 404283923 11:55:43 MADE UP WIR [INE000A01010] B 3 443.3000 443.3000 1329.90 NSE"
)
NOTE_SALE = (
    "1200000038664383 11:56:42 404303228 11:56:44 MADE UP WIR [INE000A01010] S -3 442.9500 442.9500 -1328.85 NSE"
)
NOTE_THIRD_PAGE = (
    "Annexure A",
    "EQ-CASH",
    NOTE_PURCHASE,
    NOTE_SALE,
    "1200000038664383 Brokerage Charges B 1 0.0000 1.3300 1.33",
    "1200000038507282 Brokerage Charges B 1 0.0000 1.3300 1.33",
)
LAST_BROKERAGE = NOTE_THIRD_PAGE[-1]
