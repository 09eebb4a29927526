"""The admin: trades to review, and every record of the ledger to look at.

Ledger facts are read-only here. What changes them goes through an operation, never through `save_model`.
"""

from trading.admin import book, imports, people, reference, tokens, trades

__all__ = ["book", "imports", "people", "reference", "tokens", "trades"]
