"""The tables of one task: margin, collapse, accuracy with ranks, the main measure by loss and negatives, and paired
differences to a baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebmcli.report import formatting, rows, statistics
from ebmcli.report.blocks import Cell, Table, Value
from ebmcli.report.columns import BETTER, LOWER, WORSE, accuracy, heading
from ebmcli.report.rows import Average, Record

QUANTILES = {"gap 1 %": "gap_q01", "gap 10 %": "gap_q10", "gap 50 %": "gap_q50", "gap 90 %": "gap_q90"}
SPENT = "energy_evaluations"


@dataclass(frozen=True)
class Row:
    """One row of all tables of a task: what tells it apart, and its runs."""

    key: dict[str, Any]
    members: list[Record]

    @property
    def name(self) -> str:
        """In words."""
        return rows.described(self.key)

    @property
    def told(self) -> list[Any]:
        """The first cells."""
        return [*rows.names(self.key), rows.count(self.members)]

    @property
    def survived(self) -> bool:
        """Whether no run is left out of its means because of what became of it."""
        return not any(m["status"] not in ("done", "running", "pending", "killed") for m in self.members)


def of_task(records: Sequence[Record]) -> list[Row]:
    """The rows of one task; refused cells have none."""
    return [Row(*group) for group in rows.groups([r for r in records if r["status"] != "refused"])]


def _heads(shown: Sequence[Row]) -> list[str]:
    return ["loss", "negatives", *list(shown[0].key)[3:], "n"]


def margin(shown: Sequence[Row], average: Average) -> Table:
    """What the formula promises, and what is realised on held-out data."""
    heads = ["promised", *QUANTILES, heading("violated ↓"), "own negatives", "active", "growth"]
    lines: list[list[Cell]] = []
    for row in shown:
        done = rows.metrics(row.members)
        shares = [
            [None if m.get(name) is None else 100 * m[name] for m in done]
            for name in ("violation_rate", "active_share")
        ]
        violated, active = (rows.percent(average(share), len(done)) for share in shares)
        gaps = [rows.figure(done, name, average) for name in (*QUANTILES.values(), "train_gap_q50")]
        growth = rows.figure(done, "gap_growth", average)
        promised = rows.promised(row.members[0])
        lines.append([*row.told, promised, *gaps[:-1], violated, gaps[-1], active, growth])
    return Table("Margin", _heads(shown) + heads, lines)


def collapse(shown: Sequence[Row]) -> Table:
    """The verdict, how many seeds it holds for, and why: in the words of the first run that has it."""
    lines: list[list[Cell]] = []
    for row in shown:
        found: dict[str, list[Record]] = {}
        for member in row.members:
            found.setdefault(member["metrics"].get("verdict") or member["status"], []).append(member)
        for verdict, members in sorted(found.items(), key=lambda one: -len(one[1])):
            first = members[0]
            why = first["metrics"].get("verdict_reason") or first.get("reason") or "–"
            seed = f" ({rows.told_repeat(first)})" if why != "–" else ""
            runs = Value(f"{len(members)} of {len(row.members)}", len(members) / len(row.members))
            lines.append([*rows.names(row.key), verdict, runs, f"{why}{seed}"])
    return Table("Collapse", [*_heads(shown)[:-1], "verdict", "runs", "reason"], lines)


# --- accuracy --------------------------------------------------------------------------------------------------------


def present(shown: Sequence[Row]) -> list[str]:
    """The measures of accuracy that runs of these rows have."""
    found = dict.fromkeys(n for row in shown for m in rows.metrics(row.members) for n, v in m.items() if v is not None)
    return accuracy(shown[0].key["task"], found)


def by_seed(shown: Sequence[Row], name: str) -> np.ndarray:
    """[rows, repeats] of a measure, over seeds and folds; NaN where there is none."""
    repeats = {
        one: place for place, one in enumerate(dict.fromkeys(rows.repeat(m) for row in shown for m in row.members))
    }
    found = np.full((len(shown), len(repeats)), np.nan)
    for line, row in zip(found, shown, strict=True):
        for member in row.members:
            value = member["metrics"].get(name) if member["status"] == "done" else None
            line[repeats[rows.repeat(member)]] = np.nan if value is None else value
    return found


@dataclass(frozen=True)
class Contest:
    """Which rows are better than which in one measure. best: the row that beats all that have a figure, or None."""

    ranks: list[int | None]
    best: int | None


def contest(shown: Sequence[Row], name: str) -> Contest:
    """Ranks: 1 + the rows that are significantly better, so that what differs by noise shares a rank. A row that lost
    runs to divergence or failure has none, and is never the best: its mean is over survivors."""
    direction = (BETTER | WORSE).get(name)
    if not direction:
        return Contest([None] * len(shown), None)
    values = by_seed(shown, name)
    there, tested = np.isfinite(values).any(axis=1), np.isfinite(values).sum(axis=1) > 1
    better = statistics.better(values, direction == LOWER)
    sound = [bool(tested[i]) and row.survived for i, row in enumerate(shown)]
    ranks = [1 + int(better[:, i].sum()) if ok else None for i, ok in enumerate(sound)]
    beaten = better.sum(axis=1)
    first = [i for i, ok in enumerate(sound) if ok and there.sum() > 1 and beaten[i] == there.sum() - 1]
    return Contest(ranks, first[0] if first else None)


def accuracies(shown: Sequence[Row], average: Average, main: str) -> Table:
    """Every measure of accuracy, the rank in the main one, and what the training cost."""
    names = [main, *(name for name in present(shown) if name != main)]
    found = {name: contest(shown, name) for name in names}
    lines: list[list[Cell]] = []
    for place, row in enumerate(shown):
        done, rank = rows.metrics(row.members), found[main].ranks[place]
        cells = [rows.figure(done, name, average, found[name].best == place) for name in names]
        spent = average([one.get(SPENT) for one in done])
        cost = Value("–" if spent.mean is None else f"{spent.mean:,.0f}", spent.mean)
        lines.append([*row.told, Value("–" if rank is None else str(rank), rank), *cells, cost])
    heads = [*_heads(shown), f"rank in {heading(main)}", *(heading(name, True) for name in names), heading(SPENT)]
    return Table("Accuracy", heads, lines)


def by_part(shown: Sequence[Row], average: Average) -> Table | None:
    """Exact match of each part of the test set: words of a length, doubled letters, a condition; None without any."""
    prefix = "exact_match_"
    names = dict.fromkeys(n for row in shown for m in rows.metrics(row.members) for n in m if n.startswith(prefix))
    if not names:
        return None
    parts = [name.removeprefix(prefix) for name in names]
    heads = [f"{part} letters" if part.isdigit() else part for part in parts]
    lines: list[list[Cell]] = []
    for row in shown:
        done = rows.metrics(row.members)
        lines.append([*row.told, *(rows.figure(done, name, average) for name in names)])
    return Table(f"{heading('exact_match', True)} by part of the test set", [*_heads(shown), *heads], lines)


def matrix(records: Sequence[Record], shown: Sequence[Row], average: Average, main: str) -> Table:
    """The main measure by loss (down) and negatives (across), with what was refused, failed or never asked for."""
    losses, samplers = (rows.in_order(records, name) for name in ("loss", "sampler"))
    best = contest(shown, main).best
    lines: list[list[Cell]] = [
        [loss, *(_square(records, shown, average, main, best, (loss, sampler)) for sampler in samplers)]
        for loss in losses
    ]
    return Table(f"{heading(main, True)} by loss and negatives", ["loss", *samplers], lines)


def _square(
    records: Sequence[Record], shown: Sequence[Row], average: Average, main: str, best: int | None, at: Any
) -> Value:
    places = [i for i, row in enumerate(shown) if (row.key["loss"], row.key["sampler"]) == at]
    if not places:
        refused = sum((r["config"]["loss"], r["config"]["sampler"]) == at for r in records)
        return Value(f"refused ({refused})" if refused else "not run")
    cells = [rows.figure(rows.metrics(shown[i].members), main, average, best == i) for i in places]
    found = sorted(cell.number for cell in cells if cell.number is not None)
    if len(places) > 1 and found:
        return Value(
            f"{formatting.number(found[0])} to {formatting.number(found[-1])} ({len(places)} settings)", found[0]
        )
    members = [member for i in places for member in shown[i].members]
    done = sum(member["status"] == "done" for member in members)
    if not done:
        return Value(rows.states(members))
    others = rows.states([member for member in members if member["status"] != "done"])
    told = f"{cells[0].text}; {done} of {len(members)}, {others}" if others else cells[0].text
    return cells[0]._replace(text=told)
