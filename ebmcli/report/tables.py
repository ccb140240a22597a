"""The tables of one task: margin, collapse, accuracy with ranks, and the main measure by loss and negatives."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ebmcli.report import formatting, statistics
from ebmcli.report.blocks import Cell, Table, Value
from ebmcli.report.columns import accuracy, column, heading
from ebmcli.report.rows import (
    Average,
    Row,
    figure,
    in_order,
    percent,
    promised_margin,
    replicate,
    replicate_text,
    states,
)
from ebmcli.storage.records import Record

QUANTILES = {"gap 1 %": "gap_q01", "gap 10 %": "gap_q10", "gap 50 %": "gap_q50", "gap 90 %": "gap_q90"}
SPENT = "energy_evaluations"
PARTS = "exact_match_"  # measures of single parts of the test set begin so


def _heads(rows: Sequence[Row]) -> list[str]:
    return [*rows[0].key.heads, "n"]


def _leading(rows: Sequence[Row]) -> int:
    """The number of columns that tell the rows apart."""
    return len(rows[0].key.heads)


def margin(rows: Sequence[Row], average: Average) -> Table:
    """The table of the promised margins and of what is realised on held-out data."""
    gaps = [*QUANTILES.values()]
    heads = ["promised", *QUANTILES, heading("violation_rate", True)]
    heads += [heading(name) for name in ("train_gap_q50", "active_share", "gap_growth")]
    lines: list[list[Cell]] = []
    for row in rows:
        done = row.done
        violated, active = (
            percent(average([None if m.get(name) is None else 100 * m[name] for m in done]), len(done))
            for name in ("violation_rate", "active_share")
        )
        own, growth = (figure(done, name, average) for name in ("train_gap_q50", "gap_growth"))
        quantiles = [figure(done, name, average) for name in gaps]
        lines.append([*row.leading_cells, promised_margin(row.members[0]), *quantiles, violated, own, active, growth])
    return Table("Margin", _heads(rows) + heads, lines, _leading(rows), name="margin")


def collapse(rows: Sequence[Row]) -> Table:
    """The verdict, how many seeds it holds for, and why: in the words of the first run that has it."""
    lines: list[list[Cell]] = []
    for row in rows:
        by_verdict: dict[str, list[Record]] = {}
        for member in row.members:
            by_verdict.setdefault(str(member.metrics.get("verdict") or member.status), []).append(member)
        for verdict, members in sorted(by_verdict.items(), key=lambda item: -len(item[1])):
            first = members[0]
            why = first.metrics.get("verdict_reason") or first.reason or "–"
            seed = f" ({replicate_text(first)})" if why != "–" else ""
            runs = Value(f"{len(members)} of {len(row.members)}", len(members) / len(row.members))
            lines.append([*row.key.cells, verdict, runs, f"{why}{seed}"])
    return Table("Collapse", [*rows[0].key.heads, "verdict", "runs", "reason"], lines, _leading(rows), name="collapse")


# --- accuracy --------------------------------------------------------------------------------------------------------


def present(rows: Sequence[Row]) -> list[str]:
    """The measures of accuracy that runs of these rows have."""
    measured = dict.fromkeys(n for row in rows for m in row.done for n, v in m.items() if v is not None)
    return accuracy(rows[0].key.task, measured)


def by_replicate(rows: Sequence[Row], name: str) -> np.ndarray:
    """[rows, replicates] of a measure, over seeds and folds; NaN where there is none."""
    replicates = [[replicate(member) for member in row.members] for row in rows]
    places = {seed: place for place, seed in enumerate(dict.fromkeys(seed for row in replicates for seed in row))}
    values = np.full((len(rows), len(places)), np.nan)
    for line, row, its in zip(values, rows, replicates, strict=True):
        for member, seed in zip(row.members, its, strict=True):
            value = member.metrics.get(name) if member.status == "done" else None
            line[places[seed]] = np.nan if value is None else value
    return values


def compares_ratios(rows: Sequence[Row], name: str) -> bool:
    """True if rows are ranked in a measure by its logarithms."""
    return bool(column(name).better) and len(rows) > 1 and statistics.spans_decades(by_replicate(rows, name))


@dataclass(frozen=True)
class Contest:
    """The ranks of rows in one measure. best: the row that beats all that have a figure, or None."""

    ranks: list[int | None]
    best: int | None


def contest(rows: Sequence[Row], name: str) -> Contest:
    """Rank rows in one measure: 1 + the number of rows that are significantly better, so that rows whose difference is
    within noise share a rank. A row that lost runs to divergence or failure has no rank, and is never the best, since
    its mean is over survivors."""
    direction = column(name).better
    if not direction:
        return Contest([None] * len(rows), None)
    values = by_replicate(rows, name)
    measured, tested = np.isfinite(values).any(axis=1), np.isfinite(values).sum(axis=1) > 1
    better = statistics.better(values, direction == "lower")
    sound = [bool(tested[i]) and row.all_survived for i, row in enumerate(rows)]
    ranks = [1 + int(better[:, i].sum()) if ok else None for i, ok in enumerate(sound)]
    beaten = better.sum(axis=1)
    first = [i for i, ok in enumerate(sound) if ok and measured.sum() > 1 and beaten[i] == measured.sum() - 1]
    return Contest(ranks, first[0] if first else None)


def accuracies(rows: Sequence[Row], average: Average, main: str) -> Table:
    """Every measure of accuracy, the rank in the main one, and what the training cost."""
    names = [main, *(name for name in present(rows) if name != main)]
    contests = {name: contest(rows, name) for name in names}
    lines: list[list[Cell]] = []
    for place, row in enumerate(rows):
        rank = contests[main].ranks[place]
        cells = [figure(row.done, name, average, contests[name].best == place) for name in names]
        spent = average([metrics.get(SPENT) for metrics in row.done])
        cost = Value("–" if spent.mean is None else f"{spent.mean:,.0f}", spent.mean)
        lines.append([*row.leading_cells, Value("–" if rank is None else str(rank), rank), *cells, cost])
    heads = [*_heads(rows), f"rank in {heading(main)}", *(heading(name, True) for name in names), heading(SPENT)]
    return Table("Accuracy", heads, lines, _leading(rows), name="accuracy")


def by_part(rows: Sequence[Row], average: Average) -> Table | None:
    """Exact match of each part of the test set: words of a length, doubled letters, a condition; None without any."""
    names = dict.fromkeys(n for row in rows for m in row.done for n in m if n.startswith(PARTS))
    if not names:
        return None
    parts = [name.removeprefix(PARTS) for name in names]
    heads = [f"{part} letters" if part.isdigit() else part for part in parts]
    lines = [[*row.leading_cells, *(figure(row.done, name, average) for name in names)] for row in rows]
    title = f"{heading('exact_match', True)} by part of the test set"
    return Table(title, [*_heads(rows), *heads], lines, _leading(rows), name="parts")


def matrix(records: Sequence[Record], rows: Sequence[Row], average: Average, main: str) -> Table:
    """The main measure by loss (down) and negatives (across), with what was refused, failed or never asked for."""
    losses, samplers = (in_order(records, name) for name in ("loss", "sampler"))
    best = contest(rows, main).best
    cell_counts = Counter((record.loss, record.sampler) for record in records)
    places: dict[tuple[str, str], list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault((row.key.loss, row.key.sampler), []).append(place)
    lines: list[list[Cell]] = []
    for loss in losses:
        cells = []
        for sampler in samplers:
            here = places.get((loss, sampler), [])
            cells.append(_square([rows[i] for i in here], average, main, best in here, cell_counts[loss, sampler]))
        lines.append([loss, *cells])
    return Table(f"{heading(main, True)} by loss and negatives", ["loss", *samplers], lines, name="matrix")


def _square(rows: Sequence[Row], average: Average, main: str, best: bool, count: int) -> Value:
    """The cell of a loss and negatives, from the rows that have them. asked: how many runs were asked for."""
    if not rows:
        return Value(f"refused ({count})" if count else "not run")
    cells = [figure(row.done, main, average, best) for row in rows]
    numbers = sorted(cell.number for cell in cells if cell.number is not None)
    if len(rows) > 1 and numbers:
        ends = f"{formatting.number(numbers[0])} to {formatting.number(numbers[-1])}"
        return Value(f"{ends} ({len(rows)} settings)", numbers[0])
    members = [member for row in rows for member in row.members]
    done = sum(member.status == "done" for member in members)
    if not done:
        return Value(states(members))
    others = states([member for member in members if member.status != "done"])
    text = f"{cells[0].text}; {done} of {len(members)}, {others}" if others else cells[0].text
    return Value(text, cells[0].number, cells[0].best)
