"""Jobs on a Dask cluster: one that runs, or one of this machine's."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from ebmcli.core.errors import MachineError, UsageError
from ebmcli.execution.executors import Flag, Trainer, Work, _jobs, executor

PATIENCE = 10  # seconds for an answer of the scheduler, and for a worker to be there


@executor
def dask(scheduler: Annotated[str | None, Flag("ADDRESS", "A running Dask cluster.")] = None) -> Trainer:
    """Have the cells trained by the workers of a cluster, one job a worker at a time, which all see this folder.

    scheduler: its address; None starts a worker process here. A job whose worker dies is given to another by Dask.
    """
    distributed = _jobs.require("distributed", "dask")
    if scheduler:
        with _client(distributed, scheduler) as client:
            _check_workers(client, scheduler)
    return partial(_train, distributed, scheduler)


def _client(distributed: Any, cluster: Any) -> Any:
    try:
        return distributed.Client(cluster, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise UsageError(f"--scheduler {cluster}: no Dask scheduler answers there ({error})") from None


def _check_workers(client: Any, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise UsageError(
            f"--scheduler {scheduler}: no worker has joined it in {PATIENCE} seconds; start one, as with "
            f"`dask worker {scheduler} --nthreads 1`, and say the same again"
        ) from None


def _train(distributed: Any, scheduler: str | None, work: Work) -> None:
    with ExitStack() as opened:
        cluster = scheduler or opened.enter_context(
            distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
        )
        client = opened.enter_context(_client(distributed, cluster))
        _check_view(client, work.folder.resolve())
        handed = []
        for chosen, arguments in _jobs.orders(work):
            future = client.submit(_jobs.launch, *arguments, pure=False)
            handed.append(_jobs.Job(chosen, future.done, partial(_fault, future)))
        _jobs.follow(handed, work, _missing(client, work))


def _check_view(client: Any, folder: Path) -> None:
    """Raise MachineError where a worker could do no job."""
    try:
        views = client.run(_jobs.sees, str(folder))
    except Exception as error:  # whatever its worker raises: there may be no ebm
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise MachineError(f"--executor dask: a worker can do no job ({line}): install ebm where it runs") from None
    blind = [worker for worker, there in views.items() if not there]
    if blind:
        others = f" and {len(blind) - 1} more" if len(blind) > 1 else ""
        raise MachineError(_jobs.blind(f"the worker {blind[0]}{others}", str(folder)))


def _missing(client: Any, work: Work) -> Callable[[], None]:
    """A look at the workers, which says once that none is left."""
    noted: list[str] = []

    def look() -> None:
        if not noted and client.status == "running" and not client.scheduler_info()["workers"]:
            noted.append("no Dask worker is left: waiting for one to join; after Ctrl-C the same command goes on")
            work.watcher.note(noted[0])

    return look


def _fault(future: Any) -> str:
    if future.status == "finished":
        return ""
    if future.status in ("cancelled", "lost"):  # by nobody here
        raise MachineError(
            "--executor dask: the scheduler is lost; what is finished is saved, and the same command goes on when a "
            "scheduler answers"
        )
    error = future.exception() if future.status == "error" else None
    return f"Dask gave its job up: {error or future.status}".splitlines()[0]
