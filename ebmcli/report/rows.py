"""Rows of tables: which runs stand in one row, and what its cells say."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ebmcli.core.registry import find_or_none, replicate_settings
from ebmcli.planning.identity import unsaid
from ebmcli.report import formatting, statistics
from ebmcli.report.blocks import Cell, Table, Value
from ebmcli.report.columns import column, heading, key_measures, main_measure
from ebmcli.report.statistics import Mean
from ebmcli.storage.records import Metrics, Record

Average = Callable[[statistics.Values], Mean]
NAMED = 3  # rows that are named one by one where many are meant
CONFOUNDERS = ("energy", "head", "steps")  # follow the loss or a budget: where they differ, a table says which


@dataclass(frozen=True)
class RowKey:
    """The settings that tell a row of a table from the others."""

    task: str
    loss: str
    sampler: str
    varied: Mapping[str, Any] = field(default_factory=dict)  # the settings beyond these that take several values

    @classmethod
    def of(cls, record: Record, varied: Sequence[str]) -> "RowKey":
        """The key of a run, where these settings vary."""
        values = settings(record) if varied else {}
        return cls(record.task, record.loss, record.sampler, {name: values.get(name) for name in varied})

    @property
    def place(self) -> tuple[str, ...]:
        """The key as a tuple, to look it up."""
        return self.task, self.loss, self.sampler, *map(str, self.varied.values())

    @property
    def negatives(self) -> str:
        """The sampler, and whether the loss looks at what it draws."""
        loss, sampler = find_or_none("loss", self.loss), find_or_none("sampler", self.sampler)
        draws = sampler is None or any(sampler.traits.gives.values())
        ignored = loss is not None and not loss.traits.needs_negatives and draws
        return f"{self.sampler} (ignored)" if ignored else self.sampler

    @property
    def cells(self) -> list[str]:
        """Loss, negatives and the varied settings, the leading cells of the row."""
        return [self.loss, self.negatives, *map(setting, self.varied.values())]

    @property
    def heads(self) -> list[str]:
        """The headings over these cells."""
        return ["loss", "negatives", *self.varied]

    @property
    def text(self) -> str:
        """The row in words."""
        return ", ".join(
            [f"{self.loss} with {self.sampler}", *(f"{name} {setting(value)}" for name, value in self.varied.items())]
        )

    def as_settings(self) -> dict[str, Any]:
        """All that tells the row apart, by name."""
        return {"task": self.task, "loss": self.loss, "sampler": self.sampler, **self.varied}


@dataclass(frozen=True)
class Row:
    """One row of a table, and its runs."""

    key: RowKey
    members: list[Record]

    @property
    def done(self) -> list[Metrics]:
        """The measures of the runs that a mean is over."""
        return [member.metrics for member in self.members if member.status == "done"]

    @property
    def leading_cells(self) -> list[Cell]:
        """The cells that tell the row apart, and how many runs stand behind it."""
        return [*self.key.cells, count(self.members)]

    @property
    def all_survived(self) -> bool:
        """True if no run diverged or failed, so that the mean is over all runs."""
        return all(member.status in ("done", "running", "pending", "killed") for member in self.members)


def rows(records: Sequence[Record]) -> list[Row]:
    """Group records into rows by everything that varies but for what tells replicates apart, the seed and the fold of a
    cross-validation."""
    varied = varying(records)
    by_place: dict[tuple[str, ...], Row] = {}
    for record in records:
        key = RowKey.of(record, varied)
        by_place.setdefault(key.place, Row(key, [])).members.append(record)
    return list(by_place.values())


def without_refused(records: Sequence[Record]) -> list[Record]:
    """The records of the cells that were run, or are to be."""
    return [record for record in records if record.status != "refused"]


def settings(record: Record) -> dict[str, Any]:
    """The configuration of a run, with the values that it leaves out."""
    return unsaid(record.config) | dict(record.config)


def varying(records: Sequence[Record]) -> list[str]:
    """Settings beyond task, loss and sampler that take several values where these three are the same; and those of
    CONFOUNDERS that take several at all."""
    values_seen: dict[tuple[str, ...], dict[str, set[str]]] = {}
    for record in records:
        place = values_seen.setdefault((record.task, record.loss, record.sampler), {})
        for name, value in settings(record).items():
            place.setdefault(name, set()).add(str(value))
    varied = {name for place in values_seen.values() for name, values in place.items() if len(values) > 1}
    varied |= {name for name in CONFOUNDERS if len({str(r.config.get(name)) for r in records}) > 1}
    order = [name for record in records for name in record.config]
    repeats = frozenset().union(*(replicate_settings(task) for task in in_order(records, "task")))
    return [name for name in dict.fromkeys(order) if name in varied - repeats]


def replicate(record: Record) -> tuple[Any, ...]:
    """The replicate that a run is in its row: its seed, and its fold. Equal ones of two rows are compared."""
    return tuple(record.config.get(name) for name in sorted(replicate_settings(record.task)))


def replicate_text(record: Record) -> str:
    """The replicate in words: seed 0, or fold 3, seed 0 where the fold is not the first."""
    config = record.config
    return ", ".join(
        f"{name} {config[name]}"
        for name in sorted(replicate_settings(record.task))
        if name == "seed" or config.get(name)
    )


def in_order(records: Iterable[Record], name: str) -> list[str]:
    """The values of a setting in the order of the manifest."""
    return list(dict.fromkeys(record.config[name] for record in records))


# --- the first table of a task ---------------------------------------------------------------------------------------


def tables(records: Sequence[Record], average: Average = statistics.mean) -> list[Table]:
    """A table for each task; cells that did not finish count in n and are listed apart."""
    listed = without_refused(records)
    by_task = {task: [r for r in listed if r.task == task] for task in in_order(listed, "task")}
    return [summary(task, members, average) for task, members in by_task.items()]


def summary(task: str, records: Sequence[Record], average: Average) -> Table:
    """Margin, verdict and the measures that the task names, one line per row."""
    table_rows, measures = rows(records), key_measures(task)
    heads = [
        *(table_rows[0].key.heads if table_rows else ["loss", "negatives"]),
        "n",
        "promised",
        "gap",
        "gap ≥ m",
        "verdict",
    ]
    lines: list[list[Cell]] = []
    for row in table_rows:
        done = row.done
        kept = [None if m.get("violation_rate") is None else 100 * (1 - m["violation_rate"]) for m in done]
        gap = figure(done, "gap_q50", average)
        margin: list[Cell] = [promised_margin(row.members[0]), gap, percent(average(kept), len(done))]
        figures = [figure(done, name, average) for name in measures]
        lines.append([*row.leading_cells, *margin, verdicts(row.members), *figures])
    names = [heading(name) for name in measures]
    keys = ["verdict", "gap", *(name for name in (heading(main_measure(task)), "auroc") if name in names)]
    return Table(task, heads + names, lines, heads.index("n"), keys, "summary")


# --- cells -----------------------------------------------------------------------------------------------------------


def setting(value: Any) -> str:
    """A hyperparameter's value."""
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def figure(done: Sequence[Metrics], name: str, average: Average, best: bool = False) -> Value:
    """The average of a measure; with its own n where some of the runs lack it."""
    estimate = average([metrics.get(name) for metrics in done])
    return Value(formatting.text(estimate, column(name).digits) + _fewer(estimate, len(done)), estimate.mean, best)


