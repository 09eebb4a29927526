"""Angel One's files of a client that was made up, with each trap of theirs in them."""

from __future__ import annotations

from trading.brokers.document import CellRow

SHEET = "TradesAndCharges"
COLUMNS = (
    *("Scrip/Contract", "Buy/Sell", "Buy Price", "Sell Price", "Quantity", "Brokerage", "GST", "STT", "Sebi Tax"),
    *("Exchange Turnover Charges", "Stamp Duty", "Other Charges", "IPFT Charges", "Order Type", "Segment", "Exchange"),
    *("Order ID", "Trade ID", "Date"),
)
# 31 rows, as the broker writes: labels, the sums of what the rows charge, unrounded, and charges that no trade caused.
PREAMBLE: tuple[CellRow, ...] = (
    (),
    ("ClientCode", "ZZ1234"),
    ("DateOfDownload", "2026-09-04"),
    (),
    ("Date Range",),
    ("StartDate", "EndDate"),
    ("2026-08-01 00:00:00.0", "2026-08-31 23:59:59.0"),
    (),
    ("Charges Summary",),
    ("Total Trades", "4"),
    ("Total Charges", "91.3961"),
    ("Total Trade Charges", "55.9961"),
    ("Total Non Trade Charges", "35.4"),
    (),
    ("Trade Charges",),
    ("Brokerage", "40.33"),
    ("GST", "7.4887"),
    ("STT", "3.0323"),
    ("SEBI Tax", "0.0106"),
    ("Exchange Turnover Charges", "5.1045"),
    ("Stamp Duty", "0.0215"),
    ("Other Charges", "0"),
    ("IPFT Charges", "0.0085"),
    (),
    ("Non Trade Charges",),
    ("DP Charges", "23.6"),
    ("GST", "11.8"),
    (),
    (),
    (),
    (),
    ("TradeBook And Charges",),
)
FOOTER: tuple[CellRow, ...] = ((), ("NOTE: Data Accurate Till", "2026-08-31"))
PUT = "OPTIDX NIFTY Aug 25 2026 24150.00 PE (BT)"
SHARE = ("MADE UP WIRES LTD", "Sell", None, 221.2, 5, 0.33, 0.07, 0.03, 0, 0.03, 0, 0, 0, "Intraday", "CAPITAL", "NSE",
         "1100000000000001", "400000001", "8/25/26 0:00")  # fmt: skip
PUT_BOUGHT = (PUT, "Buy", 17.65, None, 65, 0, 0.07, 0, 0, 0.41, 0.02, 0, 0, "Intraday", "FUTURES", "NSE",
              "1000000000000001", "8000001", "8/25/26 0:00")  # fmt: skip
PUT_SOLD = (PUT, "Sell", None, "32.90", "65", 0, 0.14, 3, 0.01, 0.76, 0, 0, 0.01, "Intraday", "FUTURES", "NSE",
            "1000000000000002", "8000002", "8/25/26 0:00")  # fmt: skip
FIRST_BROKERAGE = (PUT, "Buy", 0, None, 0, 20, 3.6, 0, 0, 0, 0, 0, 0, "Intraday", "FUTURES", "NSE",
                   "1000000000000001", None, "8/25/26 0:00")  # fmt: skip
SECOND_BROKERAGE = (PUT, "Sell", None, 0, 0, 20, 3.6, 0, 0, 0, 0, 0, 0, "Intraday", "FUTURES", "NSE",
                    "1000000000000002", None, "8/25/26 0:00")  # fmt: skip
SENSEX = ("BSXOPT SENSEX Aug 27 2026 77600.00 CE (BT)", "Buy", 54.75, None, 40, 0, 0, 0, 0, 3.9, 0, 0, 0, "Delivery",
          "FUTURES", "BSE", "1787805984776337001", "17000001", "8/27/26 0:00")  # fmt: skip
ROWS = (SHARE, PUT_BOUGHT, PUT_SOLD, FIRST_BROKERAGE, SECOND_BROKERAGE, SENSEX)

