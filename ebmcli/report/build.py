"""From the records of one or more sweeps to the blocks of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.registry import units
from ebmcli.metrics.collapse import VERDICTS
from ebmcli.report import differences, rows, statistics, tables
from ebmcli.report.blocks import Block, Command, Formulas, Heading, Items, Picture, Table, Text, verbatim
from ebmcli.report.columns import accuracies, heading, main_measure, notes
from ebmcli.report.tables import SPENT
from ebmcli.storage import store
from ebmcli.storage.records import Record

ALWAYS = (
    "Means over n runs, of several seeds or folds. ± is a 95 % interval of Student's t; a figure without one is of a "
    "single run: n = 1, no interval. Folds share data: over them intervals are too narrow and tests find too much."
)
MIDDLE = (
    "Interquartile means: the quarter of the runs at either end is left out (below four runs none is). ± is a 95 % "
    "interval of Tukey & McLaughlin; a figure without one is of a single run: n = 1, no interval."
)
RANKS = (
    "↓, ↑: which way is better. rank: 1 + the number of rows that are significantly better in paired tests over the "
    "seeds that both have (Student's t, false discovery rate 5 % over all pairs of rows): rows whose difference is "
    "within noise share a rank. Bold: significantly better than every other row. A row that lost runs to divergence or "
    "failure has no rank."
)
RATIOS = (
    "Compared by their logarithms, since their figures are positive and span a factor of ten: {}. Of such a measure, "
    "better is what is better by a factor in the typical run, which need not be the row with the better mean."
)
PAIRED = (
    "difference: the row minus the baseline (× in front: divided by it, where they are compared by logarithms), paired "
    "over shared seeds and folds, with its own 95 % interval; p: "
    "Student's paired test, adjusted over the table (Holm); not significant: p ≥ 0.05."
)
TRACED = (
    "Every row of the tables above with its runs: `ebm show RUN` prints the configuration of a run with the origin of "
    "each value, its measures, curves, provenance and files."
)


@dataclass(frozen=True)
class Wanted:
    """The wishes for a report. measure: in the place of each task's main one; task: the only one."""

    baseline: str | None = None
    measure: str | None = None
    interquartile: bool = False
    task: str | None = None

    @property
    def average(self) -> rows.Average:
        """The function that puts seeds together."""
        return statistics.interquartile if self.interquartile else statistics.mean


@dataclass(frozen=True)
class Report:
    """A report before any format. Raises UsageError where what is wanted is not in the records of these sweeps."""

    folders: Sequence[Path]
    wanted: Wanted = field(default_factory=Wanted)
    pictures: Mapping[str, Sequence[Path]] = field(default_factory=dict)  # by task

    def __post_init__(self) -> None:
        tasks = {record.task for folder in self.folders for record in store.records(folder)}
        if self.wanted.task is not None and self.wanted.task not in tasks:
            raise unknown("task of this sweep", self.wanted.task, sorted(tasks))
        check(self.records, self.wanted)

    @cached_property
    def records(self) -> list[Record]:
        """The records of all sweeps; a run that stands in several is taken once, finished rather than not."""
        newest: dict[str, Record] = {}
        for folder in self.folders:
            for record in store.records(folder):
                known = newest.get(record.id)
                if known is None or (record.finished and not known.finished):
                    newest[record.id] = record
        return [record for record in newest.values() if self.wanted.task in (None, record.task)]

    @cached_property
    def blocks(self) -> list[Block]:
        """The blocks of the report, in order."""
        return [*self.main_blocks, *_runs(self.records)]

    @cached_property
    def main_blocks(self) -> list[Block]:
        """The blocks of the report without the section that names the runs behind each row."""
        title = Heading(1, " + ".join(folder.name for folder in self.folders))
        content: list[Block] = []
        for task in rows.in_order(self.records, "task"):
            content += _task([r for r in self.records if r.task == task], self.wanted, self.pictures.get(task, ()))
        blocks: list[Block] = [title, *head(self.folders, self.records), *content]
        blocks += [*_reading_guide(content, self.wanted), *_formulas(self.records)]
        for table in rows.unfinished_tables(self.records):
            blocks += [Heading(2, table.heading), table]
        return blocks


def check(records: Sequence[Record], wanted: Wanted) -> None:
    """Raise UsageError where what is asked for is not in these records."""
    losses, samplers = (rows.in_order(records, name) for name in ("loss", "sampler"))
    if wanted.baseline:
        differences.check(wanted.baseline, losses, samplers)
    present = [name for name in accuracies() if any(record.metrics.get(name) is not None for record in records)]
    if wanted.measure and wanted.measure not in present:
        if not present:
            raise UsageError(f"--measure {wanted.measure}: no run of this sweep has any measure yet")
        raise unknown("measure of this sweep", wanted.measure, present)


