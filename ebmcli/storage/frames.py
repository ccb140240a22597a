"""Results as flat rows, for data frames, spreadsheets and notebooks: one row a run, or one a run and chunk end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ebmcli.core.errors import UsageError, unknown
from ebmcli.report.writers.spreadsheet import written
from ebmcli.storage import find, store

if TYPE_CHECKING:
    import pandas

TO = ("csv", "parquet", "tensorboard")
PLAIN = ("code", "commit", "dirty", "machine", "devices")  # of the provenance


def rows(sweep: Path) -> list[dict[str, Any]]:
    """One flat row a cell of the manifest: identity, configuration, measures, seconds, provenance. A measure whose name
    a hyperparameter has too is called `measured_NAME`."""
    found = []
    for record in store.records(sweep):
        config, metrics = record["config"], record["metrics"]
        row = {"sweep": sweep.name, "id": record["id"], "status": record["status"], "reason": record.get("reason", "")}
        row |= config
        row |= {f"measured_{name}" if name in row else name: value for name, value in metrics.items()}
        row |= {f"seconds_{name}": value for name, value in record["seconds"].items()}
        row |= {name: record["provenance"].get(name) for name in PLAIN if record["provenance"]}
        found.append(row)
    return found


def curves(sweep: Path) -> list[dict[str, Any]]:
    """One row a run and chunk end: which run, and the measures there."""
    return [
        {"sweep": sweep.name, "id": record["id"], **{name: record["config"][name] for name in store.IDENTITY}, **line}
        for record in store.records(sweep)
        for line in store.curves(sweep / "runs" / record["id"])
    ]


def heads(lines: list[dict[str, Any]]) -> list[str]:
    """The columns of these rows, in the order in which they first stand."""
    return list(dict.fromkeys(name for line in lines for name in line))


# --- notebooks -------------------------------------------------------------------------------------------------------


def load(sweep: str | Path, curves: bool = False) -> "pandas.DataFrame":
    """The runs of a sweep as a tidy frame, one row a run; curves: one row a run and chunk end. sweep: its folder."""
    import pandas

    lines = globals()["curves" if curves else "rows"](_folder(sweep))
    return pandas.DataFrame(lines, columns=heads(lines))


def _folder(sweep: str | Path) -> Path:
    folder = Path(sweep)
    if not (folder / "sweep.json").exists():
        raise UsageError(f"{folder}: no sweep.json there; name the folder of a sweep, as in results/first")
    return folder


@dataclass(frozen=True)
class Run:
    """A run on disk."""

    folder: Path
    record: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        """Every hyperparameter."""
        return self.record["config"]

    @property
    def metrics(self) -> dict[str, Any]:
        """Every measure at the end."""
        return self.record["metrics"]

    @property
    def curves(self) -> "pandas.DataFrame":
        """The measures at chunk ends."""
        import pandas

        return pandas.DataFrame(store.curves(self.folder))

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What its picture is drawn from."""
        return store.arrays(self.folder) or {}

    @property
    def picture(self) -> Path:
        """Where its picture lies."""
        return self.folder / store.PICTURE

    @cached_property
    def _apply(self) -> Any:
        from ebmcli.training import reload

        return reload.energy(self.config, self.folder / "params.npz")

    def energy(self, x: Any, y: Any) -> np.ndarray:
        """[B] the trained energy F(x, y) of B questions x and answers y; x is None where the task has none.

        On the plane y is [B, 2]; on curves x is [B, 1] and y [B, 1]; for labels x is [B, 2] and y [B] integers. What a
        sequence task takes is described at its energy.
        """
        return np.asarray(self._apply(x, y))


def load_run(run: str | Path, results: str | Path = "results") -> Run:
    """A run by its id (or the beginning of one, if no other has it), or by its folder."""
    folder = find.run(str(run), Path(results))
    record = store.result(folder)
    if record is None:
        raise UsageError(f"{folder}: this run has no result, it is {store.status(folder)}")
    return Run(folder, record)


# --- files -----------------------------------------------------------------------------------------------------------


def export(sweep: Path, to: str, output: Path, with_curves: bool) -> None:
    """Write the runs of a sweep for another program."""
    if to not in TO:
        raise unknown("format", to, TO)
    if to == "tensorboard":
        return _tensorboard(sweep, output)
    lines = curves(sweep) if with_curves else rows(sweep)
    if to == "csv":
        return store.write(output, written(heads(lines), lines).encode())
    with _extra("pyarrow", "parquet"):
        import pandas
        import pyarrow  # noqa: F401

    pandas.DataFrame(lines, columns=heads(lines)).to_parquet(output, index=False)
    return None


@contextmanager
def _extra(package: str, extra: str) -> Iterator[None]:
    """Around the import of what only an extra installs."""
    try:
        yield
    except ImportError:
        raise UsageError(f"{package} is not installed: pip install 'ebmcli[{extra}]'") from None


def _tensorboard(sweep: Path, output: Path) -> None:
    """One folder of events a run: its curves as scalars, its configuration as text."""
    with _extra("tensorboardX", "tensorboard"):
        from tensorboardX import SummaryWriter
    for record in store.records(sweep):
        lines = store.curves(sweep / "runs" / record["id"])
        if not lines:
            continue
        with SummaryWriter(str(output / record["id"])) as writer:
            writer.add_text("config", f"```\n{store.dumps(record['config'])}\n```")
            for line in lines:
                for name, value in line.items():
                    if name not in ("step", "seconds") and value is not None:
                        writer.add_scalar(name, value, line["step"])