def percent(estimate: Mean, runs: int) -> Value:
    """An average of percentages."""
    return Value(
        "–" if estimate.mean is None else f"{formatting.text(estimate)} %{_fewer(estimate, runs)}", estimate.mean
    )


def _fewer(estimate: Mean, runs: int) -> str:
    return f" (n = {estimate.n})" if 0 < estimate.n < runs else ""


def count(members: Sequence[Record]) -> Value:
    """The number of runs that the means are over, and what became of the others."""
    done = sum(member.status == "done" for member in members)
    others = states([member for member in members if member.status != "done"])
    return Value(f"{done} of {len(members)} ({others})" if others else str(done), done)


def states(members: Sequence[Record]) -> str:
    """The number of runs in each state, the good ones first."""
    counts = Counter(member.status for member in members)
    order = sorted(counts, key=lambda status: (status != "done", status != "diverged", status))
    return ", ".join(f"{counts[status]} {status}" for status in order)


def verdicts(members: Sequence[Record]) -> str:
    """The verdict that all runs have, or how many have which."""
    counts = Counter(str(m.metrics["verdict"]) for m in members if m.metrics.get("verdict"))
    if len(counts) == 1 and sum(counts.values()) == len(members):
        return next(iter(counts))
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common()) or "–"


def promised_margin(record: Record) -> str:
    """The margin of the loss's formula, with the value that m has."""
    unit = find_or_none("loss", record.loss)
    return unit.traits.promised.text(record.config) if unit else "?"


# --- what went wrong -------------------------------------------------------------------------------------------------


def reasons(records: Sequence[Record], task: str) -> list[str]:
    """The reasons why runs of a task were not called healthy: one line per row of its table and verdict."""
    by_name: dict[str, str] = {}
    for row in rows([record for record in records if record.task == task]):
        for member in row.members:
            verdict = member.metrics.get("verdict")
            if verdict not in (None, "healthy"):
                name = f"{row.key.text}: {verdict}"
                why = f"{name}, {member.metrics.get('verdict_reason')} ({replicate_text(member)})."
                by_name.setdefault(name, why)
    return list(by_name.values())


def warnings(records: Sequence[Record], task: str) -> list[str]:
    """What the runs of a task were warned of, a line each with the rows of its table that it is said of; of a row in
    the words of its first run."""
    by_text: dict[str, list[str]] = {}
    for row in rows([record for record in records if record.task == task]):
        warned = [str(member.metrics["warning"]) for member in row.members if member.metrics.get("warning")]
        if warned:
            by_text.setdefault(warned[0], []).append(f"{row.key.text} ({len(warned)} of {len(row.members)} runs)")
    return [f"warning: {_some(names)}: {text}." for text, names in by_text.items()]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{'; '.join(names[:NAMED])}{more}"


def unfinished_tables(records: Sequence[Record]) -> list[Table]:
    """Tables of what was refused, and of what did not finish."""
    refused: dict[tuple[str, str], list[Record]] = {}
    missing: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.status == "refused":
            refused.setdefault((record.task, record.reason), []).append(record)
        elif not record.finished:
            missing.setdefault((record.status, record.reason or "–"), []).append(record)
    tables = []
    if refused:
        lines = [
            [task, ", ".join(in_order(same, "loss")), ", ".join(in_order(same, "sampler")), reason, str(len(same))]
            for (task, reason), same in refused.items()
        ]
        tables.append(Table("Refused", ["task", "losses", "negatives", "reason", "runs"], lines, name="refused"))
    if missing:
        lines = [[status, reason, str(len(same)), same[0].id] for (status, reason), same in missing.items()]
        tables.append(Table("Not finished", ["status", "reason", "runs", "the first"], lines, name="unfinished"))
    return tables
