"""Jobs on a Dask cluster: one that runs, or one of this machine's."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from ebmcli.core.errors import UsageError
from ebmcli.execution.executors import jobs
from ebmcli.execution.supervisor import How
from ebmcli.execution.sweep import Watcher
from ebmcli.planning.plan import Cell


def work(
    cells: Sequence[Cell], folder: Path, how: How, watcher: Watcher, stop: list[str], scheduler: str | None = None
) -> None:
    """Have the cells trained by the workers of a cluster, one job a worker at a time, which all see this folder.

    scheduler: its address; None starts a worker process here. A job whose worker dies is given to another by Dask.
    """
    distributed = jobs.needed("distributed", "dask")
    with ExitStack() as opened:
        try:
            cluster = scheduler or opened.enter_context(
                distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
            )
            client = opened.enter_context(distributed.Client(cluster, timeout="10s"))
        except (OSError, ValueError) as error:
            raise UsageError(f"--scheduler {scheduler}: no Dask scheduler answers there ({error})") from None
        handed = []
        for chosen, arguments in jobs.orders(cells, folder, how):
            future = client.submit(jobs.launch, *arguments, pure=False)
            handed.append(jobs.Job(chosen, future.done, partial(_fault, future)))
        jobs.follow(handed, folder, how, watcher, stop)


def _fault(future: Any) -> str:
    if future.status == "finished":
        return ""
    error = future.exception() if future.status == "error" else None
    return f"Dask gave its job up: {error or future.status}".splitlines()[0]
