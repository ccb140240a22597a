"""A sweep as jobs of another engine: a job is a launch, which reads the manifest, writes the store and returns nothing.

So an engine that repeats a job, or loses one, does no harm: what has a result is not trained again, and what has none
is done by the same command. On its machine a job is supervised like a sweep (supervisor.py).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from ebmcli.core.errors import UsageError
from ebmcli.execution import supervisor, sweep
from ebmcli.execution.supervisor import How
from ebmcli.execution.sweep import Interrupted, Watcher
from ebmcli.planning.plan import Cell, programs
from ebmcli.storage import store
from ebmcli.training.engine import cores

TICK = 0.5  # seconds between looks at the jobs
EXECUTORS = ("local", "dask", "slurm")


class Job(NamedTuple):
    """A launch that was handed on."""

    cells: Sequence[Cell]
    done: Callable[[], bool]
    fault: Callable[[], str]  # why its engine gave it up, or nothing


class _Silent:
    """A watcher of a job: whoever handed it on reads the store."""

    def chunk(self, cells: Sequence[Cell], share: float) -> None: ...
    def end(self, cell: Cell, status: str, reason: str) -> None: ...
    def note(self, text: str) -> None:
        """What a loss prints goes to the job's own log."""
        print(text)


def launch(folder: str, runs: Sequence[str], how: Mapping[str, Any]) -> None:
    """What a job does, wherever it runs; twice is as good as once."""
    sweep_folder = Path(folder)
    cells = [one for one in sweep.cells_of(sweep_folder, runs) if not _finished(sweep_folder, one)]
    supervisor.work(cells, sweep_folder, How(**how), _Silent(), [])


def orders(cells: Sequence[Cell], folder: Path, how: How) -> Iterator[tuple[Sequence[Cell], tuple[Any, ...]]]:
    """The launches of these cells, one program each, with the arguments of `launch`."""
    width = how.devices or cores()
    for _, group in programs(cells):
        group = sorted(group, key=lambda cell: cell.config["steps"])
        for first in range(0, len(group), width):
            chosen = group[first : first + width]
            yield chosen, (str(folder.resolve()), [cell.id for cell in chosen], asdict(how))


def follow(jobs: Sequence[Job], folder: Path, how: How, watcher: Watcher, stop: list[str]) -> None:
    """Wait for jobs; what they left in the store is told as it comes. Raises Interrupted where `stop` has an entry."""
    open_jobs, told = list(jobs), set[str]()
    while open_jobs:
        ended = [job for job in open_jobs if job.done()]
        open_jobs = [job for job in open_jobs if job not in ended]
        for cell in [cell for job in (*ended, *open_jobs) for cell in job.cells if cell.id not in told]:
            if _finished(folder, cell):
                told.add(cell.id)
                watcher.end(cell, store.status(folder / "runs" / cell.id), "")
        for job in ended:
            for cell in [cell for cell in job.cells if cell.id not in told]:
                _lost(cell, job.fault(), folder, watcher)
                stop += ["failure"] if how.fail_fast and not stop else []
        if stop:
            raise Interrupted
        time.sleep(TICK if open_jobs else 0)


def _lost(cell: Cell, fault: str, folder: Path, watcher: Watcher) -> None:
    """A run whose job has ended without a result: by its own failure, or its engine's."""
    run = folder / "runs" / cell.id
    if fault or not store.failure(run):
        sweep.bury(folder, cell, "killed", fault or "its job ended without a result", "")
    why = store.failure(run)
    watcher.end(cell, why["kind"], why["message"])


def _finished(folder: Path, cell: Cell) -> bool:
    return store.status(folder / "runs" / cell.id) in store.FINISHED


def needed(package: str, extra: str) -> Any:
    """The package of an executor. Raises UsageError where it is not installed."""
    try:
        return import_module(package)
    except ImportError:
        raise UsageError(f"--executor {extra} needs {package}: pip install 'ebmcli[{extra}]'") from None
