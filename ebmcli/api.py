"""The Python interface: the runs of a sweep as a data frame, and a run with its trained energy."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ebmcli.core.errors import UsageError
from ebmcli.core.texts import quoted
from ebmcli.storage import find, frames, store
from ebmcli.storage.records import Config, Metrics, Record

if TYPE_CHECKING:
    import pandas


def load(sweep: str | Path, curves: bool = False) -> "pandas.DataFrame":
    """Load the runs of a sweep as a tidy frame.

    Args:
        sweep: The folder of the sweep.
        curves: One row per run and chunk end instead of one row per run.

    Raises:
        UsageError: The folder is not that of a sweep.
    """
    import pandas

    folder = find.named(Path(sweep))
    if not (folder / "sweep.json").exists():
        raise UsageError(f"{quoted(folder)}: no sweep.json there; name the folder of a sweep, as in results/first")
    lines = frames.curves(folder) if curves else frames.rows(folder)
    return pandas.DataFrame(lines, columns=frames.heads(lines))


@dataclass(frozen=True)
class Run:
    """A run on disk."""

    folder: Path
    record: Record

    @property
    def config(self) -> Config:
        """Every hyperparameter."""
        return self.record.config

    @property
    def metrics(self) -> Metrics:
        """Every measure at the end."""
        return self.record.metrics

    @property
    def curves(self) -> "pandas.DataFrame":
        """The measures at chunk ends."""
        import pandas

        return pandas.DataFrame(store.curves(self.folder))

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays that its picture is drawn from, points in the units of the data."""
        from ebmcli.training import reload

        return reload.in_units(self.config, self.folder, store.arrays(self.folder) or {})

    @property
    def film(self) -> dict[str, np.ndarray]:
        """[T, ...] what it had learned by `step`: what the task shows, a batch's answers and negatives.

        Empty where no film was kept.
        """
        from ebmcli.storage import film

        return film.unpack(store.arrays(self.folder, store.FILM) or {})

    @property
    def picture(self) -> Path:
        """The file of its picture."""
        return self.folder / store.PICTURE

    @cached_property
    def _apply(self) -> Any:
        from ebmcli.training import reload

        return reload.energy(self.config, self.folder / "params.npz")

    def energy(self, x: Any, y: Any) -> np.ndarray:
        """[B] the trained energy F(x, y) of B questions x and answers y; x is None where the task has none.

        On the plane y is [B, 2], of a task points:FILE.csv in the units of the file; on curves x is [B, 1] and y
        [B, 1]; for labels x is [B, 2] and y [B] integers. What a sequence task takes is described at its energy.
        """
        return np.asarray(self._apply(x, y))


def load_run(run: str | Path, results: str | Path = "results") -> Run:
    """Load a run by its id (or the beginning of one, if no other has it), or by its folder.

    Raises UsageError where there is none, or where it has no result.
    """
    folder = find.run(str(run), Path(results))
    record = store.look_at(folder)
    if not record.finished:
        raise UsageError(f"{quoted(folder)}: this run has no result, it is {record.status}")
    return Run(folder, record)
