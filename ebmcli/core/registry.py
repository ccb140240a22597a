"""The registry: every loss, sampler, energy and task, with what it declares about itself.

A decorator fills a plain dict. The name comes from the function, the hyperparameters with their defaults and
ranges from its signature, the formula from the first line of its docstring.
"""

import hashlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Le

from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.types import Repeat, Traced

EVERY = "all"  # in place of the value of a hyperparameter that repeats: every one that it can have
KINDS = {"loss": "losses", "sampler": "samplers", "energy": "energies", "task": "tasks"}


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter: its default and the annotation that bounds it."""

    name: str
    default: Any
    annotation: Any

    @property
    def type(self) -> type:
        """float, int, or str for a choice of names."""
        if get_origin(self.annotation) is Literal:
            return str
        return get_args(self.annotation)[0] if get_origin(self.annotation) is Annotated else self.annotation

    @property
    def traced(self) -> bool:
        """Whether it travels as an array (so that a new value compiles nothing) or is part of the program."""
        return self.type is float or Traced in getattr(self.annotation, "__metadata__", ())

    @property
    def repeats(self) -> bool:
        """Whether runs that differ in it alone repeat one another, as those of several seeds do."""
        return Repeat in getattr(self.annotation, "__metadata__", ())

    @property
    def every(self) -> range:
        """All values of a hyperparameter that repeats."""
        low, high = ([one for one in self.annotation.__metadata__ if isinstance(one, kind)] for kind in (Ge, Le))
        return range(low[0].ge, high[0].le + 1)  # type: ignore


@dataclass(frozen=True)
class Unit:
    """One entry of the registry. Fields beyond the first six belong to the kinds named beside them."""

    kind: str
    name: str
    function: Callable[..., Any]
    formula: str  # or the definition, in one line
    reference: str
    parameters: Mapping[str, Parameter]
    needs: frozenset[str] = frozenset()  # loss: of negatives and energy; sampler: of the energy
    wants: frozenset[str] = frozenset()  # loss: without these it runs, with a warning
    penalty: str = ""  # loss: the hyperparameter that bounds it below where negatives are no samples of the model
    evaluations: int = 1  # loss: of the energy, an example, besides those of its negatives
    gradients: int = 0  # loss: of these, how many are differentiated in y
    gives: Mapping[str, frozenset[str]] = field(default_factory=dict)  # sampler, energy: by kind of answer
    costly: frozenset[str] = frozenset()  # sampler: needs that a program computes only if its losses ask
    nonnegative: Mapping[str, tuple[str, ...]] | bool = False  # energy: F >= 0, always or at these hyperparameters
    follows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # energy: default by need of the loss
    only: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # energy: setting at which it serves a need
    conditional: bool = False  # sampler, energy: needs an x; task: has one
    smooth: bool = True  # task: its data have a smooth density
    promised: str = ""  # loss: margin that the formula promises
    flat: str = ""  # loss: its value where every answer has the same energy F
    answers: str = ""  # task: continuous | finite | sequence
    energy: str = ""  # task: default energy
    samplers: Mapping[str, str] = field(default_factory=dict)  # task: default sampler by what a loss needs or wants
    defaults: Mapping[str, Any] = field(default_factory=dict)  # task, sampler, energy: of other units' hyperparameters
    file: bool = False  # task: it is of a file, and named with it, as in points:FILE.csv
    measures: tuple[str, ...] = ()  # task: the key measures of accuracy, that a report shows
    impossible: Callable[[Mapping[str, Any]], str] = lambda config: ""  # task: why it has no such data, or nothing

    def build(self, values: Mapping[str, Any], *leading: Any) -> Any:
        """Call the unit with its arguments picked from `values`; what is missing has its default.

        An argument without a default is a setting of the run that the unit wants to know, as an energy may want beta.
        A unit without arguments, as most tasks of the plane are, is built once: what it knows of itself takes a while.
        """
        names = inspect.signature(self.function).parameters
        if not names:
            return _only(self.function)
        return self.function(*leading, **{name: values[name] for name in names if name in values})

    def offers(self, answers: str, config: Mapping[str, Any]) -> frozenset[str]:
        """What a sampler or an energy of this configuration gives for such answers; nothing where it has none."""
        given = self.gives.get(answers, frozenset())
        rule = self.nonnegative
        holds = rule if isinstance(rule, bool) else all(config[name] in values for name, values in rule.items())
        return given | {"nonnegative"} if holds else given


@cache
def _only(function: Callable[[], Any]) -> Any:
    return function()


_units: dict[str, dict[str, Unit]] = {kind: {} for kind in KINDS}
_loaded = False


def parameters_of(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The hyperparameters of a unit: those arguments that have a default."""
    return {
        p.name: Parameter(p.name, p.default, p.annotation)
        for p in inspect.signature(function, eval_str=True).parameters.values()
        if p.default is not inspect.Parameter.empty
    }


