"""Upstox's trade report (XLSX): one row per fill, shares by the company's name, options by their terms in columns.

It has neither orders nor charges, nor says whether a share was bought for the day. Futures stand in no public sample:
rows of other instruments than shares and European options are rejected.
"""

from __future__ import annotations

from functools import partial

from trading.brokers.cells import PlacedCell, clock, day, identifier, moment_of, money, number, required_text, text
from trading.brokers.contracts import named_by_terms
from trading.brokers.document import Document, Sheet
from trading.brokers.labels import labelled, period
from trading.brokers.reading import RefusedRow, read_rows
from trading.brokers.tables import SheetLine, find_header, find_table
from trading.brokers.upstox import names_upstox, sheet_of
from trading.brokers.values import Broker, FillLine, InstrumentName, Remark, Segment, Statement

BROKER = Broker.UPSTOX
KIND = "trades"
NAME = "Upstox trade report"

_COLUMNS = (
    *("Date", "Company", "Amount", "Exchange", "Segment", "Scrip Code", "Instrument Type", "Strike Price", "Expiry"),
    *("Trade Num", "Trade Time", "Side", "Quantity", "Price"),
)
_MARKS = ("Trade Num", "Trade Time", "Scrip Code", "Company")
_DAY_STYLES = ("%d-%m-%Y", "%Y-%m-%d")
_RIGHTS = {"European Call": "CE", "European Put": "PE"}
_EXCHANGES = {"FON": "NFO", "NFO": "NFO", "FOB": "BFO", "BFO": "BFO"}
# BSE's codes of its indices' contracts, to the names of the indices.
_UNDERLYINGS = {"BSX": "SENSEX"}
