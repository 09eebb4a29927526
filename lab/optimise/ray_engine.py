"""Ray's workers, by joblib's backend: of this machine on loopback, or of a cluster that runs already."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex
from tempfile import TemporaryDirectory

import ray
from joblib import Parallel, delayed, parallel_config
from ray._private import services
from ray.exceptions import RayError
from ray.util.joblib import register_ray

from lab.optimise.engines import Working
from lab.optimise.worker import EngineUnavailable, WorkerLost, work

LOOPBACK = "127.0.0.1"
OBJECTS_BYTES = 100 << 20  # shared memory for what travels: texts of some kB
STARTS = 3  # Ray's first process aborts where its second one is not up within 15 s, which a busy machine may not be


@contextmanager
def ray_workers(jobs: int, cluster: str | None) -> Iterator[Working]:
    """Run so many workers; what Ray would tell its makers of it is off. Raises: EngineUnavailable."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with TemporaryDirectory(prefix="ray") as folder:
        if cluster is None:
            # Ray takes the address of loopback for the machine's own, and would listen on every address.
            services.resolve_ip_for_localhost = lambda host: host
            os.environ.setdefault("RAY_AUTH_TOKEN", token_hex(32))  # else Ray keeps one in the home folder
            for start in range(1, STARTS + 1):
                _init(
                    start == STARTS,
                    num_cpus=jobs, include_dashboard=False, log_to_driver=False, object_store_memory=OBJECTS_BYTES,
                    _node_ip_address=LOOPBACK, _temp_dir=folder,
                )  # fmt: skip
                if ray.is_initialized():
                    break
        else:
            _init(True, address=cluster, log_to_driver=False)
        try:
            register_ray()
            with parallel_config(backend="ray", n_jobs=jobs):
                yield _answers
        finally:
            ray.shutdown()


def _init(is_last: bool, **terms: str | int | bool) -> None:
    """Start Ray, or begin to talk to it; the last time a failure is raised."""
    try:
        ray.init(**terms)
    except Exception as error:  # Ray raises nothing narrower
        ray.shutdown()
        if is_last:
            raise EngineUnavailable("Ray", error) from error


def _answers(tasks: Sequence[str]) -> list[str]:
    """Return the answer to each task. Raises: WorkerLost."""
    try:
        answers: list[str] = Parallel()(delayed(work)(task) for task in tasks)
    except RayError as error:
        raise WorkerLost from error
    return answers