def _task(records: Sequence[Record], wanted: Wanted, pictures: Sequence[Path]) -> list[Block]:
    task, ran = records[0].task, rows.without_refused(records)
    table_rows = rows.rows(ran)
    blocks: list[Block] = [Heading(2, task)]
    measure = wanted.measure if wanted.measure and table_rows and wanted.measure in tables.present(table_rows) else None
    measure = measure or main_measure(task)
    if table_rows:
        blocks.append(rows.summary(task, ran, wanted.average))
        blocks += [Text(verbatim(line), warning=True) for line in rows.warnings(ran, task)]
        main: list[Table | None] = [tables.margin(table_rows, wanted.average), tables.collapse(table_rows)]
        main += [tables.accuracies(table_rows, wanted.average, measure), tables.by_part(table_rows, wanted.average)]
        blocks += [block for table in main if table for block in (Heading(3, table.heading), table)]
        ratios = [heading(name) for name in tables.present(table_rows) if tables.compares_ratios(table_rows, name)]
        blocks += [Text(RATIOS.format(", ".join(ratios)))] if ratios else []
    table = tables.matrix(records, table_rows, wanted.average, measure)
    blocks += [Heading(3, table.heading), table]
    if wanted.baseline and table_rows:
        difference = differences.to_baseline(table_rows, measure, wanted.baseline)
        blocks += [Heading(3, difference.heading), difference] if isinstance(difference, Table) else [difference]
    return blocks + [Picture(path, f"{task}: the runs of {path.parent.name} side by side.") for path in pictures]


def _reading_guide(content: Sequence[Block], wanted: Wanted) -> list[Block]:
    """The section on how to read these tables."""
    columns = {column for block in content if isinstance(block, Table) for column in block.columns}
    if not columns:
        return []
    lines = [MIDDLE if wanted.interquartile else ALWAYS, RANKS]
    lines += [PAIRED] if "p" in columns else []
    cells = {str(cell) for block in content if isinstance(block, Table) for row in block.rows for cell in row}
    verdicts = [f"{name}: {text}." for name, text in VERDICTS.items() if name in cells]
    return [Heading(2, "How to read the tables"), *map(Text, lines), Items([*notes(columns), *verdicts])]


def _formulas(records: Sequence[Record]) -> list[Block]:
    """The formulas of the losses used."""
    used = [units("loss")[name] for name in rows.in_order(records, "loss") if name in units("loss")]
    lines = [(unit.name, unit.formula) for unit in used]
    return [Heading(2, "Losses"), Formulas(lines)] if lines else []


def _runs(records: Sequence[Record]) -> list[Block]:
    """The section that names the runs behind each row."""
    table_rows = rows.rows(rows.without_refused(records))
    if not table_rows:
        return []
    lines = []
    for row in table_rows:
        names = [m.id if m.status == "done" else f"{m.id} ({m.status})" for m in row.members]
        lines.append([row.key.task, *row.key.cells, " ".join(names)])
    heads = ["task", *table_rows[0].key.heads, "runs"]
    return [Heading(2, "Runs"), Text(TRACED), Table("Runs", heads, lines, name="runs")]


# --- the head --------------------------------------------------------------------------------------------------------


def head(folders: Sequence[Path], records: Sequence[Record]) -> list[Block]:
    """The head of a report: what was run, when, on what, at what cost, how to do it again, and whether it is mixed."""
    if not records:
        return [Text("No runs.")]
    finished = [record.provenance for record in records if record.provenance]
    where, codes = (list(dict.fromkeys(map(manifest, finished))) for manifest in (_machine, _code))
    manifests = [content for folder in folders if (content := store.manifest(folder))]
    begun = [manifest.created for manifest in manifests if manifest.created]
    lines = f"{len(records)} runs: {rows.states(records)}."
    lines += f" Begun {', '.join(begun)}." if begun else ""
    blocks: list[Block] = [Text(verbatim(lines))]
    if where:
        blocks.append(Text(verbatim(f"On {'; '.join(where)}. Code {'; '.join(codes)}.")))
    cost = _cost(records)
    blocks += [Text(cost)] if cost else []
    blocks += [Command("Reproduce with", manifest.command) for manifest in manifests if manifest.command]
    if len(codes) > 1 or len(where) > 1:
        blocks.append(
            Text(
                f"Warning: mixed provenance. {len(codes)} versions of the code and {len(where)} machines, sets of "
                "versions or variables of the environment stand in these tables: compare rows with care, or run the "
                "sweep again under another --name.",
                warning=True,
            )
        )
    return blocks


def _machine(provenance: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in provenance.get("versions", {}).items())
    told = ", ".join(f"{name}={value}" for name, value in (provenance.get("variables") or {}).items())
    where = f"{provenance.get('machine')} ({provenance.get('devices')})"
    return f"{where}, python {provenance.get('python')}, {versions}{told and f', with {told}'}"


def _code(provenance: Mapping[str, Any]) -> str:
    commit = str(provenance.get("commit") or "")[:10]
    changed = ", with uncommitted changes" if provenance.get("dirty") else ""
    return f"{provenance.get('code')}" + (f" (commit {commit}{changed})" if commit else "")


def _cost(records: Sequence[Record]) -> str:
    """The cost of the runs in seconds and in evaluations of an energy, as a sentence."""
    ran = [record for record in records if record.finished]
    if not ran:
        return ""
    seconds = sum(record.seconds.get(name) or 0.0 for record in ran for name in ("train", "evaluate"))
    spent = sum(record.metrics.get(SPENT) or 0 for record in ran)
    took = f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
    called = heading(SPENT)
    return f"Training and evaluation took {took}, summed over the runs, and {spent:,} {called} in training."
