"""The decorators that register a unit.

The name comes from the function, the hyperparameters with their defaults and ranges from its signature, the formula
from the first line of its docstring. What a decorator is told in words is checked there and then: a unit with a wrong
word is never registered.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Literal, Protocol, TypeVar, get_args, get_type_hints

from ebmcli.core import registry
from ebmcli.core.docstrings import documented
from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.margins import Margin
from ebmcli.core.needs import Answers, Need, Source
from ebmcli.core.needs import answers as kind_of_answer
from ebmcli.core.needs import needs as named_needs
from ebmcli.core.parameters import parameters_of
from ebmcli.core.types import Cost
from ebmcli.core.units import (
    ESTIMATES,
    KINDS,
    Column,
    EnergyTraits,
    EnergyUnit,
    Gives,
    Kind,
    LossTraits,
    LossUnit,
    Measure,
    SamplerTraits,
    TaskTraits,
    Unit,
)

OF_A_LOSS: tuple[Source, ...] = ("negatives", "energy", "answers")  # whose gifts a loss may ask for
FIELDS = tuple(field.name for field in fields(Column) if field.name != "name")  # with which a measure is described
BETTER = get_args(get_type_hints(Column)["better"])
RESERVED = {*KINDS, *KINDS.values(), "seed", "seeds", "budget"}  # and the settings of training: no hyperparameters
OF_AN_ENERGY: tuple[Source, ...] = ("energy", "computation")

Function = TypeVar("Function", bound=Callable[..., Any])


class Decorator(Protocol):
    """Registers a function and returns it as it is."""

    def __call__(self, function: Function, /) -> Function:
        """Register the function."""


def loss(
    needs: str = "negatives",
    *,
    promised: str,
    flat: str = "",
    wants: str = "",
    penalty: str = "",
    estimates: str = "",
    evaluations: int = 1,
    gradients: int = 0,
    also: str = "",
    reference: str = "",
    version: int = 1,
) -> Decorator:
    """Register a loss: a function of one example's Energies, or of a View, that returns a scalar.

    Args:
        needs: What it cannot do without, in words of `core.needs.Need` separated by blanks. With `view` it is a
            function of a View.
        promised: The margin of the formula: `none`, `0`, `m`, `m, absolute`, `infinite`, or `-` where margins do not
            apply.
        flat: Its value where every answer has the same energy F, as a formula of F, m, beta, K negatives, |Y| answers
            and its hyperparameters: `ln(1 + K)`, `m^2/2 at F = m/2`, `m, where 0 <= F <= m`, `0.5 (rate = 1)`.
        wants: What it is warned about when it is missing.
        penalty: The hyperparameter that bounds it below where negatives are no samples of the model.
        estimates: Where its optimum lies: `density` for F = -log p / beta of the data's density p, `nothing` for
            anything else. Without it, `density` where it asks for `log_q`, `independent` or `smooth`, or compares no
            answers but samples of the model.
        evaluations: Of the energy, an example, besides those of the negatives.
        gradients: Of these evaluations, the number that is differentiated in y.
        also: What others call it, separated by blanks; who says so is told its name.
        reference: The source.
        version: One more whenever the figures of the loss change.

    Raises:
        UsageError: A word is wrong.
    """

    def traits(name: str) -> LossTraits:
        needed = named_needs(needs, name, *OF_A_LOSS)
        wanted = named_needs(wants, name, *OF_A_LOSS)
        if estimates and estimates not in ESTIMATES:
            raise UsageError(f"{name}: {unknown('word for estimates', estimates, ESTIMATES)}")
        cost = Cost(evaluations, gradients)
        return LossTraits(needed, wanted, Margin.parse(promised, name), flat, penalty, cost, estimates)

    def check(unit: LossUnit) -> None:
        _has(unit, [penalty] if penalty else [], "penalty")
        _has(unit, ["margin"] if isinstance(unit.traits.promised.bound, str) else [], "promised=m")

    return _registered("loss", traits, check, also, reference, version)


def sampler(
    *,
    needs: str = "",
    costly: str = "",
    conditional: bool = False,
    defaults: Mapping[str, Any] | None = None,
    cost: Callable[..., Cost] | None = None,
    impossible: Callable[[Mapping[str, Any]], str] = lambda config: "",
    also: str = "",
    reference: str = "",
    version: int = 1,
    **gives: str,
) -> Decorator:
    """Register a sampler: (SamplerContext, **hyperparameters) -> Sampler.

    Args:
        needs: What the energy must compute, in words of `core.needs.Need` separated by blanks.
        costly: What it gives, but only to programs whose losses ask for it.
        conditional: Whether it makes no sense without an x.
        defaults: Of hyperparameters of other units, beside this sampler.
        cost: (BatchShape, **hyperparameters that shape the program) -> the Cost of a training step. Without it runs
            have no count of energy evaluations, and `--budget` refuses the sampler.
        also: What others call it, separated by blanks; who says so is told its name.
        impossible: (hyperparameters) -> why there are no negatives with them, or nothing.
        reference: The source.
        version: One more whenever the figures of the sampler change.
        **gives: By kind of answer (`continuous`, `finite`, `sequence`), what it offers to a loss. A kind that is
            left out is refused.

    Raises:
        UsageError: A word is wrong.
    """

    def traits(name: str) -> SamplerTraits:
        needed = named_needs(needs, name, "computation")
        dear = named_needs(costly, name, "negatives")
        return SamplerTraits(
            _gives(gives, name, "negatives"), needed, dear, conditional, defaults or {}, cost, impossible
        )

    return _registered("sampler", traits, lambda unit: None, also, reference, version)


def energy(
    *,
    nonnegative: Mapping[str, str] | bool = False,
    follows: Mapping[str, Mapping[str, str]] | None = None,
    only: Mapping[str, Mapping[str, str]] | None = None,
    conditional: bool = False,
    question: str = "",
    defaults: Mapping[str, Any] | None = None,
    seconds: tuple[float, float] = (1e-6, 0.0),
    also: str = "",
    reference: str = "",
    version: int = 1,
    **gives: str,
) -> Decorator:
    """Register an energy: (Space, **hyperparameters) -> Energy.

    Args:
        nonnegative: Whether F >= 0, or the values of hyperparameters at which it is, `{"head": "softplus square"}`.
        follows: Defaults of hyperparameters that depend on a need of the loss, `{name: {need: value}}`.
        only: Needs of a loss or sampler that it serves at some settings alone, `{need: {name: value}}`.
        conditional: Whether it scores nothing without an x.
        question: The only kind of x that it can score, as a task names it; nothing where it takes any array.
        defaults: Of settings of training, in place of the task's.
        seconds: Roughly, of an evaluation and of what is made of an x whatever the answers, on one core.
        also: What others call it, separated by blanks; who says so is told its name.
        reference: The source.
        version: One more whenever the figures of the energy change.
        **gives: By kind of answer (`continuous`, `finite`, `sequence`), what it computes exactly. A kind that is left
            out is refused.

    Raises:
        UsageError: A word is wrong.
    """

    def traits(name: str) -> EnergyTraits:
        rule = nonnegative if isinstance(nonnegative, bool) else {k: tuple(v.split()) for k, v in nonnegative.items()}
        following = {
            key: {_need(word, name): value for word, value in by.items()} for key, by in (follows or {}).items()
        }
        served = {_need(word, name): settings for word, settings in (only or {}).items()}
        offers = _gives(gives, name, *OF_AN_ENERGY)
        return EnergyTraits(offers, rule, following, served, conditional, question, defaults or {}, seconds)

    def check(unit: EnergyUnit) -> None:
        traits = unit.traits
        rule = {} if isinstance(traits.nonnegative, bool) else traits.nonnegative
        _can_have(unit, [(name, value) for name, values in rule.items() for value in values], "nonnegative")
        _can_have(unit, [(name, value) for name, by in traits.follows.items() for value in by.values()], "follows")
        _can_have(unit, [pair for settings in traits.only.values() for pair in settings.items()], "only")

    return _registered("energy", traits, check, also, reference, version)


def task(
    *,
    answers: str,
    energy: str,
    samplers: Mapping[str, str],
    defaults: Mapping[str, Any],
    measures: str,
    conditional: bool = False,
    question: str = "",
    smooth: bool = True,
    file: bool = False,
    default: bool = False,
    impossible: Callable[[Mapping[str, Any]], str] = lambda config: "",
    also: str = "",
    reference: str = "",
    version: int = 1,
) -> Decorator:
    """Register a task: (**hyperparameters) -> Task, with the defaults that make one flag enough.

    Args:
        answers: `continuous`, `finite` or `sequence`.
        energy: The default energy.
        samplers: The default negatives by what a loss needs or wants, the most particular first; "" where it needs
            none.
        defaults: Of settings of training and of the sampler.
        measures: Names of the key measures, which a report shows, separated by blanks.
        conditional: Whether answers belong to an x.
        question: The kind of x, where that is no plain array.
        smooth: Whether the data have a smooth density.
        file: Whether it takes the path of a file as leading argument, and a hyperparameter `data`, the digest of its
            content.
        default: Whether it is the task of a command that names none.
        impossible: (hyperparameters) -> why they do not go together, or nothing.
        also: What others call it, separated by blanks; who says so is told its name.
        reference: The source.
        version: One more whenever the figures of the task change.

    Raises:
        UsageError: A word is wrong.
    """

    def traits(name: str) -> TaskTraits:
        usual: dict[Need | Literal[""], str] = {
            _need(word, name) if word else "": chosen for word, chosen in samplers.items()
        }
        if "" not in usual:
            raise UsageError(
                f'{name}: samplers does not say which negatives a loss gets that needs none, as {{"": ...}}'
            )
        kind, named = kind_of_answer(answers, name), tuple(measures.split())
        return TaskTraits(
            kind, conditional, question, smooth, energy, usual, defaults, named, file, default, impossible
        )

    return _registered("task", traits, lambda unit: None, also, reference, version)


def measure(*columns: Column, when: Callable[[Any], bool] = lambda e: True, **single: Any) -> Decorator:
    """Register a measure: a function of an evaluation, whose type its annotation names, that returns a number or None.

    A measure of one column is described by the fields of `Column`, its name being that of the function:
    `@measure(heading="kl", better="lower", accuracy=True, note="...")`. One that fills several columns names them,
    and returns a mapping. Several evaluations may have a measure of one name: the column is described once.

    Args:
        when: (evaluation) -> whether there is a figure at all.

    Raises:
        UsageError: A word is wrong, or the argument of the function has no annotation.
    """

    def decorate(function: Function) -> Function:
        name = documented(function).__name__
        for word in single:
            if word not in FIELDS:
                raise UsageError(f"measure {name}: {unknown('field', word, FIELDS)}")
        filled = columns or (Column(name, **single),)
        for described in filled:
            if described.better not in BETTER:
                raise UsageError(f"measure {name}: {unknown('word for better', described.better, map(repr, BETTER))}")
        hints = {argument: kind for argument, kind in get_type_hints(function).items() if argument != "return"}
        if not hints:
            raise UsageError(f"measure {name}: annotate its argument with the evaluation that it looks at")
        of = next(iter(hints.values()))
        registry.add_measure(Measure(function, get_args(of) or (of,), filled, when))
        return function

    return decorate


def column(described: Column) -> None:
    """Register a column that no measure fills, but the training itself."""
    registry.add_measure(Measure(None, (), (described,), lambda e: False))


def _registered(
    kind: Kind,
    traits: Callable[[str], Any],
    check: Callable[[Any], None],
    also: str,
    reference: str,
    version: int,
) -> Decorator:
    """A decorator that makes a unit of a function. traits: what it declares, by the unit's name in messages."""

    def decorate(function: Function) -> Function:
        name = function.__name__.strip("_").replace("_", "-")
        formula = (documented(function).__doc__ or "").strip().partition("\n")[0].strip()
        if not formula:
            raise UsageError(f"{kind} {name} has no docstring: its first line is the formula that users read")
        declared = traits(f"{kind} {name}")
        parameters = parameters_of(function)
        try:
            for parameter in parameters.values():
                parameter.check()
                if parameter.name in RESERVED:
                    raise UsageError(f"{parameter.name} is a setting of every run: call the hyperparameter otherwise")
        except UsageError as error:
            raise UsageError(f"{kind} {name}: {error}") from None
        unit = Unit(kind, name, function, formula, reference, parameters, declared, version, tuple(also.split()))
        check(unit)
        registry.add(unit)
        return function

    return decorate


