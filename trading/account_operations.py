"""The facade's operations on an account, in one list: the ledger hands them on, the intake keeps and posts no other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from trading.operations.add_fill import add_fill
from trading.operations.apply_split import apply_split
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.record_signal import record_signal
from trading.operations.set_charges import set_charges
from trading.operations.update_trailing_sl import update_trailing_sl

P = ParamSpec("P")
Answer = TypeVar("Answer")

# Every operation of `AccountOperations` by its name, as the intake's files name it.
OPERATIONS: dict[str, Callable[..., Any]] = {}


def of_account(
    operation: Callable[Concatenate[str, P], Answer],
) -> Callable[Concatenate[AccountOperations, P], Answer]:
    """Return an operation as a method of the same arguments without the account, and list it in `OPERATIONS`."""
    OPERATIONS[operation.__name__] = operation

    @wraps(operation)
    def method(account: AccountOperations, /, *arguments: P.args, **keywords: P.kwargs) -> Answer:
        return account.carry_out(operation, *arguments, **keywords)

    return method


class AccountOperations(ABC):
    """The operations on one account, each with the arguments of its own after the account's code."""

    open_position = of_account(open_position)
    add_fill = of_account(add_fill)
    close_position = of_account(close_position)
    update_trailing_sl = of_account(update_trailing_sl)
    record_signal = of_account(record_signal)
    set_charges = of_account(set_charges)
    apply_split = of_account(apply_split)

    @abstractmethod
    def carry_out(
        self, operation: Callable[Concatenate[str, P], Answer], *arguments: P.args, **keywords: P.kwargs
    ) -> Answer:
        """Call the operation with the account's code before its arguments, and return its answer."""
