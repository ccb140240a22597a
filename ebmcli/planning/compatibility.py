"""Which loss goes with which negatives: judged from what the units declare, before anything compiles."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ebmcli.core.registry import Unit, find, units
from ebmcli.core.types import CONSTANT

ANSWERS = {"continuous": "points", "finite": "labels", "sequence": "label sequences"}
# What a loss may need: of the negatives, and of the energy.
OFFERS = {
    "negatives": "negatives one by one",
    "partition": "a sum over all answers",
    "minimum": "the lowest energy over all answers",
    "probability": "probabilities of single answers, which are bounded by 1 as a density is not",
    "log_q": "negatives of a known density that does not look at the right answer",
}
ABILITIES = {
    "nonnegative": "an energy that is never negative",
    "reconstruct": "an energy with a reconstruction",
    "view": "answers in which an energy can be differentiated",
    "smooth": "data of a smooth density, without which it has no lower bound",
}
COMPUTES = {
    "free": "an exact free energy",
    "argmin": "an exact minimum",
    "best_different": "the best answer other than y",
    "n_best": "the best answers other than y",
    "sample": "exact samples of the model",
}
INSTEAD = {"partition": "; sampled negatives make it another loss: infonce, or ml with samples of the model"}
# What a loss may want: without it the pair runs, and this is said.
WARNINGS = {
    "all": "{loss} sums over all answers, {sampler} shows it some of them",
    "independent": "{loss} takes the density q of its negatives for uniform, that of {sampler} is not: see {better}",
    "nonnegative": "the levels of {loss} mean something where F >= 0, {energy} may be negative: see --head softplus",
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
    cell = _Cell(task, loss, sampler, energy, config)
    for rule in (_mismatch, _missettled, _unmet, _unsought, _unbounded_below):
        if reason := rule(cell):
            return Judgement("refuse", reason)
    for rule in (_ignored, _penalised, _unwanted, _approximate, _distance):
        if reason := rule(cell):
            return Judgement("warn", reason)
    return Judgement("run")


def offers(config: Mapping[str, Any]) -> frozenset[str]:
    """All that negatives, energy and answers of a configuration offer to a loss."""
    task, sampler, energy = (find(kind, config[kind]) for kind in ("task", "sampler", "energy"))
    given = sampler.offers(task.answers, config) | energy.offers(task.answers, config)
    return given | ({"view"} if task.answers == "continuous" else set()) | ({"smooth"} if task.smooth else set())


def needs_negatives(loss: Unit) -> bool:
    """Whether a loss looks at what a sampler brings."""
    return bool(loss.needs & OFFERS.keys())


class _Cell(NamedTuple):
    task: Unit
    loss: Unit
    sampler: Unit
    energy: Unit
    config: Mapping[str, Any]

    @property
    def offered(self) -> frozenset[str]:
        return self.sampler.gives[self.task.answers]

    def that_give(self, need: str) -> str:
        """The samplers that give it, or of many the one that suits the task; for a reason."""
        names = [one.name for one in units("sampler").values() if need in one.gives.get(self.task.answers, ())]
        fitting = self.task.samplers.get(need)
        return " or ".join(names) if len(names) < 4 or not fitting else f"{fitting} or another that does"


# --- why a cell is refused -------------------------------------------------------------------------------------------


def _mismatch(cell: _Cell) -> str:
    """These cannot work together whatever the loss."""
    task, _, sampler, energy, config = cell
    if reason := task.impossible(config):
        return reason
    answers = ANSWERS[task.answers]
    if task.answers not in energy.gives:
        return f"{energy.name} does not score {answers}, the answers of {task.name}"
    if energy.conditional and not task.conditional:
        return f"{energy.name} compares an answer with a question x: {task.name} has none"
    if task.answers not in sampler.gives:
        return f"{sampler.name} does not draw {answers}, the answers of {task.name}"
    if sampler.conditional and not task.conditional:
        return f"{sampler.name} draws the data of {task.name} themselves: without an x a flat energy is its optimum"
    missing = sampler.needs - energy.gives[task.answers]
    if missing and task.answers == "sequence":  # the others are searched by evaluating the energy
        return f"{sampler.name} needs {COMPUTES[min(missing)]}, which {energy.name} does not compute"
    return ""


def _missettled(cell: _Cell) -> str:
    """The energy serves a need at another of its settings alone."""
    loss, sampler, energy, config = cell[1:]
    for need in sorted((loss.needs | sampler.needs) & energy.only.keys()):
        for name, value in energy.only[need].items():
            if config[name] != value:
                who, what = (loss, OFFERS[need]) if need in loss.needs else (sampler, COMPUTES[need])
                return f"{who.name} needs {what}, {energy.name} has it with --set {name}={value} alone"
    return ""


def _unmet(cell: _Cell) -> str:
    """A need of the loss is left open."""
    task, loss, sampler, energy, config = cell
    for need in sorted(loss.needs - offers(config)):
        if need in OFFERS:
            better = cell.that_give(need)
            use = f": use {better}" if better else f", and no negatives of {task.name} do"
            return f"{loss.name} needs {OFFERS[need]}, {sampler.name} does not give it{use}{INSTEAD.get(need, '')}"
        if need == "view":
            return f"{loss.name} needs {ABILITIES[need]}: those of {task.name} are {ANSWERS[task.answers]}"
        if need == "smooth":
            return f"{loss.name} needs {ABILITIES[need]}: those of {task.name} have none"
        return f"{loss.name} needs {ABILITIES[need]}, {energy.name} is none as it is set{_remedy(energy, need)}"
    return ""


def _remedy(energy: Unit, need: str) -> str:
    if need == "nonnegative" and isinstance(energy.nonnegative, Mapping):
        return ": " + " or ".join(f"--{name} {at}" for name, values in energy.nonnegative.items() for at in values)
    return ""


def _unsought(cell: _Cell) -> str:
    """The negatives are sought for a margin that the loss has not."""
    if needs_negatives(cell.loss) and "augmented" in cell.offered and "margin" not in cell.loss.parameters:
        plain = cell.task.samplers["negatives"]
        return f"{cell.sampler.name} seeks the answer that violates a margin, {cell.loss.name} has none: use {plain}"
    return ""


def _unbounded_below(cell: _Cell) -> str:
    """A loss that only samples of the model bound from below, without them and without its penalty."""
    loss = cell.loss
    if loss.penalty and "model" not in cell.offered and cell.config[loss.penalty] == 0:
        better = cell.that_give("model") or "another loss"
        return f"{loss.name} is unbounded below with {cell.sampler.name}: use {better}, or {loss.penalty} above 0"
    return ""


# --- what is said of one that runs -----------------------------------------------------------------------------------


def _ignored(cell: _Cell) -> str:
    if not needs_negatives(cell.loss) and cell.sampler.name != "none":
        return f"{cell.loss.name} needs no negatives: those of {cell.sampler.name} are ignored"
    return ""


def _penalised(cell: _Cell) -> str:
    if cell.loss.penalty and not cell.offered & {"model", "adversarial"}:
        penalty = cell.loss.penalty
        return f"{cell.loss.name} wants samples of the model: with {cell.sampler.name} only {penalty} bounds it below"
    return ""


def _unwanted(cell: _Cell) -> str:
    for want in sorted(cell.loss.wants & WARNINGS.keys() - offers(cell.config)):
        if want == "independent" and "hardest" in cell.offered:
            return f"with the most offending answer alone {cell.loss.name} is the log loss"
        names = {"loss": cell.loss.name, "sampler": cell.sampler.name, "energy": cell.energy.name}
        return WARNINGS[want].format(better=cell.that_give(want) or "other losses", **names)
    return ""


def _approximate(cell: _Cell) -> str:
    setting = cell.energy.only.get("minimum", {})
    if "negatives" in cell.loss.needs and cell.sampler.needs & {"best_different", "n_best"}:
        for name, value in setting.items():
            if cell.config[name] != value:
                return f"{cell.sampler.name} is exact with --set {name}={value} alone, here it looks at a few answers"
    return ""


def _distance(cell: _Cell) -> str:
    if cell.config.get("margin_distance", CONSTANT) != CONSTANT and not cell.offered & {"augmented", "all"}:
        better = cell.that_give("augmented")
        return f"the margin grows with the distance, but {cell.sampler.name} does not look at it: see {better}"
    return ""
