"""Units, as they are registered, with the traits that each kind declares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Literal, TypeVar

from ebmcli.core.margins import Margin
from ebmcli.core.needs import Answers, Need, Needs
from ebmcli.core.parameters import Parameter, arguments_for
from ebmcli.core.types import Cost

Kind = Literal["loss", "sampler", "energy", "task"]
KINDS: dict[Kind, str] = {"loss": "losses", "sampler": "samplers", "energy": "energies", "task": "tasks"}

Gives = Mapping[Answers, Needs]

DENSITY = "density"
ESTIMATES = (DENSITY, "nothing")  # what a loss may say of its optimum


@dataclass(frozen=True)
class LossTraits:
    """The declarations of a loss."""

    needs: Needs  # of negatives, energy and answers
    wants: Needs  # without these it runs, with a warning
    promised: Margin
    flat: str  # its value where every answer has the same energy F
    penalty: str  # the hyperparameter that bounds it below where negatives are no samples of the model, or nothing
    cost: Cost  # of an example, besides the energies of its negatives
    estimates: str = ""  # where its optimum lies: `density`, `nothing`, or as its needs say

    @property
    def density(self) -> bool:
        """True if its optimum is -log p / beta of the data's density p.

        Who knows q, or a smooth density, can mean nothing else, nor can who compares nothing but samples of the model.
        """
        if self.estimates:
            return self.estimates == DENSITY
        known = {Need.LOG_Q, Need.INDEPENDENT, Need.SMOOTH} | (set() if self.promised.applies else {Need.MODEL})
        return bool(known & (self.needs | self.wants))

    @property
    def estimated(self) -> str:
        """A word for what the optimum of the loss tells; nothing where that is no density."""
        return DENSITY if self.density else ""

    @property
    def needs_negatives(self) -> bool:
        """True if the loss looks at what a sampler brings."""
        return any(need.source == "negatives" for need in self.needs)


@dataclass(frozen=True)
class SamplerTraits:
    """The declarations of a sampler."""

    gives: Gives  # to a loss, by kind of answer; a kind that is missing is refused
    needs: Needs  # of the energy
    costly: Needs  # given, but computed only in programs whose losses ask for it
    conditional: bool  # makes no sense without an x
    defaults: Mapping[str, Any]  # of other units' hyperparameters, beside this sampler
    cost: Callable[..., Cost] | None  # (BatchShape, **static hyperparameters) -> Cost of a training step
    impossible: Callable[[Mapping[str, Any]], str]  # (config) -> why there are no negatives, or nothing

    def offers(self, answers: Answers) -> Needs:
        """The gifts of the negatives to a loss, for such answers."""
        return self.gives.get(answers, frozenset())


@dataclass(frozen=True)
class EnergyTraits:
    """The declarations of an energy."""

    gives: Gives  # what it computes exactly, by kind of answer; a kind that is missing is refused
    nonnegative: bool | Mapping[str, tuple[str, ...]]  # F >= 0 always, never, or at these values of hyperparameters
    follows: Mapping[str, Mapping[Need, str]]  # default of a hyperparameter by a need of the loss
    only: Mapping[Need, Mapping[str, str]]  # the settings at which it serves a need
    conditional: bool  # scores nothing without an x
    question: str  # the only kind of x that it can score; nothing where it takes any array
    defaults: Mapping[str, Any]  # of settings of training, in place of the task's
    seconds: tuple[float, float]  # rough: of an evaluation, and of what is made of an x whatever the answers

    def offers(self, answers: Answers, config: Mapping[str, Any]) -> Needs:
        """The gifts of the energy to a loss or a sampler, for such answers and with these hyperparameters."""
        given, rule = self.gives.get(answers, frozenset()), self.nonnegative
        holds = rule if isinstance(rule, bool) else all(config[name] in values for name, values in rule.items())
        return given | {Need.NONNEGATIVE} if holds else given


@dataclass(frozen=True)
class TaskTraits:
    """The declarations of a task."""

    answers: Answers
    conditional: bool  # answers belong to an x
    question: str  # the kind of x, where that is no plain array: `word` or `strip`
    smooth: bool  # its data have a smooth density
    energy: str  # the default energy
    samplers: Mapping[Need | Literal[""], str]  # the default negatives by what a loss needs or wants
    defaults: Mapping[str, Any]  # of settings of training and of the sampler
    measures: tuple[str, ...]  # the key measures of accuracy, which a report shows
    file: bool  # it is of a file, and named with it, as in points:FILE.csv
    default: bool  # the task of a command that names none
    impossible: Callable[[Mapping[str, Any]], str]  # (config) -> why the task has no such data, or nothing

    @property
    def offers(self) -> Needs:
        """The gifts of the answers to a loss."""
        view = {Need.VIEW} if self.answers is Answers.CONTINUOUS else set()
        return frozenset(view | ({Need.SMOOTH} if self.smooth else set()))


Traits = TypeVar("Traits", LossTraits, SamplerTraits, EnergyTraits, TaskTraits)


@dataclass(frozen=True)
class Unit(Generic[Traits]):
    """A registered loss, sampler, energy or task."""

    kind: Kind
    name: str
    function: Callable[..., Any]
    formula: str  # or the definition, in one line
    reference: str
    parameters: Mapping[str, Parameter]
    traits: Traits
    version: int = 1  # rises when the figures of a unit change, so that old results of its name are told apart
    also: tuple[str, ...] = ()  # what others call it

    def build(self, values: Mapping[str, Any], *leading: Any) -> Any:
        """Call the unit with its arguments picked from `values`; what is missing has its default.

        An argument without a default is a setting of the run that the unit wants to know, as an energy may want beta.
        Units without arguments, like most tasks of the plane, are built once, because building their truth is slow.
        """
        if not leading and not self.parameters:
            return _built(self.function)
        return self.function(*leading, **arguments_for(self.function, values))


@cache
def _built(function: Callable[[], Any]) -> Any:
    return function()


LossUnit = Unit[LossTraits]
SamplerUnit = Unit[SamplerTraits]
EnergyUnit = Unit[EnergyTraits]
TaskUnit = Unit[TaskTraits]


@dataclass(frozen=True)
class Combination:
    """The four units of a run."""

    task: TaskUnit
    loss: LossUnit
    sampler: SamplerUnit
    energy: EnergyUnit

    @property
    def answers(self) -> Answers:
        """The kind of answer."""
        return self.task.traits.answers

    @property
    def negatives_offer(self) -> Needs:
        """The gifts of the negatives to the loss."""
        return self.sampler.traits.offers(self.answers)

    def offers(self, config: Mapping[str, Any]) -> Needs:
        """All that negatives, energy and answers give to the loss."""
        return self.negatives_offer | self.energy.traits.offers(self.answers, config) | self.task.traits.offers


@dataclass(frozen=True)
class Column:
    """A measure as a table shows it. A name that ends in `*` stands for all measures that begin so."""

    name: str  # its key in a record
    heading: str = ""
    better: Literal["lower", "higher", ""] = ""
    accuracy: bool = False  # it tells how good an energy is, or what can be reached on the task
    note: str = ""  # how to read it, one sentence
    digits: int = 3
    curve: bool = False  # `ebm show` prints it over the training

    @property
    def label(self) -> str:
        """Its heading, or its name without underscores."""
        return self.heading or self.name.replace("_", " ")


@dataclass(frozen=True)
class Measure:
    """A function of an evaluation, with the columns that it fills."""

    function: Callable[[Any], Any] | None  # None: the columns are filled by the training
    of: tuple[type, ...]  # the evaluations that it applies to
    columns: tuple[Column, ...]
    when: Callable[[Any], bool]  # of these evaluations, those for which there is a figure
