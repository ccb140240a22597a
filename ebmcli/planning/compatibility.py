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


class _Choice(NamedTuple):
    """A combination of units with its configuration, to be judged."""

    units: Combination
    config: Mapping[str, Any]


def judge(units: Combination, config: Mapping[str, Any]) -> Judgement:
    """Judge one configuration of these units."""
    choice = _Choice(units, config)
    for rule in (_mismatch, _wrong_setting, _unmet, _no_margin, _unbounded_below):
        if reason := rule(choice):
            return Judgement("refuse", reason)
    for rule in (_ignored, _penalised, _unwanted, _approximate, _distance):
        if reason := rule(choice):
            return Judgement("warn", reason)
    return Judgement("run")


def _that_give(task: TaskUnit, need: Need) -> str:
    """The samplers that give it, or of many the one that suits the task; for a reason."""
    names = [unit.name for unit in units("sampler").values() if need in unit.traits.offers(task.traits.answers)]
    fitting = task.traits.samplers.get(need)
    return " or ".join(names) if len(names) < 4 or not fitting else f"{fitting} or another that does"


# --- why a cell is refused -------------------------------------------------------------------------------------------


def _mismatch(choice: _Choice) -> str:
    """These units cannot work together whatever the loss."""
    task, sampler, energy = choice.units.task, choice.units.sampler, choice.units.energy
    if reason := task.traits.impossible(choice.config):
        return reason
    kind = task.traits.answers
    if kind not in energy.traits.gives:
        return f"{energy.name} does not score {kind.plural}, the answers of {task.name}"
    if energy.traits.conditional and not task.traits.conditional:
        return f"{energy.name} compares an answer with a question x: {task.name} has none"
    if energy.traits.question not in ("", task.traits.question):
        expected = f"{task.traits.question}s" if task.traits.question else "arrays"
        return f"{energy.name} scores {energy.traits.question}s, the questions of {task.name} are {expected}"
    if task.traits.question and not energy.traits.question:
        return f"{energy.name} does not score {task.traits.question}s, the questions of {task.name}"
    if kind not in sampler.traits.gives:
        return f"{sampler.name} does not draw {kind.plural}, the answers of {task.name}"
    if sampler.traits.conditional and not task.traits.conditional:
        return f"{sampler.name} draws the data of {task.name} themselves: without an x a flat energy is its optimum"
    if reason := sampler.traits.impossible(choice.config):
        return f"{sampler.name} draws no negatives: {reason}"
    missing = sampler.traits.needs - energy.traits.gives[kind]
    if missing and kind is Answers.SEQUENCE:  # the others are searched by evaluating the energy
        return f"{sampler.name} needs {min(missing).sentence}, which {energy.name} does not compute"
    return ""


def _wrong_setting(choice: _Choice) -> str:
    """The energy can provide this, but only with a different setting."""
    loss, sampler, energy = choice.units.loss, choice.units.sampler, choice.units.energy
    only = energy.traits.only
    for need in sorted((loss.traits.needs | sampler.traits.needs) & only.keys()):
        for name, value in only[need].items():
            if choice.config[name] != value:
                who = loss if need in loss.traits.needs else sampler
                return f"{who.name} needs {need.sentence}, {energy.name} has it with --set {name}={value} alone"
    return ""


def _unmet(choice: _Choice) -> str:
    """A need of the loss is left open."""
    task, loss, sampler, energy = choice.units.task, choice.units.loss, choice.units.sampler, choice.units.energy
    for need in sorted(loss.traits.needs - choice.units.offers(choice.config)):
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


def _no_margin(choice: _Choice) -> str:
    """Loss-augmented negatives require a loss with a margin."""
    loss = choice.units.loss
    augmented = Need.AUGMENTED in choice.units.negatives_offer
    if loss.traits.needs_negatives and augmented and "margin" not in loss.parameters:
        plain = choice.units.task.traits.samplers[Need.NEGATIVES]
        return f"{choice.units.sampler.name} seeks the answer that violates a margin, {loss.name} has none: use {plain}"
    return ""


def _unbounded_below(choice: _Choice) -> str:
    """A loss that only samples of the model bound from below has neither these nor its penalty."""
    loss, penalty = choice.units.loss, choice.units.loss.traits.penalty
    if penalty and Need.MODEL not in choice.units.negatives_offer and choice.config[penalty] == 0:
        better = _that_give(choice.units.task, Need.MODEL) or "another loss"
        return f"{loss.name} is unbounded below with {choice.units.sampler.name}: use {better}, or {penalty} above 0"
    return ""


# --- what is said of one that runs -----------------------------------------------------------------------------------


def _ignored(choice: _Choice) -> str:
    if not choice.units.loss.traits.needs_negatives and choice.units.sampler.traits.gives[choice.units.answers]:
        return f"{choice.units.loss.name} needs no negatives: those of {choice.units.sampler.name} are ignored"
    return ""


def _penalised(choice: _Choice) -> str:
    loss, sampler = choice.units.loss, choice.units.sampler
    if loss.traits.penalty and not choice.units.negatives_offer & {Need.MODEL, Need.ADVERSARIAL}:
        penalty = loss.traits.penalty
        return f"{loss.name} wants samples of the model: with {sampler.name} only {penalty} bounds it below"
    return ""


def _unwanted(choice: _Choice) -> str:
    """A want of the loss is left open."""
    four = choice.units
    for want in sorted(four.loss.traits.wants & WARNINGS.keys() - four.offers(choice.config)):
        if want is Need.INDEPENDENT and Need.HARDEST in four.negatives_offer:
            return f"with the most offending answer alone {four.loss.name} is the log loss"
        better = _that_give(four.task, want) or "other losses"
        names = {"loss": four.loss.name, "sampler": four.sampler.name, "energy": four.energy.name}
        return WARNINGS[want].format(better=better, **names)
    return ""


def _approximate(choice: _Choice) -> str:
    """The search of the sampler is not exact with the setting of the energy."""
    sampler = choice.units.sampler
    searches = sampler.traits.needs & {Need.BEST_DIFFERENT, Need.N_BEST}
    if Need.NEGATIVES in choice.units.loss.traits.needs and searches:
        for name, value in choice.units.energy.traits.only.get(Need.MINIMUM, {}).items():
            if choice.config[name] != value:
                return f"{sampler.name} is exact with --set {name}={value} alone, here it looks at a few answers"
    return ""


def _distance(choice: _Choice) -> str:
    """The margin grows with a distance that the negatives do not look at."""
    grows = choice.config.get("margin_distance", CONSTANT) != CONSTANT
    if grows and not choice.units.negatives_offer & {Need.AUGMENTED, Need.ALL}:
        better = _that_give(choice.units.task, Need.AUGMENTED)
        sampler = choice.units.sampler.name
        return f"the margin grows with the distance, but {sampler} does not look at it: see {better}"
    return ""
