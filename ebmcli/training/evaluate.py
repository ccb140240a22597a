"""From what a launch leaves behind to the record of a run: its measures, the verdict on it, its curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ebmcli.core import registry
from ebmcli.core.types import Cost, Task
from ebmcli.metrics import chains, collapse, margin
from ebmcli.storage import film
from ebmcli.training.engine import Snapshot

Measures = dict[str, Any]


def lane_probe(snapshot: Snapshot, lane: int) -> dict[str, Any]:
    """The part of a snapshot's probe that belongs to one lane."""
    return _lane(snapshot.probed, lane)


def _lane(tree: Any, lane: int) -> Any:
    if isinstance(tree, Mapping):
        return {name: _lane(leaf, lane) for name, leaf in tree.items()}
    return None if tree is None else tree[lane]


def frame(task: Task, snapshot: Snapshot, lane: int) -> film.Frame:
    """The frame of a run's film at a chunk end."""
    probed = lane_probe(snapshot, lane)
    return film.frame(int(snapshot.step[lane]), task.film(probed["task"]), probed["train"])


def threshold(config: Mapping[str, Any]) -> float:
    """The gap that counts as kept: the loss's margin, or 0 (right below wrong) where it has none."""
    return float(config.get("margin", 0.0))


def measures(evaluation: Any) -> Measures:
    """All measures of an evaluation; of several, or of measures that a task has worked out itself, together."""
    if isinstance(evaluation, Mapping):
        return dict(evaluation)
    if isinstance(evaluation, tuple):
        return {name: value for part in evaluation for name, value in measures(part).items()}
    values: Measures = {}
    for measure in registry.measures():
        if measure.function is not None and isinstance(evaluation, measure.of) and measure.when(evaluation):
            value = measure.function(evaluation)
            values |= value if isinstance(value, Mapping) else {measure.columns[0].name: value}
    return values


def measure(task: Task, config: Mapping[str, Any], snapshot: Snapshot, lane: int) -> Measures | None:
    """The measures of a run at a chunk end; None where its energies are not finite."""
    probed = lane_probe(snapshot, lane)
    train = probed["train"]
    energies = [train["positive"], train["negatives"], *probed["task"].values()]
    if snapshot.diverged[lane] >= 0 or not all(np.isfinite(leaf).all() for leaf in energies if leaf is not None):
        return None
    values: Measures = {
        "step": int(snapshot.step[lane]),
        "train_loss": float(snapshot.progress.loss[lane]),
        "active_share": float(snapshot.progress.active_share[lane]),
        **measures(task.measure(probed["task"], snapshot.fine, config["beta"], threshold(config))),
    }
    values |= {name: float(value) for name, value in probed["sampler"].items()}
    if train["negatives"] is not None:
        gaps = np.float64(train["negatives"]) - train["positive"][:, None]
        values |= margin.quantiles(gaps, "train_gap")
    return values


def conclude(
    task: Task,
    config: Mapping[str, Any],
    history: Sequence[Measures],
    final: Measures | None,
    diverged: int,
    cost: Cost | None,
) -> tuple[str, Measures]:
    """(status, metrics) of a finished run.

    history: the measures before training and at chunk ends, as far as they were finite.
    final: the fine ones at the end; None where the energies are not finite, and history's last stand for them.
    diverged: the step that was not finite, or -1.
    cost: of a training step; None where the sampler declares none.
    """
    steps = diverged + 1 if diverged >= 0 else config["steps"]  # that were computed
    last = final or (history[-1] if history else {"step": 0})
    metrics = {name: value for name, value in last.items() if name != "step"}
    steps_at, medians = (np.array([line.get(name) for line in history[1:]], float) for name in ("step", "gap_q50"))
    growth = margin.gap_growth(steps_at, medians) or (None, None)
    metrics |= {"gap_growth": growth[0], "gap_growth_error": growth[1]}
    metrics |= {"energy_evaluations": cost.evaluations * steps if cost else None}
    metrics |= {"energy_gradients": cost.gradients * steps if cost else None}
    metrics["epochs"] = steps * config["batch_size"] / task.examples if task.examples else None
    if warned := [*task.remarks, *chains.warnings(metrics)]:
        metrics["warning"] = "; ".join(warned)
    if final is None:
        what = "the loss or its gradient was" if diverged >= 0 else "the energies were"
        where = diverged if diverged >= 0 else steps
        reason = f"{what} not finite at step {where}; the measures are those of step {last['step']}"
        return "diverged", metrics | {"diverged_step": where, "verdict": "diverged", "verdict_reason": reason}
    scales = [1 / config["beta"], *([config["margin"]] if "margin" in config else [])]
    verdict, reason = collapse.verdict(metrics, history[0], min(scales), max(scales))
    return "done", metrics | {"verdict": verdict, "verdict_reason": reason}
