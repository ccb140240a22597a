"""Reference tables of everything that is registered."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ebmcli.core.parameters import Parameter
from ebmcli.core.registry import columns, units
from ebmcli.core.units import KINDS, Unit
from ebmcli.report.blocks import Cell, Table
from ebmcli.report.columns import ARROWS, explanation
from ebmcli.report.rows import setting
from ebmcli.training.optimiser import OPTIMIZERS, SCHEDULES, SETTINGS


def losses() -> Table:
    """One row per loss."""
    heads = ["loss", "formula", "promised margin", "needs", "wants", "on a flat energy", "estimates", *OWN]
    rows: list[list[Cell]] = []
    for unit in units("loss").values():
        traits = unit.traits
        needs = _words(traits.needs) or "the right answer alone"
        declared = [traits.promised.text(), needs, _words(traits.wants), traits.flat, traits.estimated]
        rows.append([*_head(unit), *declared, *_own(unit)])
    return Table("losses", heads, rows)


def samplers() -> Table:
    """One row per source of negatives."""
    heads = ["negatives", "what they are", "for", "give", "need of the energy", *OWN]
    rows: list[list[Cell]] = []
    for unit in units("sampler").values():
        gives = unit.traits.gives
        offered = "; ".join(f"{kind.plural}: {_words(needs) or '-'}" for kind, needs in gives.items())
        answers = ", ".join(kind.plural for kind in gives) + (", of questions" if unit.traits.conditional else "")
        rows.append([*_head(unit), answers, offered, _words(unit.traits.needs), *_own(unit)])
    return Table("samplers", heads, rows)


def energies() -> Table:
    """One row per energy."""
    heads = ["energy", "formula", "scores", "computes exactly", "never negative", *OWN]
    rows: list[list[Cell]] = []
    for unit in units("energy").values():
        traits = unit.traits
        computed = _words({need for needs in traits.gives.values() for need in needs})
        rule = traits.nonnegative
        settings = {} if isinstance(rule, bool) else rule
        sign = " and ".join(f"{name} {' or '.join(values)}" for name, values in settings.items())
        sign = sign or ("always" if rule else "no")
        scored = ", ".join(kind.plural for kind in traits.gives) + (", of questions" if traits.conditional else "")
        rows.append([*_head(unit), scored, computed, sign, *_own(unit)])
    return Table("energies", heads, rows)


def tasks() -> Table:
    """One row per task."""
    heads = ["task", "data", "answers", "default energy", "default settings", "key measures", *OWN]
    rows: list[list[Cell]] = []
    for unit in units("task").values():
        traits = unit.traits
        answers = traits.answers.plural + (" to questions" if traits.conditional else "")
        cells = [answers, traits.energy, _pairs(traits.defaults), ", ".join(traits.measures)]
        rows.append([*_head(unit), *cells, *_own(unit)])
    return Table("tasks", heads, rows)


def measures() -> Table:
    """One row per measure that tables show or explain."""
    heads = ["measure", "heading", "better", "how to read it"]
    rows: list[list[Cell]] = [
        [column.name, column.label, ARROWS[column.better], explanation(column.name)] for column in columns().values()
    ]
    return Table("measures", heads, rows)


def settings() -> Table:
    """One row per setting of the training."""
    choices = {"optimizer": list(OPTIMIZERS), "schedule": list(SCHEDULES)}
    rows: list[list[Cell]] = [
        [parameter.name, setting(parameter.default), ", ".join(choices.get(parameter.name, ()))]
        for parameter in SETTINGS.values()
    ]
    return Table("settings", ["setting", "default", "choices"], rows)


TABLES: Mapping[str, Callable[[], Table]] = {
    "losses": losses,
    "samplers": samplers,
    "energies": energies,
    "tasks": tasks,
    "measures": measures,
    "settings": settings,
}
OWN = ("hyperparameters", "source")


def overview() -> Table:
    """One row per kind: how many there are, and their names."""
    rows: list[list[Cell]] = [[plural, str(len(units(kind))), ", ".join(units(kind))] for kind, plural in KINDS.items()]
    rows.append(["measures", str(len(columns())), ", ".join(columns())])
    rows.append(["settings", str(len(SETTINGS)), ", ".join(SETTINGS)])
    return Table("what there is", ["kind", "number", "names"], rows)


def _head(unit: Unit[Any]) -> list[Cell]:
    return [unit.name, unit.formula]


def _own(unit: Unit[Any]) -> list[Cell]:
    values = [
        f"{parameter.name}={setting(parameter.default)}{' beta' if parameter.times_beta else ''}"
        for parameter in _shown(unit.parameters)
    ]
    return [", ".join(values), unit.reference]


def _shown(parameters: Mapping[str, Parameter]) -> Iterable[Parameter]:
    """The hyperparameters that a user sets: not the digest of a file."""
    return [parameter for parameter in parameters.values() if parameter.default != ""]


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={setting(value)}" for name, value in values.items())


def _words(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
