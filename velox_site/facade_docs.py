"""docs/facade.md, made from the code: `python -m velox_site.facade_docs > docs/facade.md`."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from velox_site.desk import DataManager, money_text  # first: it sets Django up

# isort: split
from timeseries.recording.recorder import Recorder
from trading import book, errors
from trading.health import report
from trading.operations.add_fill import add_fill
from trading.operations.apply_split import apply_split
from trading.operations.close_position import close_position
from trading.operations.open_position import open_position
from trading.operations.record_signal import record_signal
from trading.operations.set_charges import set_charges
from trading.operations.update_trailing_sl import update_trailing_sl
from trading.queries import daily_summary, history, signals, statistics, stats_by, trades
from trading.telemetry import Telemetry

HEAD = """\
# The facade

Made from the docstrings of `DataManager` by `python -m velox_site.facade_docs`; do not edit it. What of it stays as it
is: [promises.md](promises.md).

`from velox_site.desk import DataManager` in a plain script, `from trading.data_manager import DataManager` inside
Django. Every method also stands on `dm.aio` and is awaited there, with the same arguments, answers and errors; one that
has begun is carried out, also where who waits for it is cancelled.

Whatever asks the ledger also raises `UnknownAccount` (no account has this code), `LedgerBusy` (call again) and
`LedgerNotReady` (migrate). Recording of ticks, indicators and snapshots never raises for a fault of storage: it answers
False, counted by reason and seen in health.
Money, prices and quantities of the ledger are Decimal, ratios and telemetry floats, times aware UTC.

What callers give: `Number` is an int, a text, a Decimal, a float or a number of numpy; `Instant` a datetime (naive: the
desk's zone) or integer nanoseconds UTC; `Conditions` an object with text keys.
"""
Documented = Callable[..., Any]  # a function or a class
# Where the contract of a method goes on, beyond its own docstring.
CONTRACTS: dict[str, tuple[Documented, ...]] = {
    "open_position": (open_position,),
    "add_fill": (add_fill,),
    "apply_split": (apply_split,),
    "close_position": (close_position,),
    "set_charges": (set_charges,),
    "update_trailing_sl": (update_trailing_sl,),
    "record_signal": (record_signal,),
    "process_tick": (Recorder.tick,),
    "process_ticks": (Recorder.ticks,),
    "cache_indicators": (Recorder.indicators,),
    "update_position_snapshot": (Recorder.snapshot,),
    "get_latest_tick": (Telemetry.latest_tick,),
    "get_latest_ticks": (Telemetry.latest_tick,),
    "get_trailing_stops": (book.trailing_stops,),
    "get_all_counters": (book.counters,),
    "get_day_figures": (book.day_figures,),
    "get_trade": (trades.get_trade,),
    "get_trades": (trades.get_trades,),
    "get_signals": (signals.get_signals,),
    "get_executions": (history.executions,),
    "get_trailing_sl_history": (history.stops,),
    "get_ticks": (Telemetry.ticks,),
    "get_candles": (Telemetry.candles,),
    "get_indicator_history": (Telemetry.indicator_history,),
    "get_position_history": (Telemetry.position_history,),
    "get_strategy_metrics": (Telemetry.strategy_metrics,),
    "get_strategy_stats": (statistics.strategy_stats,),
    "get_symbol_stats": (statistics.symbol_stats,),
    "get_stats_by": (stats_by.stats_by,),
    "get_daily_summary": (daily_summary.summary_of, daily_summary.build_daily_summary),
    "health": (report.report,),
    "flush": (Telemetry.flush,),
}
_POINTER = re.compile(r"\s\(`[A-Za-z_.]+`\)")
_LISTED = re.compile(r"^    ([A-Za-z_][A-Za-z_, ]*): ", re.M)
_HARD = "\u00a0"
_HEADING = re.compile(r"    # -- (?P<title>.+?) -+|    (?:async )?def (?P<method>[a-z]\w*)\(")


def markdown() -> str:
    """Return docs/facade.md: the methods of the facade, the classes that they answer with, and the errors."""
    lines = [HEAD, "## DataManager\n", _code("DataManager", DataManager.__init__), _text(DataManager)]
    kinds: dict[type, None] = {}  # in the order in which methods answer with them
    for line in inspect.getsource(DataManager).splitlines():
        heading = _HEADING.match(line)
        if heading is None:
            continue
        title, name = heading["title"], heading["method"]
        if title:
            lines.append(f"## {title.capitalize()}\n")
            continue
        lines.append(_section(name))
        method = inspect.getattr_static(DataManager, name)
        if inspect.isfunction(method):
            kinds |= dict.fromkeys(_classes(get_type_hints(method).get("return")))
    lines.append("## Values\n")
    for kind in kinds:
        columns = ", ".join(f"`{field.name}`" for field in fields(kind)) if is_dataclass(kind) else ""
        lines.append(
            "\n".join([f"### {kind.__name__}\n", _text(kind), *([f"Fields: {columns}.\n"] if columns else [])])
        )
    lines += ["## Errors\n", "All in `trading.errors`.\n", "| error | code | what it means |", "|---|---|---|"]
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.VeloxError):
            lines.append(f"| `{error.__name__}` | `{error.code}` | {' '.join(_docstring(error).split())} |")
    lines += ["", "## Text for people\n", _code("money_text", money_text), _text(money_text)]
    return "\n".join(lines)


def _section(name: str) -> str:
    """Return a method's signature and docstring, and the docstrings of its contracts."""
    method = inspect.getattr_static(DataManager, name)
    method = getattr(method, "__func__", method)
    contracts = CONTRACTS.get(name, ())
    own = _POINTER.sub("", _text(method)) if contracts else _text(method)
    texts = [own, *(_text(contract) for contract in contracts)]
    return "\n".join([f"### {name}\n", _code(name, method), *dict.fromkeys(texts)])


def _code(name: str, function: Documented) -> str:
    """Return a function's signature as a block of code, a parameter never broken over two lines."""
    signature, parameters = inspect.signature(function), []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        if parameter.name not in ("self", "cls"):
            default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
            parameters.append(f"{parameter.name}: {parameter.annotation}{default}")
    unbroken = ", ".join(text.replace(" ", _HARD) for text in parameters)
    code = f"{name}({unbroken}){_HARD}->{_HARD}{signature.return_annotation}"
    lines = textwrap.wrap(code, 100, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(["```python", *lines, "```", ""]).replace(_HARD, " ")


def _text(documented: Documented) -> str:
    """Return a docstring as Markdown: what stands indented below `Args:` and `Raises:` becomes a list."""
    text = re.sub(r"^(Args|Raises):$", r"\1:\n", _docstring(documented), flags=re.M)
    return re.sub(r"^ {4,}", "  ", _LISTED.sub(r"- `\1`: ", text), flags=re.M) + "\n"


def _docstring(documented: Documented) -> str:
    return (inspect.getdoc(documented) or "").replace("``", "`")


def _classes(hint: Any) -> Iterator[type]:
    """Yield the classes of VELOX in a type hint."""
    if isinstance(hint, type) and hint.__module__.partition(".")[0] in ("trading", "timeseries"):
        yield hint
    for argument in get_args(hint):
        yield from _classes(argument)


if __name__ == "__main__":
    sys.stdout.write(markdown())
