"""The registry: every loss, sampler, energy, task and measure, by name.

Modules fill it with the decorators of `core.decorators` when they are imported, which happens at the first look.
"""

import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any, Literal, cast, overload

from ebmcli.core import plugins
from ebmcli.core.copies import locate
from ebmcli.core.errors import UsageError, called, either, unknown
from ebmcli.core.files import digest
from ebmcli.core.shelves import put, taken_back
from ebmcli.core.units import (
    KINDS,
    Column,
    Combination,
    EnergyUnit,
    Kind,
    LossUnit,
    Measure,
    SamplerUnit,
    TaskTraits,
    TaskUnit,
    Unit,
)

# Where our own units are: whatever is imported of these packages, all their modules register what they hold.
PACKAGES = (*(f"ebmcli.{plural}" for plural in KINDS.values()), "ebmcli.metrics")

_units: dict[Kind, dict[str, Unit[Any]]] = {kind: {} for kind in KINDS}
_measures: list[Measure] = []
_columns: dict[str, Column] = {}
_loaded = False
_plugins = False


def add(unit: Unit[Any]) -> None:
    """Register a unit. Raises UsageError where another module has registered its name."""
    former = _units[unit.kind].get(unit.name)
    put(_units[unit.kind], unit.kind, unit.name, unit, unit.function, former.function if former else None)


def add_measure(measure: Measure) -> None:
    """Register a measure. Of several that fill one column, the first that describes it does."""
    _measures.append(measure)
    taken_back(partial(_measures.remove, measure))
    for column in measure.columns:
        described = _columns.get(column.name, Column(column.name))
        if described == Column(column.name):
            taken_back(partial(_describe, column.name, _columns.get(column.name)))
            _columns[column.name] = column


def _describe(name: str, column: Column | None) -> None:
    """Put a column back, or away."""
    if column:
        _columns[name] = column
    else:
        del _columns[name]


# --- looking up ------------------------------------------------------------------------------------------------------


@overload
def units(kind: Literal["loss"]) -> dict[str, LossUnit]: ...
@overload
def units(kind: Literal["sampler"]) -> dict[str, SamplerUnit]: ...
@overload
def units(kind: Literal["energy"]) -> dict[str, EnergyUnit]: ...
@overload
def units(kind: Literal["task"]) -> dict[str, TaskUnit]: ...
@overload
def units(kind: Kind) -> dict[str, Unit[Any]]: ...
def units(kind: Kind) -> Any:
    """All units of a kind by name, in the order in which their files and lines stand."""
    _load()
    return _units[kind]


@overload
def find(kind: Literal["loss"], name: str) -> LossUnit: ...
@overload
def find(kind: Literal["sampler"], name: str) -> SamplerUnit: ...
@overload
def find(kind: Literal["energy"], name: str) -> EnergyUnit: ...
@overload
def find(kind: Literal["task"], name: str) -> TaskUnit: ...
@overload
def find(kind: Kind, name: str) -> Unit[Any]: ...
def find(kind: Kind, name: str) -> Any:
    """The unit of that name; a task of a file is named with it, as in points:FILE.csv.

    Raises UsageError where there is none, with the nearest name that exists.
    """
    known = units(kind)
    plain, colon, file = name.partition(":")
    if plain not in known or (colon and not _of_a_file(known[plain])):
        raise _no_unit(kind, name)
    unit = known[plain]
    if not _of_a_file(unit):
        return unit
    if not file:
        raise UsageError(f"{kind} {plain}: of which file? Name it, as in {plain}:FILE.csv")
    return _of_the_file(unit, name, locate(file))


def _of_the_file(unit: Unit[Any], name: str, path: str) -> Unit[Any]:
    """A task of a file, which is read at this path."""
    traits = replace(cast(TaskTraits, unit.traits), defaults={**unit.traits.defaults, "data": digest(path)})
    return replace(unit, name=name, function=partial(unit.function, path), traits=traits)


def task_of(config: Mapping[str, Any]) -> TaskUnit:
    """The task that a configuration names, of the very content of its file if it is of one; see copies.offer.

    Raises UsageError where it is not registered.
    """
    unit, data = find("task", config["task"]), config.get("data")
    name, _, file = config["task"].partition(":")
    return _of_the_file(units("task")[name], unit.name, locate(file, data)) if file and data else unit


def _no_unit(kind: Kind, name: str) -> UsageError:
    """The error for a name that no unit of this kind has; one of another kind may have it."""
    meant = named_so(name)
    others = [
        f"--{other} takes {either([each for owner, each in meant if owner == other])}"
        for other in KINDS
        if other != kind and other in dict(meant)
    ]
    return unknown(kind, name, units(kind), names_of_others(kind), ", ".join(others), f"ebm list {KINDS[kind]}")


def named_so(word: str) -> list[tuple[Kind, str]]:
    """(kind, name) of the units that are called so, by us or by others."""
    return [(kind, name) for kind in KINDS for name in called(word, units(kind), names_of_others(kind))]


def names_of_others(kind: Kind) -> dict[str, tuple[str, ...]]:
    """The words by which others know the units of a kind, by the name of the unit."""
    return {unit.name: unit.also for unit in units(kind).values()}


def _of_a_file(unit: Unit[Any]) -> bool:
    return isinstance(unit.traits, TaskTraits) and unit.traits.file


def combination(config: Mapping[str, Any]) -> Combination:
    """The four units that a configuration names. Raises UsageError where one of them is not registered."""
    return Combination(
        task_of(config),
        find("loss", config["loss"]),
        find("sampler", config["sampler"]),
        find("energy", config["energy"]),
    )


@overload
def find_or_none(kind: Literal["loss"], name: str) -> LossUnit | None: ...
@overload
def find_or_none(kind: Literal["task"], name: str) -> TaskUnit | None: ...
@overload
def find_or_none(kind: Kind, name: str) -> Unit[Any] | None: ...
def find_or_none(kind: Kind, name: str) -> Any:
    """The unit that a result speaks of, or None where it is registered no more; the file of a task is not looked at."""
    return units(kind).get(name.partition(":")[0])


def default_task() -> str:
    """The name of the task of a command that names none."""
    return next(unit.name for unit in units("task").values() if unit.traits.default)


def replicate_settings(task: str) -> frozenset[str]:
    """The settings that tell replicates apart: the seed and, for some tasks, the part of the data that was held out."""
    unit = find_or_none("task", task)
    parameters = unit.parameters.values() if unit else ()
    return frozenset({"seed", *(parameter.name for parameter in parameters if parameter.repeats)})


def measures() -> list[Measure]:
    """All measures, in the order in which their files and lines stand."""
    _load()
    return _measures


def columns() -> dict[str, Column]:
    """All columns by name, in the order in which they were registered."""
    _load()
    return _columns


# --- loading ---------------------------------------------------------------------------------------------------------


def load_package(name: str) -> None:
    """Import every module of a package, which registers what it holds."""
    for module in pkgutil.iter_modules(import_module(name).__path__):
        import_module(f"{name}.{module.name}")


def load_plugins() -> None:
    """Import the plug-ins of other packages, after our own units, whose names they cannot take."""
    global _plugins
    if _plugins:
        return
    _plugins = True
    _load()
    plugins.load()


def _load() -> None:
    global _loaded
    if _loaded:
        return
    _loaded = True
    for package in PACKAGES:
        import_module(package)
    load_plugins()
