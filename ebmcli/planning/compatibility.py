"""Judge which loss goes with which negatives, from what the units declare, before anything compiles."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from ebmcli.core.needs import Answers, Need
from ebmcli.core.registry import units
from ebmcli.core.types import CONSTANT
from ebmcli.core.units import Combination, EnergyUnit, TaskUnit

INSTEAD = {Need.PARTITION: "; sampled negatives make it another loss: infonce, or ml with samples of the model"}
# What a loss may want: without it the pair runs, and this is said.
WARNINGS = {
    Need.ALL: "{loss} sums over all answers, {sampler} shows it some of them",
    Need.INDEPENDENT: "{loss} takes the density q of its negatives for uniform, that of {sampler} is not: see {better}",
    Need.NONNEGATIVE: "the levels of {loss} mean something where F >= 0, {energy} may be negative: see --head softplus",
}


class Judgement(NamedTuple):
    """A verdict on a cell before it runs, with the reason for a warning or a refusal."""

    verdict: Literal["run", "warn", "refuse"]
    reason: str = ""

    @property
    def refusal(self) -> str:
        """The reason where it is refused, else nothing."""
        return self.reason if self.verdict == "refuse" else ""


class _Asked(NamedTuple):
    """A combination of units with its configuration, to be judged."""

    units: Combination
    config: Mapping[str, Any]


def judge(units: Combination, config: Mapping[str, Any]) -> Judgement:
    """Judge one configuration of these units."""
    asked = _Asked(units, config)
    for rule in (_mismatch, _wrong_setting, _unmet, _no_margin, _unbounded_below):
        if reason := rule(asked):
            return Judgement("refuse", reason)
    for rule in (_ignored, _penalised, _unwanted, _approximate, _distance):
        if reason := rule(asked):
            return Judgement("warn", reason)
    return Judgement("run")


def _that_give(task: TaskUnit, need: Need) -> str:
    """The samplers that give it, or of many the one that suits the task; for a reason."""
    names = [one.name for one in units("sampler").values() if need in one.traits.offers(task.traits.answers)]
    fitting = task.traits.samplers.get(need)
    return " or ".join(names) if len(names) < 4 or not fitting else f"{fitting} or another that does"


# --- why a cell is refused -------------------------------------------------------------------------------------------


def _mismatch(asked: _Asked) -> str:
    """These units cannot work together whatever the loss."""
    task, sampler, energy = asked.units.task, asked.units.sampler, asked.units.energy
    if reason := task.traits.impossible(asked.config):
        return reason
    kind = task.traits.answers
    if kind not in energy.traits.gives:
        return f"{energy.name} does not score {kind.plural}, the answers of {task.name}"
    if energy.traits.conditional and not task.traits.conditional:
        return f"{energy.name} compares an answer with a question x: {task.name} has none"
    if energy.traits.question not in ("", task.traits.question):
        asked_of = f"{task.traits.question}s" if task.traits.question else "arrays"
        return f"{energy.name} scores {energy.traits.question}s, the questions of {task.name} are {asked_of}"
    if task.traits.question and not energy.traits.question:
        return f"{energy.name} does not score {task.traits.question}s, the questions of {task.name}"
    if kind not in sampler.traits.gives:
        return f"{sampler.name} does not draw {kind.plural}, the answers of {task.name}"
    if sampler.traits.conditional and not task.traits.conditional:
        return f"{sampler.name} draws the data of {task.name} themselves: without an x a flat energy is its optimum"
    missing = sampler.traits.needs - energy.traits.gives[kind]
    if missing and kind is Answers.SEQUENCE:  # the others are searched by evaluating the energy
        return f"{sampler.name} needs {min(missing).sentence}, which {energy.name} does not compute"
    return ""


def _wrong_setting(asked: _Asked) -> str:
    """The energy can provide this, but only with a different setting."""
    loss, sampler, energy = asked.units.loss, asked.units.sampler, asked.units.energy
    only = energy.traits.only
    for need in sorted((loss.traits.needs | sampler.traits.needs) & only.keys()):
        for name, value in only[need].items():
            if asked.config[name] != value:
                who = loss if need in loss.traits.needs else sampler
                return f"{who.name} needs {need.sentence}, {energy.name} has it with --set {name}={value} alone"
    return ""


def _unmet(asked: _Asked) -> str:
    """A need of the loss is left open."""
    task, loss, sampler, energy = asked.units.task, asked.units.loss, asked.units.sampler, asked.units.energy
    for need in sorted(loss.traits.needs - asked.units.offers(asked.config)):
        if need.source == "negatives":
            better = _that_give(task, need)
            use = f": use {better}" if better else f", and no negatives of {task.name} do"
            return f"{loss.name} needs {need.sentence}, {sampler.name} does not give it{use}{INSTEAD.get(need, '')}"
        if need is Need.VIEW:
            return f"{loss.name} needs {need.sentence}: those of {task.name} are {task.traits.answers.plural}"
        if need is Need.SMOOTH:
            return f"{loss.name} needs {need.sentence}: those of {task.name} have none"
        return f"{loss.name} needs {need.sentence}, {energy.name} is none as it is set{_remedy(energy, need)}"
    return ""


def _remedy(energy: EnergyUnit, need: Need) -> str:
    rule = energy.traits.nonnegative
    if need is Need.NONNEGATIVE and isinstance(rule, Mapping):
        return ": " + " or ".join(f"--{name} {value}" for name, values in rule.items() for value in values)
    return ""


def _no_margin(asked: _Asked) -> str:
    """Loss-augmented negatives require a loss with a margin."""
    loss = asked.units.loss
    augmented = Need.AUGMENTED in asked.units.negatives_offer
    if loss.traits.needs_negatives and augmented and "margin" not in loss.parameters:
        plain = asked.units.task.traits.samplers[Need.NEGATIVES]
        return f"{asked.units.sampler.name} seeks the answer that violates a margin, {loss.name} has none: use {plain}"
    return ""


def _unbounded_below(asked: _Asked) -> str:
    """A loss that only samples of the model bound from below has neither these nor its penalty."""
    loss, penalty = asked.units.loss, asked.units.loss.traits.penalty
    if penalty and Need.MODEL not in asked.units.negatives_offer and asked.config[penalty] == 0:
        better = _that_give(asked.units.task, Need.MODEL) or "another loss"
        return f"{loss.name} is unbounded below with {asked.units.sampler.name}: use {better}, or {penalty} above 0"
    return ""


# --- what is said of one that runs -----------------------------------------------------------------------------------


def _ignored(asked: _Asked) -> str:
    if not asked.units.loss.traits.needs_negatives and asked.units.sampler.traits.gives[asked.units.answers]:
        return f"{asked.units.loss.name} needs no negatives: those of {asked.units.sampler.name} are ignored"
    return ""


def _penalised(asked: _Asked) -> str:
    loss, sampler = asked.units.loss, asked.units.sampler
    if loss.traits.penalty and not asked.units.negatives_offer & {Need.MODEL, Need.ADVERSARIAL}:
        penalty = loss.traits.penalty
        return f"{loss.name} wants samples of the model: with {sampler.name} only {penalty} bounds it below"
    return ""


def _unwanted(asked: _Asked) -> str:
    """A want of the loss is left open."""
    four = asked.units
    for want in sorted(four.loss.traits.wants & WARNINGS.keys() - four.offers(asked.config)):
        if want is Need.INDEPENDENT and Need.HARDEST in four.negatives_offer:
            return f"with the most offending answer alone {four.loss.name} is the log loss"
        better = _that_give(four.task, want) or "other losses"
        names = {"loss": four.loss.name, "sampler": four.sampler.name, "energy": four.energy.name}
        return WARNINGS[want].format(better=better, **names)
    return ""


def _approximate(asked: _Asked) -> str:
    """The search of the sampler is not exact with the setting of the energy."""
    sampler = asked.units.sampler
    searches = sampler.traits.needs & {Need.BEST_DIFFERENT, Need.N_BEST}
    if Need.NEGATIVES in asked.units.loss.traits.needs and searches:
        for name, value in asked.units.energy.traits.only.get(Need.MINIMUM, {}).items():
            if asked.config[name] != value:
                return f"{sampler.name} is exact with --set {name}={value} alone, here it looks at a few answers"
    return ""


def _distance(asked: _Asked) -> str:
    """The margin grows with a distance that the negatives do not look at."""
    grows = asked.config.get("margin_distance", CONSTANT) != CONSTANT
    if grows and not asked.units.negatives_offer & {Need.AUGMENTED, Need.ALL}:
        better = _that_give(asked.units.task, Need.AUGMENTED)
        sampler = asked.units.sampler.name
        return f"the margin grows with the distance, but {sampler} does not look at it: see {better}"
    return ""