def _register(kind: str, **traits: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__.strip("_").replace("_", "-")
        formula = (function.__doc__ or "").strip().partition("\n")[0].strip()
        if not formula:
            raise UsageError(f"{kind} {name} has no docstring: its first line is the formula that users read")
        if name in _units[kind] and _units[kind][name].function.__module__ != function.__module__:
            raise UsageError(f"{kind} {name} is already registered by {_units[kind][name].function.__module__}")
        _units[kind][name] = Unit(kind, name, function, formula, parameters=parameters_of(function), **traits)
        return function

    return decorate


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


def loss(
    needs: str = "negatives",
    *,
    promised: str,
    flat: str = "",
    wants: str = "",
    penalty: str = "",
    evaluations: int = 1,
    gradients: int = 0,
    reference: str = "",
) -> Callable:
    """Register a loss: a function of one example's Energies that returns a scalar.

    needs: what it cannot do without, separated by blanks: fields beyond `positive` (`negatives`, `partition` for
    `free`, `minimum`, `log_q`), `probability` (of single answers), `nonnegative` energies, `reconstruct`; or `view`,
    and it is a function of a View. wants: what it is warned about when missing (validity.WARNINGS). promised: the
    margin of the formula: `none`, `0`, `m`, `m, absolute`, `infinite`, or `-` where margins do not apply. flat: its
    value where every answer has the same energy F. evaluations, gradients: of the energy, an example, besides those of
    the negatives.
    """
    counts = {"evaluations": evaluations, "gradients": gradients}
    traits = {"needs": _set(needs), "wants": _set(wants), "penalty": penalty, **counts}
    return _register("loss", promised=promised, flat=flat, reference=reference, **traits)


def sampler(
    *,
    needs: str = "",
    costly: str = "",
    conditional: bool = False,
    defaults: Mapping[str, Any] | None = None,
    reference: str = "",
    **gives: str,
) -> Callable:
    """Register a sampler: (Setting, **hyperparameters) -> Sampler.

    gives: by kind of answer (`continuous=`, `finite=`, `sequence=`), what it offers to a loss; a kind left out is
    refused. conditional: it makes no sense without an x. defaults: of hyperparameters of other units beside it.
    """
    offers = {answers: _set(names) for answers, names in gives.items()}
    traits = {"needs": _set(needs), "costly": _set(costly), "conditional": conditional, "defaults": defaults or {}}
    return _register("sampler", gives=offers, reference=reference, **traits)


def energy(
    *,
    nonnegative: Mapping[str, str] | bool = False,
    follows: Mapping[str, Mapping[str, str]] | None = None,
    only: Mapping[str, Mapping[str, str]] | None = None,
    conditional: bool = False,
    defaults: Mapping[str, Any] | None = None,
    reference: str = "",
    **gives: str,
) -> Callable:
    """Register an energy: (Space, **hyperparameters) -> Energy.

    gives: what it computes exactly, by kind of answer. nonnegative: whether F >= 0, or the values of hyperparameters at
    which it is. follows: the defaults of hyperparameters that depend on what a loss needs or wants, {name: {need:
    value}}. only: what a loss or sampler needs and it serves at some settings alone, {need: {name: value}}.
    conditional: it scores nothing without an x. defaults: of training, in place of the task's.
    """
    rule = (
        nonnegative if isinstance(nonnegative, bool) else {name: tuple(at.split()) for name, at in nonnegative.items()}
    )
    offers = {kind: _set(names) for kind, names in gives.items()}
    traits: dict[str, Any] = {"gives": offers, "conditional": conditional, "defaults": defaults or {}}
    follow = {"follows": follows or {}, "only": only or {}}
    return _register("energy", nonnegative=rule, reference=reference, **traits, **follow)


def task(
    *,
    answers: str,
    energy: str,
    samplers: Mapping[str, str],
    defaults: Mapping[str, Any],
    measures: str,
    conditional: bool = False,
    smooth: bool = True,
    file: bool = False,
    impossible: Callable[[Mapping[str, Any]], str] = lambda config: "",
    reference: str = "",
) -> Callable:
    """Register a task: (**hyperparameters) -> Task, with the defaults that make one flag enough.

    samplers: the default negatives by what a loss needs or wants, the most particular first; "" where it needs none.
    conditional: whether answers belong to an x. smooth: whether the data have a smooth density. file: whether it takes
    the path of a file as leading argument, and a hyperparameter `data`, the digest of what stands in it. impossible: of
    its hyperparameters, why they do not go together, or nothing.
    """
    traits: dict[str, Any] = {"answers": answers, "energy": energy, "samplers": samplers, "defaults": defaults}
    traits |= {"conditional": conditional, "smooth": smooth, "file": file, "impossible": impossible}
    return _register("task", reference=reference, measures=tuple(measures.split()), **traits)


def units(kind: str) -> dict[str, Unit]:
    """All units of a kind by name, in the order in which their files and lines stand."""
    _load()
    return _units[kind]


def repeated(task: str) -> frozenset[str]:
    """What tells the runs of one row apart: the seed, and of some tasks the part of the data that was held out."""
    unit = units("task").get(task)
    return frozenset({"seed"} | {one.name for one in unit.parameters.values() if one.repeats} if unit else {"seed"})


def find(kind: str, name: str) -> Unit:
    """The unit of that name, or a UsageError that suggests one. A task of a file is named with it: points:FILE.csv."""
    known = units(kind)
    plain, colon, file = name.partition(":")
    if plain not in known or (colon and not known[plain].file):
        raise unknown(kind, name, known)
    unit = known[plain]
    if not unit.file:
        return unit
    if not file:
        raise UsageError(f"{kind} {plain}: of which file? Name it, as in {plain}:FILE.csv")
    defaults = {**unit.defaults, "data": digest(file)}
    return replace(unit, name=name, function=partial(unit.function, file), defaults=defaults)


def known(kind: str, name: str) -> Unit | None:
    """The unit that a result speaks of, or None where it is registered no more; the file of a task is not looked at."""
    return units(kind).get(name.partition(":")[0])


@lru_cache
def digest(file: str) -> str:
    """12 hexadecimal digits of the SHA-256 of a file, or nothing where it cannot be read."""
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12]
    except OSError:
        return ""


def _load() -> None:
    global _loaded
    if _loaded:
        return
    _loaded = True
    for package in KINDS.values():
        for module in pkgutil.iter_modules(import_module(f"ebmcli.{package}").__path__):
            import_module(f"ebmcli.{package}.{module.name}")
    for plugin in metadata.entry_points(group="ebmcli.plugins"):
        try:
            plugin.load()
        except Exception as error:  # a stranger's code: whatever it raises, the laboratory goes on
            print(f"plugin {plugin.name} is skipped: {type(error).__name__}: {error}", file=sys.stderr)
