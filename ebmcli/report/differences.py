"""Paired differences: of every row to a baseline, over the seeds that both have."""

from collections.abc import Sequence

import numpy as np

from ebmcli.core.errors import unknown
from ebmcli.report import formatting, statistics
from ebmcli.report.blocks import Cell, Table, Text, Value, verbatim
from ebmcli.report.columns import column, heading
from ebmcli.report.rows import Row
from ebmcli.report.statistics import Difference, spans_decades
from ebmcli.report.tables import by_replicate


def finding(name: str, difference: Difference, adjusted: float | None) -> str:
    """Name a difference: better, worse, higher, lower, or why nothing can be said."""
    if difference.n == 0:
        return "no shared seeds"
    if difference.n == 1:
        return "equal" if difference.sign == 0 else "one shared seed, no test"
    if adjusted is None:
        return "equal" if difference.sign == 0 else "the same in every seed, no test"
    if adjusted >= 1 - statistics.LEVEL or difference.mean is None:
        return "not significant"
    direction = column(name).better
    if not direction:
        return "higher" if difference.sign > 0 else "lower"
    return "better" if (difference.sign < 0) == (direction == "lower") else "worse"


def to_baseline(rows: Sequence[Row], name: str, baseline: str) -> Table | Text:
    """Each row's measure minus that of the baseline: `LOSS`, or `LOSS/NEGATIVES`.

    Of several rows of that loss the one that shares most settings with a row, the negatives before all, is taken.
    """
    loss, _, sampler = baseline.partition("/")
    base = [i for i, row in enumerate(rows) if row.key.loss == loss and sampler in ("", row.key.sampler)]
    task = rows[0].key.task
    if not base:
        return Text(verbatim(f"No run of {baseline} on {task}: no differences to it."))
    table = by_replicate(rows, name)
    values, ratio = [[None if np.isnan(v) else float(v) for v in line] for line in table], spans_decades(table)
    others = [i for i in range(len(rows)) if rows[i].key.loss != loss or (sampler and i not in base)]
    nearest = {i: max(base, key=lambda j: _alike(rows[i], rows[j])) for i in others}
    if not others:
        return Text(verbatim(f"Only {baseline} has run on {task}: no differences to it."))
    pairs = {i: statistics.paired_difference(values[i], values[nearest[i]], ratio) for i in others}
    adjusted = dict(zip(others, statistics.holm([pairs[i].p for i in others]), strict=True))
    lines: list[list[Cell]] = [
        [
            *rows[i].key.cells, rows[nearest[i]].key.text, Value(str(pairs[i].n), pairs[i].n),
            Value(formatting.text(pairs[i]), pairs[i].mean), Value(formatting.probability(adjusted[i]), adjusted[i]),
            finding(name, pairs[i], adjusted[i]) + _survivors(pairs[i], rows[i], rows[nearest[i]]),
        ]
        for i in others
    ]  # fmt: skip
    heads = [*rows[0].key.heads, "against", "shared seeds", "difference", "p", "finding"]
    title = f"Differences to {baseline} in {heading(name, True)}"
    return Table(title, heads, lines, len(rows[0].key.heads), name="differences")


def _survivors(difference: Difference, *pair: Row) -> str:
    return ", of the runs that survived" if difference.n > 1 and not all(row.all_survived for row in pair) else ""


def _alike(row: Row, base: Row) -> tuple[bool, int]:
    """Count what two rows have in common, the negatives first."""
    settings, other = row.key.as_settings(), base.key.as_settings()
    return row.key.sampler == base.key.sampler, sum(settings[name] == other[name] for name in settings)


def check(baseline: str, losses: Sequence[str], samplers: Sequence[str]) -> None:
    """Raise UsageError where no run has this loss or these negatives."""
    loss, _, sampler = baseline.partition("/")
    if loss not in losses:
        raise unknown("loss of this sweep", loss, losses)
    if sampler and sampler not in samplers:
        raise unknown("negatives of this sweep", sampler, samplers)
