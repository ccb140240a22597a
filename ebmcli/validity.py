"""Which loss goes with which negatives: judged from what the units declare, before anything compiles."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ebmcli.registry import Unit, find, units

ANSWERS = {"continuous": "points of the plane", "sequence": "label sequences"}
OFFERS = {
    "negatives": "negatives one by one",
    "partition": "a sum over all answers",
    "minimum": "the lowest energy over all answers",
}
COMPUTES = {
    "free": "an exact free energy",
    "argmin": "an exact minimum",
    "best_different": "the best answer other than y",
}


class Judgement(NamedTuple):
    """run, warn or refuse; with the reason for the last two."""

    verdict: str
    reason: str = ""

    @property
    def refusal(self) -> str:
        """The reason where it is refused, else nothing."""
        return self.reason if self.verdict == "refuse" else ""


def judge(config: Mapping[str, Any]) -> Judgement:
    """The judgement of one configuration."""
    task, loss, sampler, energy = (find(kind, config[kind]) for kind in ("task", "loss", "sampler", "energy"))
    refusal = _mismatch(task, energy, sampler) or _unmet(task, loss, sampler)
    if refusal:
        return Judgement("refuse", refusal)
    if not loss.needs and sampler.name != "none":
        return Judgement(
            "warn", f"{loss.name} looks at the right answer alone: the negatives of {sampler.name} are ignored"
        )
    if config.get("margin_distance") == "hamming" and "augmented" not in sampler.gives[task.answers]:
        better = _that_give(task, "augmented")
        return Judgement(
            "warn", f"the margin grows with the distance, but {sampler.name} does not look at it: see {better}"
        )
    return Judgement("run")


def _mismatch(task: Unit, energy: Unit, sampler: Unit) -> str:
    """Why these cannot work together whatever the loss, or nothing."""
    answers = ANSWERS[task.answers]
    if task.answers not in energy.gives:
        return f"{energy.name} does not score {answers}, the answers of {task.name}"
    if task.answers not in sampler.gives:
        return f"{sampler.name} does not draw {answers}, the answers of {task.name}"
    missing = sampler.needs - energy.gives[task.answers]
    if missing:
        return f"{sampler.name} needs {COMPUTES[min(missing)]}, which {energy.name} does not compute"
    return ""


def _unmet(task: Unit, loss: Unit, sampler: Unit) -> str:
    """Which need of the loss the negatives leave open, or nothing."""
    offered = sampler.gives[task.answers]
    for need in sorted(loss.needs - offered):
        return f"{loss.name} needs {OFFERS[need]}, {sampler.name} does not give it: use {_that_give(task, need)}"
    if loss.needs and "augmented" in offered and "margin" not in loss.parameters:
        plain = task.samplers["negatives"]
        return f"{sampler.name} seeks the answer that violates a margin, {loss.name} has none: use {plain}"
    return ""


def _that_give(task: Unit, need: str) -> str:
    return " or ".join(unit.name for unit in units("sampler").values() if need in unit.gives.get(task.answers, ()))
