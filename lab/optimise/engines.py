"""Where tasks are worked on: in this process, or by joblib's in several of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.optimise.extras import of_extra
from lab.optimise.worker import work


def worked(tasks: Sequence[str], jobs: int) -> Iterator[str]:
    """Yield the answer to each task, in their order. Raises: MissingExtra for several processes without the extra."""
    if jobs == 1:
        return map(work, tasks)
    return of_extra("lab.optimise.processes.by_processes", "joblib", "lab", "--jobs above 1")(tasks, jobs)
