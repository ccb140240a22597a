"""A sweep as jobs of another engine: a job is a launch, which reads the manifest, writes the store and returns nothing.

So an engine that repeats a job, or loses one, does no harm: what has a result is not trained again, and what has none
is done by the same command. On its machine a job is supervised like a sweep (supervisor.py).
"""

import logging
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from ebmcli.core.errors import MachineError, UsageError
from ebmcli.execution import supervisor
from ebmcli.execution.events import Interrupted, StopFlag
from ebmcli.execution.executors import Work
from ebmcli.execution.options import RunOptions
from ebmcli.execution.resume import bury, cells_of
from ebmcli.planning.cells import Cell
from ebmcli.planning.programs import programs
from ebmcli.storage import store
from ebmcli.storage.records import FINISHED
from ebmcli.training.devices import cores

TICK = 0.5  # seconds between looks at the jobs


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
        """Write a line to the job's own log."""
        logging.getLogger("ebmcli").warning(text)


def launch(folder: str, runs: Sequence[str], options: Mapping[str, Any]) -> None:
    """Do what a job does, wherever it runs; twice is as good as once."""
    if not sees(folder):
        raise MachineError(blind(f"the machine {platform.node()}", folder))
    sweep = Path(folder)
    cells = [cell for cell in cells_of(sweep, runs) if not _finished(sweep, cell)]
    supervisor.train(cells, sweep, RunOptions(**options), _Silent(), StopFlag())


def sees(folder: str) -> bool:
    """True where the sweep is seen from here."""
    return (Path(folder) / "sweep.json").exists()


def blind(who: str, folder: str) -> str:
    """The sentence of a job that cannot be done."""
    return f"{who} does not see {folder}: name a folder that all machines share, by --results"


def orders(work: Work) -> Iterator[tuple[Sequence[Cell], tuple[Any, ...]]]:
    """The launches of these cells, one program each, with the arguments of `launch`."""
    width = work.options.devices or cores()
    for _, group in programs(work.cells):
        group = sorted(group, key=lambda cell: cell.config["steps"])
        for first in range(0, len(group), width):
            chosen = group[first : first + width]
            yield chosen, (str(work.folder.resolve()), [cell.id for cell in chosen], asdict(work.options))


def follow(jobs: Sequence[Job], work: Work, look: Callable[[], None] = lambda: None) -> None:
    """Wait for jobs; what they left in the store is told as it comes. Raises Interrupted where the work is stopped.

    look: what is done each time before the jobs are looked at.
    """
    open_jobs, announced = list(jobs), set[str]()
    while open_jobs:
        look()
        ended = [job for job in open_jobs if job.done()]
        open_jobs = [job for job in open_jobs if job not in ended]
        for cell in [cell for job in (*ended, *open_jobs) for cell in job.cells if cell.id not in announced]:
            if _finished(work.folder, cell):
                announced.add(cell.id)
                work.watcher.end(cell, store.status(work.folder / "runs" / cell.id), "")
        for job in ended:
            for cell in [cell for cell in job.cells if cell.id not in announced]:
                _lost(cell, job.fault(), work)
        if work.stop:
            raise Interrupted
        time.sleep(TICK if open_jobs else 0)


def _lost(cell: Cell, fault: str, work: Work) -> None:
    """A run whose job has ended without a result: by its own failure, or its engine's."""
    run = work.folder / "runs" / cell.id
    if fault or not store.failure(run):
        bury(work.folder, cell, "killed", fault or "its job ended without a result", "")
    why = store.failure(run)
    work.watcher.end(cell, why.get("kind", "failed"), why.get("message", ""))
    if work.options.fail_fast:
        work.stop.set("failure")


def _finished(folder: Path, cell: Cell) -> bool:
    return store.status(folder / "runs" / cell.id) in FINISHED


def require(package: str, extra: str) -> Any:
    """Import the package of an executor. Raises UsageError where it is not installed."""
    try:
        return import_module(package)
    except ImportError:
        raise UsageError(f"--executor {extra} needs {package}: pip install 'ebmcli[{extra}]'") from None
