"""Jobs on a Dask cluster: one that runs, or one of this machine's."""

from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

from ebmcli.core.errors import UsageError
from ebmcli.execution.executors import Flag, Trainer, Work, _jobs, executor

PATIENCE = "10s"  # for an answer of the scheduler


@executor
def dask(scheduler: Annotated[str | None, Flag("ADDRESS", "A running Dask cluster.")] = None) -> Trainer:
    """Have the cells trained by the workers of a cluster, one job a worker at a time, which all see this folder.

    scheduler: its address; None starts a worker process here. A job whose worker dies is given to another by Dask.
    """
    distributed = _jobs.require("distributed", "dask")
    if scheduler:
        _client(distributed, scheduler).close()
    return partial(_train, distributed, scheduler)


def _client(distributed: Any, cluster: Any) -> Any:
    try:
        return distributed.Client(cluster, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise UsageError(f"--scheduler {cluster}: no Dask scheduler answers there ({error})") from None


def _train(distributed: Any, scheduler: str | None, work: Work) -> None:
    with ExitStack() as opened:
        cluster = scheduler or opened.enter_context(
            distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
        )
        client = opened.enter_context(_client(distributed, cluster))
        handed = []
        for chosen, arguments in _jobs.orders(work):
            future = client.submit(_jobs.launch, *arguments, pure=False)
            handed.append(_jobs.Job(chosen, future.done, partial(_fault, future)))
        _jobs.follow(handed, work)


def _fault(future: Any) -> str:
    if future.status == "finished":
        return ""
    error = future.exception() if future.status == "error" else None
    return f"Dask gave its job up: {error or future.status}".splitlines()[0]
