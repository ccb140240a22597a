"""Two sweeps, row by row: what changed beyond the noise of the seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmcli.core.registry import replicate_settings
from ebmcli.report import formatting, rows, statistics
from ebmcli.report.blocks import Cell, Table, Value
from ebmcli.report.columns import accuracy, heading, main_measure
from ebmcli.report.differences import finding
from ebmcli.report.rows import Row, RowKey
from ebmcli.report.statistics import Difference
from ebmcli.report.tables import by_replicate
from ebmcli.storage.records import Record

MARGIN = ("gap_q50", "violation_rate")
UNIMPORTANT = ("energy", "head")


@dataclass(frozen=True)
class Change:
    """A measure of a row in both sweeps. difference: second minus first, over the seeds that both have."""

    row: str
    task: str
    measure: str
    first: statistics.Mean
    second: statistics.Mean
    difference: Difference
    p: float | None  # adjusted for all that is compared
    finding: str


@dataclass(frozen=True)
class Comparison:
    """Two sweeps compared: what changed, and what only one of them has."""

    changes: list[Change]
    settings: list[str]  # constants of the sweeps that differ, in words
    lost: list[str]  # runs that were healthy in the first and are not in the second, with what they are now
    only: tuple[list[str], list[str]]  # rows that one of them has alone

    @property
    def worse(self) -> bool:
        """True if something became worse: a measure, or a run that was healthy, or a row that is missing."""
        return bool(self.lost or self.only[0] or any(change.finding == "worse" for change in self.changes))

    def counts(self) -> str:
        """Count the findings, in words."""
        numbers: dict[str, int] = {}
        for change in self.changes:
            numbers[change.finding] = numbers.get(change.finding, 0) + 1
        order = ("worse", "better", "higher", "lower", "not significant", "equal")
        ordered = sorted(numbers.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))
        return ", ".join(f"{number} {word}" for word, number in ordered) or "nothing in common"


def compare(first: Sequence[Record], second: Sequence[Record]) -> Comparison:
    """Match the rows by what tells them apart within either sweep, and their runs by seed."""
    names = _telling(first, second)
    pairs = _rows(first, names), _rows(second, names)
    shared = [place for place in pairs[0] if place in pairs[1]]
    measured = [line for place in shared for line in _measured(pairs[0][place], pairs[1][place])]
    adjusted = statistics.false_discovery(np.array([np.nan if d.p is None else d.p for *_, d in measured], float))
    changes = []
    for (row, measure, a, b, difference), p in zip(measured, adjusted, strict=True):
        known = None if np.isnan(p) else float(p)
        words = finding(measure, difference, known)
        changes.append(Change(row.key.text, row.key.task, measure, a, b, difference, known, words))
    only = [[side[place].key.text for place in side if place not in shared] for side in pairs]
    lost = [line for place in shared for line in _lost(pairs[0][place], pairs[1][place])]
    return Comparison(changes, _differing(first, second, names), lost, (only[0], only[1]))


def _telling(first: Sequence[Record], second: Sequence[Record]) -> list[str]:
    """The settings that tell rows apart within a sweep; an energy or a head alone does not, it follows the loss."""
    names = dict.fromkeys([*rows.varying(first), *rows.varying(second)])
    return [name for name in names if name not in UNIMPORTANT or _several(first, name) or _several(second, name)]


def _several(records: Sequence[Record], name: str) -> bool:
    places: dict[tuple[str, ...], set[str]] = {}
    for record in records:
        places.setdefault((record.task, record.loss, record.sampler), set()).add(str(record.config.get(name)))
    return any(len(values) > 1 for values in places.values())


def _rows(records: Sequence[Record], names: Sequence[str]) -> dict[tuple[str, ...], Row]:
    by_place: dict[tuple[str, ...], Row] = {}
    for record in rows.without_refused(records):
        key = RowKey.of(record, names)
        by_place.setdefault(key.place, Row(key, [])).members.append(record)
    return by_place


def _measured(first: Row, second: Row) -> list[tuple[Row, str, statistics.Mean, statistics.Mean, Difference]]:
    measured = dict.fromkeys(
        n for metrics in [*first.done, *second.done] for n, value in metrics.items() if value is not None
    )
    pairs = []
    for name in [*accuracy(first.key.task, measured), *(name for name in MARGIN if name in measured)]:
        values = by_replicate([first, second], name)
        a, b = ([None if np.isnan(v) else float(v) for v in line] for line in values)
        difference = statistics.paired_difference(b, a, statistics.spans_decades(values))
        pairs.append((first, name, statistics.mean(a), statistics.mean(b), difference))
    return pairs


def _lost(first: Row, second: Row) -> list[str]:
    """The runs that were healthy and are no more."""
    now = {rows.replicate(member): member for member in second.members}
    lines = []
    for member in first.members:
        after = now.get(rows.replicate(member))
        if after and _state(member) == "healthy" and _state(after) != "healthy":
            lines.append(f"{first.key.task}: {first.key.text}, {rows.replicate_text(member)}: {_state(after)}")
    return lines


def _state(record: Record) -> str:
    return str(record.metrics.get("verdict") or record.status)


def _differing(first: Sequence[Record], second: Sequence[Record], names: Sequence[str]) -> list[str]:
    """The settings, and the code, that are constant in each sweep and not the same in both."""
    values = [
        {
            name: {rows.setting(settings.get(name)) for settings in all_said}
            for settings in all_said
            for name in settings
        }
        for all_said in ([rows.settings(record) for record in records] for records in (first, second))
    ]
    repeats = frozenset().union(*(replicate_settings(task) for task in rows.in_order([*first, *second], "task")))
    apart = ("task", "loss", "sampler", *names, *repeats)
    lines = [
        f"{name} {', '.join(sorted(values[0][name]))} → {', '.join(sorted(values[1][name]))}"
        for name in values[0]
        if name in values[1] and name not in apart and values[0][name] != values[1][name]
    ]
    codes = [sorted({str(r.provenance.get("code")) for r in records if r.provenance}) for records in (first, second)]
    return lines + ([f"code {', '.join(codes[0])} → {', '.join(codes[1])}"] if codes[0] != codes[1] else [])


def table(comparison: Comparison, names: tuple[str, str]) -> Table:
    """The measures that changed, and the main one of every row."""
    lines: list[list[Cell]] = []
    for change in comparison.changes:
        moved = change.finding in ("better", "worse", "higher", "lower")
        if moved or (change.measure == main_measure(change.task) and change.finding != "equal"):
            figures = [
                Value(formatting.text(figure), figure.mean)
                for figure in (change.first, change.second, change.difference)
            ]
            cells = [change.task, change.row, heading(change.measure, True)]
            lines.append([*cells, *figures, Value(formatting.probability(change.p), change.p), change.finding])
    return Table("Changes", ["task", "row", "measure", *names, "difference", "p", "finding"], lines, 3)


def sentences(comparison: Comparison) -> list[str]:
    """Sentences that go with the table."""
    lines = [f"{len(comparison.changes)} measures in all: {comparison.counts()}."]
    lines += [f"Not the same in both: {'; '.join(comparison.settings)}."] if comparison.settings else []
    lines += [f"No longer healthy: {line}" for line in comparison.lost]
    for which, alone in zip(("first", "second"), comparison.only, strict=True):
        lines += [f"Only in the {which}: {'; '.join(alone)}."] if alone else []
    return lines


def to_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON has it."""
    changes = [
        {name: value._asdict() if hasattr(value, "_asdict") else value for name, value in vars(change).items()}
        for change in comparison.changes
    ]
    rest = {
        "settings": comparison.settings,
        "lost": comparison.lost,
        "only": list(comparison.only),
        "worse": comparison.worse,
    }
    return {"changes": changes, **rest}
