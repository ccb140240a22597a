"""Small multiples: which runs of a sweep stand in which cell of which page. Nothing is drawn here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.units import KINDS
from ebmcli.storage.records import Record

AXES = (*KINDS, "seed")  # these can always be rows or columns; a hyperparameter, where it takes several values
MOST = 500  # cells of a page
ABSENT = "–"  # what stands where the sweep has no run; a page says so
LISTED = 5  # values of a setting that are named one by one
NAMES = {"sampler": "negatives", "negatives": "number of negatives"}  # what an axis is called, as in the tables


@dataclass(frozen=True)
class Page:
    """One page. cells: by (row, column), the runs that fall there in the order of the manifest; the first is shown."""

    task: str | None  # None where tasks are an axis
    rows: str
    columns: str
    row_values: list[Any]  # None: runs that do not have this hyperparameter
    column_values: list[Any]
    cells: dict[tuple[int, int], list[Record]]

    def shown(self) -> dict[tuple[int, int], Record]:
        """The run of each cell that has one."""
        return {place: members[0] for place, members in self.cells.items()}

    def heading(self, name: str, value: Any) -> str:
        """The heading of a column or row: the bare name of a unit, or `margin 0.5`."""
        if name in KINDS:
            return str(value)
        return f"no {label(name)}" if value is None else f"{label(name)} {_text(value)}"

    def hidden(self) -> str:
        """A note where several runs fall on a cell: the settings that tell them apart, and which run is shown."""
        seen_values: dict[str, list[str]] = {}
        first: dict[str, list[str]] = {}
        for members in self.cells.values():
            shared = [name for name in members[0].config if all(name in member.config for member in members)]
            for name in shared:
                values = _distinct(_text(member.config[name]) for member in members)
                if len(values) > 1:
                    seen_values[name] = _distinct([*seen_values.get(name, []), *values])
                    first[name] = _distinct([*first.get(name, []), values[0]])
        parts = [
            f"{label(name)} {_listed(first[name], ' or ')} (of {_listed(seen_values[name])})" for name in seen_values
        ]
        return f"several runs fall on a cell, shown is the first: {', '.join(parts)}" if parts else ""


class Mark(NamedTuple):
    """The mark of a cell: a word, and whether it means that something went wrong."""

    word: str = ""
    alarm: bool = False


def mark(record: Record | None, drawable: bool) -> Mark:
    """The mark of a cell; an empty word where there is a healthy run. drawable: its arrays are there."""
    if record is None:
        return Mark(ABSENT)
    status, metrics = record.status, record.metrics
    if status == "refused":
        return Mark("refused")
    if status == "diverged":
        return Mark(f"diverged\nat step {metrics['diverged_step']}" if "diverged_step" in metrics else status, True)
    if status != "done":
        return Mark(status, status not in ("pending", "running"))
    if not drawable:
        return Mark("no arrays", True)
    verdict = str(metrics.get("verdict") or "no verdict")
    return Mark() if verdict == "healthy" else Mark(verdict, True)


def axes(text: str, records: Sequence[Record]) -> tuple[str, str]:
    """The names of rows and columns from `rows,columns`."""
    names = [name.strip().replace("-", "_") for name in text.split(",")]
    if len(names) != 2 or not all(names):
        raise UsageError(f"--grid {text}: name the rows and the columns, as in --grid loss,sampler")
    settings = _distinct(name for record in records for name in record.config if name not in AXES)
    tasks = _groups(records).values()
    varied = [name for name in settings if any(len(set(_values(group, name)) - {None}) > 1 for group in tasks)]
    for name in names:
        if name in settings and name not in varied:
            others = f", {', '.join(varied)}" if varied else ""
            raise UsageError(f"--grid {text}: {name} does not vary in this sweep, use two of {', '.join(AXES)}{others}")
        if name not in (*AXES, *varied):
            raise unknown("axis", name, [*AXES, *varied])
    if names[0] == names[1]:
        raise UsageError(f"--grid {text}: rows and columns are the same, name two different ones")
    return names[0], names[1]


def pages(
    records: Sequence[Record], rows: str, columns: str, task: str | None = None, seed: int | None = None
) -> list[Page]:
    """A page a task, or one where the task is an axis; of one seed (the lowest unless given), or of all where it is an
    axis."""
    tasks = _values(records, "task")
    if task is not None and task not in tasks:
        raise unknown("task of this sweep", task, tasks)
    seeds = sorted(_values(records, "seed"))
    if seed is not None and seed not in seeds:
        raise UsageError(f"--seed {seed}: the seeds of this sweep are {', '.join(map(str, seeds))}")
    chosen = [record for record in records if task in (None, record.task)]
    if "task" in (rows, columns):
        return [_page(chosen, None, rows, columns, seed)]
    return [_page(group, name, rows, columns, seed) for name, group in _groups(chosen).items()]


def _page(records: Sequence[Record], task: str | None, rows: str, columns: str, seed: int | None) -> Page:
    if seed is None and "seed" not in (rows, columns):
        seed = min(_values(records, "seed"))
    chosen = [record for record in records if seed in (None, record.config["seed"])]
    down, across = _ordered(_values(chosen, rows)), _ordered(_values(chosen, columns))
    if len(down) * len(across) > MOST:
        raise UsageError(
            f"the page would have {len(down)} x {len(across)} cells, {MOST} at most: "
            "choose other axes with --grid, or make a smaller sweep"
        )
    cells: dict[tuple[int, int], list[Record]] = {}
    for record in chosen:
        place = down.index(record.config.get(rows)), across.index(record.config.get(columns))
        cells.setdefault(place, []).append(record)
    return Page(task, rows, columns, down, across, cells)


def _groups(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each task."""
    by_task: dict[str, list[Record]] = {}
    for record in records:
        by_task.setdefault(record.task, []).append(record)
    return by_task


def _values(records: Iterable[Record], name: str) -> list[Any]:
    """The values of a setting in the order of the manifest; None for runs that do not have it."""
    return _distinct(record.config.get(name) for record in records)


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def _ordered(values: Sequence[Any]) -> list[Any]:
    """Numbers rise, names keep their order; None comes last."""
    present = [value for value in values if value is not None]
    if all(isinstance(value, int | float) for value in present):
        present.sort()
    return present + [None] * (None in values)


def label(name: str) -> str:
    """A setting as a page calls it."""
    return NAMES.get(name, name.replace("_", " "))


def _listed(values: Sequence[str], between: str = ", ") -> str:
    return between.join(values) if len(values) <= LISTED else f"{len(values)} values"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
