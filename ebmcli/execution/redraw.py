"""Pictures of runs: drawn once the result is saved, and again where they are lost or show something else."""

from collections.abc import Sequence
from pathlib import Path

from ebmcli.core.registry import task_of
from ebmcli.execution.events import StopFlag, Watcher
from ebmcli.figures import picture
from ebmcli.planning.cells import Cell
from ebmcli.storage import kept, store
from ebmcli.storage.records import Record


def draw(run: Path, record: Record, watcher: Watcher) -> None:
    """Draw the picture of a finished run; whoever watches is told where that fails. Raises OSError where the disk does.

    Its result is saved, whatever matplotlib or its configuration raises.
    """
    arrays = store.arrays(run)
    if arrays is None:
        return
    try:
        kept.offer(run, record.config)
        picture.draw(run, task_of(record.config), record.config, record.metrics, arrays)
    except OSError:
        raise
    except Exception as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        watcher.note(f"no picture of {record.id}: {line}")


def redraw(cells: Sequence[Cell], sweep: Path, watcher: Watcher, stop: StopFlag) -> None:
    """Draw the pictures of finished runs that are missing, as after a kill or a full disk, or older than their runs."""
    runs = [sweep / "runs" / cell.id for cell in cells]
    stale = [
        (run, record) for run in runs if (record := store.result(run)) and record.status == "done" and _is_due(run)
    ]
    if stale:
        watcher.note(f"{len(stale)} pictures are missing or older than their runs: they are drawn again")
    for run, record in stale:
        if stop:
            return
        draw(run, record, watcher)


def _is_due(run: Path) -> bool:
    """True if there is no picture of what lies there, and something to draw one from."""
    return (run / "arrays.npz").exists() and not picture.is_current(run)