TAX_SUMMARY: tuple[str, tuple[CellRow, ...]] = (
    "Summary",
    (("Angel One Limited (formerly known as Another Limited)",), ("Client Code", "ZZ1234"), ("PAN", "AAAAA0000A")),
)
_VALUES = ("Avg Buy Price", "Buy Value", "Avg Sell Price", "Sell Value")
EQUITY_SHEET = "Equity+Bonds+SGB Trade Details"
INTRADAY: tuple[CellRow, ...] = (
    ("Intraday (Speculation)",),
    ("ISIN", "Scrip Name", "Qty", "Transaction Date", *_VALUES, "Charges and Statutory", "STT", "Taxable P&L"),
    ("INE000A01010", "MADE UP WIRES", "10", "01-07-2026", "100", "1,000.00", "102", "1,020.00", "5", "2", "13"),
    ("INE000A01028", "CABLES", "1", "02-07-2026", "50", "50", "49", "49", "0", "0", "-1"),
    ("Total", "", "", "", "", "1,050.00", "", "1,069.00", "5", "2", "12"),
    (),
)
DELIVERY: tuple[CellRow, ...] = (
    ("Delivery P&L",),
    (
        *("ISIN", "Scrip Name", "Qty", "Buy Date", "Sell Date", *_VALUES, "Cost Of Acquisition"),
        *("Charges and Statutory", "STT", "Net Profit/Loss"),
    ),
    (
        "INE000A01036",
        "ZETA",
        "5",
        "01-06-2026",
        "15-06-2026",
        "200",
        "1000",
        "220",
        "1,52,250.00",
        "1000",
        "6",
        "1",
        "93",
    ),
    (),
)
TRANSFER: tuple[CellRow, ...] = (
    ("Transfer Transactions",),
    ("ISIN", "Scrip Name", "Qty", "Buy Date", "Transfer Date", "Avg Buy Price", "Buy Value", "Transfer Price"),
    ("INE000A01044", "MOVED", "7", "01-05-2026", "10-05-2026", "50", "350", "60"),
    (),
)
OPEN_SELL: tuple[CellRow, ...] = (
    ("Open Sell",),
    ("ISIN", "Scrip Name", "Quantity", "Sell Date", "Avg Sell Price", "Sell Value", "Charges and Statutory", "STT"),
    ("INE000A01051", "GONE", "3", "02-07-2026", "500", "1500", "2", "1"),
    (),
)
HOLDINGS: tuple[CellRow, ...] = (
    ("Open Holdings as of 31/03/2026",),
    ("ISIN", "Scrip Name", "Quantity", "Avg Buy Price", "Buy Value", "Charges and Statutory", "STT", "Closing rate"),
    ("INE000A01069", "HELD", "10", "90", "900", "3", "0", "100"),
    (),
)
BREAKUP: tuple[CellRow, ...] = (
    ("Qty Breakup",),
    ("ISIN", "Scrip Name", "Total Qty", "DP Qty", "Pool Qty", "CUSPA Qty", "MTF Qty", "Pledge Qty"),
    ("INE000A01069", "HELD", "10", "8", "0", "0", "2", "0"),
)
EQUITY = (EQUITY_SHEET, (("Equity P&L Summary",), ("Net P&L", "0"), (), *INTRADAY, *DELIVERY, *TRANSFER, *OPEN_SELL,
                         *HOLDINGS, *BREAKUP))  # fmt: skip
DERIVATIVES: tuple[str, tuple[CellRow, ...]] = (
    "Derivatives Trade Details",
    (
        ("Futures",),
        ("Segment", "Symbol Name", "Expiry date", "Qty", "Buy Date", "Sell date", *_VALUES, "STT", "Taxable P&L"),
        ("NFO", "BANKNIFTY", "28-07-2026", "15", "01-07-2026", "05-07-2026", "50000", "750000", "50500", "757500", "80",
         "7270"),
        (),
        ("Options",),
        ("Segment", "Symbol Name", "Expiry date", "Strike Price", "Option Type", "Qty", "Buy Date", "Sell date",
         *_VALUES, "STT", "Taxable P&L"),
        ("NFO", "NIFTY", "30-06-2026", "24500", "CE", "75", "10-06-2026", "10-06-2026", "100", "7500", "120",
         "9000", "5", "1475"),
    ),
)  # fmt: skip
FEES: tuple[str, tuple[CellRow, ...]] = (
    "Non Trade Charges",
    (("Charge", "Posting Date", "Debit Amount", "Credit Amount"), ("DP charge", "03-07-2026", "23.60", ""),
     ("Reversal", "04-07-2026", "", "23.60")),
)  # fmt: skip
DIVIDENDS: tuple[str, tuple[CellRow, ...]] = (
    "Dividend Report",
    (("ISIN", "Scrip Name", "Dividend Date", "Qty", "Dividend Rate", "Dividend Amount"),
     ("INE000A01069", "HELD", "20-07-2026", "10", "2", "20.00")),
)  # fmt: skip
TAX = (TAX_SUMMARY, EQUITY, DERIVATIVES, FEES, DIVIDENDS)
