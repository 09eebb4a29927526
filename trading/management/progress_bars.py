"""How far a command is, as bars on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from trading.progress import Progress as OnProgress

PATIENCE_SECONDS = 2.0  # an answer that comes sooner needs no bar


@contextmanager
def progress_bars(*, patience_seconds: float = 0.0) -> Iterator[OnProgress]:
    """Yield a function that shows on stderr how far the work within is, a bar for each stage; they are gone afterwards.

    Nothing is shown for the first seconds, and nothing where stderr is no terminal.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    # Else it ends with an empty line, where nobody sees a bar.
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    bars: dict[str, TaskID] = {}
    began_at = monotonic()

    def show(stage: str, done: int, total: int) -> None:
        if not progress.live.is_started and monotonic() - began_at >= patience_seconds:
            progress.start()
        if stage not in bars:
            bars[stage] = progress.add_task(stage)
        progress.update(bars[stage], completed=done, total=total or None)

    try:
        yield show
    finally:
        progress.stop()
