"""What Upstox's files have in common: its names, and the heads of charges as it spells them."""

from __future__ import annotations

import re

from trading.brokers.values import Head

# Of today, and of the company whose business it took over.
COMPANIES = ("UPSTOX SECURITIES PRIVATE LIMITED", "RKSV SECURITIES")
# In this order: "IGST 18% On Brokerage" is GST, and "SEBI turnover fees" are SEBI's.
_HEADS = (
    (re.compile(r"GST"), Head.GST),
    (re.compile(r"\bSTT\b|SECURIT(?:Y|IES) TRANSACTION TAX"), Head.STT),
    (re.compile(r"\bCTT\b|COMMODIT(?:Y|IES) TRANSACTION TAX"), Head.CTT),
    (re.compile(r"SEBI"), Head.SEBI),
    (re.compile(r"STAMP"), Head.STAMP),
    (re.compile(r"IPFT"), Head.IPFT),
    (re.compile(r"DEMAT|\bDP\b"), Head.DP),
    (re.compile(r"TURNOVER|TRANSACTION CH"), Head.EXCHANGE),
    (re.compile(r"BROKERAGE"), Head.BROKERAGE),
)


def names_upstox(content: str) -> bool:
    """Say whether a cell or a line has the company's name in it."""
    return any(company in content.upper() for company in COMPANIES)


def head_of(label: str) -> Head:
    """Return the head that a label stands for, `OTHER` for one that no rule names. The exchange's charge has the
    contribution to the investor protection fund in it."""
    return next((head for pattern, head in _HEADS if pattern.search(label.upper())), Head.OTHER)
