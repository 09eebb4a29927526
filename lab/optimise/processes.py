"""joblib's processes. Between them its own transport pickles; what is sent is text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool

from joblib import Parallel, delayed

from lab.optimise.worker import WorkerLost, work


def by_processes(tasks: Sequence[str], jobs: int) -> Iterator[str]:
    """Yield the answer to each task, in their order, from so many processes of this machine. Raises: WorkerLost."""
    try:
        yield from Parallel(n_jobs=jobs, backend="loky", return_as="generator")(delayed(work)(task) for task in tasks)
    except BrokenProcessPool as error:
        raise WorkerLost from error
