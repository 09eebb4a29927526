"""Every format that can be read: one module each. A new one gets its import and its line here, in order of names."""

from __future__ import annotations

from trading.brokers import (
    dhan_api,
    dhan_ledger,
    dhan_pnl,
    dhan_transactions,
    fyers_pnl,
    fyers_tradebook,
    groww_note,
    groww_orders,
    groww_pnl,
    ibkr_activity,
    ibkr_flex,
    icici_orders,
    kite_charges,
    kite_orders,
    kite_trades,
    paytm_tradebook,
    upstox_api,
    upstox_note,
    zerodha_pnl,
    zerodha_tax_pnl,
    zerodha_tradebook,
)
from trading.brokers.format import Format

FORMATS: tuple[Format, ...] = (
    dhan_api,
    dhan_ledger,
    dhan_pnl,
    dhan_transactions,
    fyers_pnl,
    fyers_tradebook,
    groww_note,
    groww_orders,
    groww_pnl,
    ibkr_activity,
    ibkr_flex,
    icici_orders,
    kite_charges,
    kite_orders,
    kite_trades,
    paytm_tradebook,
    upstox_api,
    upstox_note,
    zerodha_pnl,
    zerodha_tax_pnl,
    zerodha_tradebook,
)
