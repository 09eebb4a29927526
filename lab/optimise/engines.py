"""Where tasks are worked on: in this process, or by joblib's backends in several, of this machine or of others.

A task and its answer are texts, whatever carries them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from lab.optimise.extras import of_extra
from lab.optimise.worker import work
from trading.errors import InvalidValue

LOCAL, RAY, DASK = "local", "ray", "dask"
ENGINES = (LOCAL, RAY, DASK)
PACKAGES = {RAY: "ray", DASK: "distributed"}

Working = Callable[[Sequence[str]], Iterable[str]]  # tasks to their answers, in order


@contextmanager
def working(engine: str, jobs: int, cluster: str | None = None) -> Iterator[Working]:
    """Run an engine with so many workers, of this machine where no ``cluster`` is named.

    Raises: InvalidValue for a cluster of no engine that has one; MissingExtra where a package is not installed.
    """
    if engine == LOCAL:
        if cluster is not None:
            raise InvalidValue("--engine local has no cluster.", field="cluster", hint="Give --engine ray or dask.")
        yield partial(map, work) if jobs == 1 else _by_processes(jobs)
        return
    name = f"lab.optimise.{engine}_engine.{engine}_workers"
    workers: Callable[[int, str | None], AbstractContextManager[Working]] = of_extra(
        name, PACKAGES[engine], f"lab-{engine}", f"--engine {engine}"
    )
    with workers(jobs, cluster) as answers:
        yield answers


def _by_processes(jobs: int) -> Working:
    return partial(of_extra("lab.optimise.processes.by_processes", "joblib", "lab", "--jobs above 1"), jobs=jobs)