def _need(word: str, unit: str) -> Need:
    (need,) = named_needs([word], unit, *OF_A_LOSS, "computation")
    return need


def _gives(gives: Mapping[str, str], unit: str, *sources: Source) -> Gives:
    given = {}
    for kind, words in gives.items():
        if kind not in list(Answers):
            raise UsageError(f"{unit}: {unknown('argument or kind of answer', kind, Answers)}")
        if not isinstance(words, str):
            raise UsageError(f"{unit}: {kind}={words!r}: name needs in a string, separated by blanks")
        given[Answers(kind)] = named_needs(words, unit, *sources)
    return given


def _has(unit: Unit[Any], names: Iterable[str], argument: str) -> None:
    """Raise UsageError where a unit speaks of a hyperparameter that it does not have."""
    for name in names:
        if name not in unit.parameters:
            near = unknown("hyperparameter", name, list(unit.parameters) or ["none"])
            raise UsageError(f"{unit.kind} {unit.name}: {argument}: {near}")


def _can_have(unit: Unit[Any], settings: Iterable[tuple[str, Any]], argument: str) -> None:
    """Raise UsageError where a unit speaks of a hyperparameter or of a value that it does not have."""
    for name, value in settings:
        _has(unit, [name], argument)
        try:
            unit.parameters[name].validate(value)
        except UsageError as error:
            raise UsageError(f"{unit.kind} {unit.name}: {argument}: {error}") from None
