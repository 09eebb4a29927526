"""Dask's workers, by joblib's backend: of this machine on loopback, or of a cluster that runs already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory

from distributed import Client, KilledWorker, LocalCluster
from joblib import Parallel, delayed, parallel_config

from lab.optimise.engines import Working
from lab.optimise.worker import EngineUnavailable, WorkerLost, work

LOOPBACK = "127.0.0.1"


@contextmanager
def dask_workers(jobs: int, cluster: str | None) -> Iterator[Working]:
    """Run so many workers. Raises: EngineUnavailable."""
    with TemporaryDirectory(prefix="dask") as folder, ExitStack() as stack:
        try:
            workers = cluster or stack.enter_context(
                LocalCluster(
                    n_workers=jobs, threads_per_worker=1, processes=True, host=LOOPBACK, dashboard_address=None,
                    local_directory=folder,
                )
            )  # fmt: skip
            stack.enter_context(Client(workers))
        except (OSError, RuntimeError, ValueError) as error:
            raise EngineUnavailable("Dask", error) from error
        with parallel_config(backend="dask", n_jobs=jobs):
            yield _answers


def _answers(tasks: Sequence[str]) -> list[str]:
    """Return the answer to each task. Raises: WorkerLost."""
    try:
        answers: list[str] = Parallel()(delayed(work)(task) for task in tasks)
    except KilledWorker as error:
        raise WorkerLost from error
    return answers
