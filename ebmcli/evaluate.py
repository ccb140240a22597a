"""From what a launch leaves behind to the record of a run: its measures, the verdict on it, its curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ebmcli.engine import Snapshot
from ebmcli.metrics import collapse, margin
from ebmcli.types import Task

Measures = dict[str, Any]
CURVE_ONLY = ("step", "seconds")  # what a line of curves.jsonl has beside measures


def at(snapshot: Snapshot, lane: int) -> dict[str, Any]:
    """What the probe found for one lane."""
    return _lane(snapshot.probed, lane)


def _lane(tree: Any, lane: int) -> Any:
    if isinstance(tree, Mapping):
        return {name: _lane(one, lane) for name, one in tree.items()}
    return None if tree is None else tree[lane]


def threshold(config: Mapping[str, Any]) -> float:
    """The gap that counts as kept: the loss's margin, or 0 (right below wrong) where it has none."""
    return float(config.get("margin", 0.0))


def measure(task: Task, config: Mapping[str, Any], snapshot: Snapshot, lane: int, fine: bool) -> Measures | None:
    """The measures of a run at a chunk end; None where its energies are not finite."""
    probed = at(snapshot, lane)
    train = probed["train"]
    energies = [train["positive"], train["negatives"], *probed["task"].values()]
    if snapshot.diverged[lane] >= 0 or not all(np.isfinite(leaf).all() for leaf in energies if leaf is not None):
        return None
    found: Measures = {
        "step": int(snapshot.step[lane]),
        "train_loss": float(snapshot.progress.loss[lane]),
        "active_share": float(snapshot.progress.active_share[lane]),
        **task.measure(probed["task"], fine, config["beta"], threshold(config)),
    }
    if train["negatives"] is not None:
        gaps = np.float64(train["negatives"]) - train["positive"][:, None]
        found |= margin.quantiles(gaps, "train_gap")
    return found


def conclude(
    task: Task, config: Mapping[str, Any], history: Sequence[Measures], diverged: int, cost: tuple[int, int]
) -> tuple[str, Measures]:
    """(status, metrics) of a finished run from its measures at chunk ends, the last of them fine.

    diverged: the step whose loss was not finite, or -1; then the measures are the last finite ones.
    cost: energy evaluations of the whole training, and how many of them were differentiated in y.
    """
    steps = diverged if diverged >= 0 else config["steps"]
    metrics = {name: value for name, value in history[-1].items() if name not in CURVE_ONLY}
    steps_at, medians = (np.array([line[name] for line in history[1:]], float) for name in ("step", "gap_q50"))
    growth = margin.gap_growth(steps_at, medians) or (None, None)
    metrics |= dict(zip(("gap_growth", "gap_growth_error"), growth, strict=True))
    metrics |= {
        f"energy_{name}": one * steps // config["steps"]
        for name, one in zip(("evaluations", "gradients"), cost, strict=True)
    }
    metrics["epochs"] = steps * config["batch_size"] / task.examples if task.examples else None
    if diverged >= 0:
        last = history[-1]["step"]
        reason = f"the loss or its gradient was not finite at step {diverged}; measures are those of step {last}"
        return "diverged", metrics | {"diverged_step": diverged, "verdict": "diverged", "verdict_reason": reason}
    verdict, reason = collapse.verdict(metrics, history[0], config["beta"])
    return "done", metrics | {"verdict": verdict, "verdict_reason": reason}
