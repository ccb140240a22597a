"""From what a user says (flags, an experiment file) to cells: runs with every hyperparameter resolved.

default of the unit < of the sampler < of the task < of the energy < top level of the file < its tables < flag.
"""

import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, get_args

from annotated_types import Ge, Le

from ebmcli.core.errors import UsageError, unknown
from ebmcli.core.registry import EVERY, KINDS, Parameter, Unit, find, units
from ebmcli.core.types import CONSTANT
from ebmcli.planning.values import legal, parameter, values
from ebmcli.training.loop import SETTINGS

SEED = Parameter("seed", 0, Annotated[int, Ge(0), Le(2**32 - 1)])
BUDGET = Parameter("budget", None, Annotated[int, Ge(1), Le(10**15)])
USUAL = 2  # seconds of a small run, for the rough cost of a grid that is too large to be looked at
DEFAULT = "default"  # the sampler or energy that suits the rest of the cell


@dataclass(frozen=True)
class Grid:
    """What was asked for, before defaults: names by axis, values by hyperparameter, values that belong to one unit."""

    axes: dict[str, list[Any]] = field(default_factory=dict)  # by kind, or "seed"
    settings: dict[str, list[Any]] = field(default_factory=dict)
    special: dict[tuple[str, str], dict[str, list[Any]]] = field(default_factory=dict)  # by (kind, unit)
    budget: int | None = None  # energy evaluations of every run, from which its steps follow

    def over(self, base: "Grid") -> "Grid":
        """This grid laid over a base: what is said here wins over what is said there, special or not."""
        said = {*self.settings, *(["samplers"] if "sampler" in self.axes else []), *(["steps"] if self.budget else [])}
        special = {
            unit: {name: values for name, values in table.items() if name not in said}
            for unit, table in base.special.items()
        }
        settings = {name: values for name, values in base.settings.items() if name not in said} | self.settings
        budget = self.budget or (None if "steps" in self.settings else base.budget)
        return Grid(base.axes | self.axes, settings, special | self.special, budget)


def names(kind: str, given: Any) -> list[str]:
    """Names of units, checked; `all` stands for every one of them."""
    asked = [one.strip() for text in (given if isinstance(given, list) else [given]) for one in str(text).split(",")]
    if not asked or "" in asked:
        raise UsageError(f"{kind}: the list is empty or has an empty entry (ebm list {KINDS[kind]} shows them)")
    found: list[str] = []
    for name in asked:
        if name == "all":
            found += [unit.name for unit in units(kind).values() if not unit.file]
        elif name == DEFAULT and kind in ("sampler", "energy"):
            found.append(name)
        else:
            unit = find(kind, name)
            if unit.file:
                unit.build({})  # the file is looked at before anything begins
            found.append(unit.name)
    return found


def grid(axes: Mapping[str, Any], settings: Mapping[str, Any], special: Mapping[Any, Any] | None = None) -> Grid:
    """A Grid from raw values; None means not said."""
    chosen: dict[str, list[Any]] = {}
    for axis, given in axes.items():
        if given is not None:
            chosen[axis] = seeds(given) if axis == "seed" else names(axis, given)
    given = {name: value for name, value in settings.items() if value is not None}
    budget = _budget(given.pop("budget", None), given)
    said = {parameter(name).name: values(parameter(name), value) for name, value in given.items()}
    tables: dict[tuple[str, str], dict[str, list[Any]]] = {}
    for (kind, name), table in (special or {}).items():
        unit = find(kind, name)
        owned = dict(unit.parameters) | (SETTINGS if kind == "task" else {})
        extra = ["samplers"] if kind in ("loss", "task") else []
        tables[kind, name] = {}
        for key, given in table.items():
            plain = key.replace("-", "_")
            if plain not in [*owned, *extra]:
                raise unknown(f"key of {kind} {name}", key, [*owned, *extra] or ["none"])
            tables[kind, name][plain] = names("sampler", given) if plain in extra else values(parameter(plain), given)
    if budget and any("steps" in table for table in tables.values()):
        raise UsageError("budget: the steps of a run follow from it, leave out the steps of single tasks")
    return Grid(chosen, said, tables, budget)


def _budget(given: Any, settings: Mapping[str, Any]) -> int | None:
    if given is None:
        return None
    if "steps" in settings:
        raise UsageError("budget: the steps of a run follow from it, leave out steps")
    found = values(BUDGET, given)
    if len(found) > 1:
        raise UsageError(f"budget: one number for all runs, found {len(found)}")
    return found[0]


def seeds(given: Any) -> list[int]:
    """Seeds, each once."""
    found = values(SEED, given)
    twice = [seed for seed, count in Counter(found).items() if count > 1]
    if twice:
        raise UsageError(f"seed: {twice[0]} stands twice, name each seed once")
    return found


# --- cells -----------------------------------------------------------------------------------------------------------


def cells(grid: Grid, limit: int | None = None) -> tuple[list[dict[str, Any]], int]:
    """(every run of the grid as a flat configuration with all hyperparameters resolved, number of duplicates)."""
    found: dict[str, dict[str, Any]] = {}
    count = 0
    each = _cells(grid)
    for count, config in enumerate(each, start=1):
        found[run_id(config)] = config
        if limit and count > limit:
            total = count + sum(1 for _ in each)
            raise UsageError(
                f"the grid has {total:,} runs, at {USUAL} seconds each {total * USUAL / 3600:,.0f} hours on a core; "
                f"more than {limit:,} runs are not begun without --yes"
            )
    # A distance matters only to a loss that has a margin.
    used = {name for config in found.values() for name in config if name != "margin_distance" or "margin" in config}
    for name in grid.settings:
        if name not in used:
            raise UsageError(f"{name}: no run of this grid has that hyperparameter{_owners(name)}")
    return list(found.values()), count - len(found)


def _owners(name: str) -> str:
    owners = [f"{kind} {unit.name}" for kind in KINDS for unit in units(kind).values() if name in unit.parameters]
    return f" (it belongs to {', '.join(owners)})" if owners else ""


def _cells(grid: Grid) -> Iterator[dict[str, Any]]:
    for task_name, loss_name in itertools.product(grid.axes.get("task", ["moons"]), grid.axes.get("loss", [])):
        task, loss = find("task", task_name), find("loss", loss_name)
        distances = _given(grid, "margin_distance", task) if _measures(task, loss) else [None]
        samplers = _special(grid, "samplers", loss, task) or grid.axes.get("sampler", [DEFAULT])
        energies = grid.axes.get("energy", [DEFAULT])
        for energy_name, asked, distance in itertools.product(energies, samplers, distances):
            energy = find("energy", _energy(task, loss) if energy_name == DEFAULT else energy_name)
            sampler = find("sampler", _sampler(task, loss, distance) if asked == DEFAULT else asked)
            fixed = (
                {"margin_distance": _distance(task, loss, sampler, distance)}
                if "margin_distance" in task.parameters
                else {}
            )
            yield from _resolved(grid, task, energy, loss, sampler, fixed)


def _measures(task: Unit, loss: Unit) -> bool:
    """Whether the margin of this loss can grow with the task's distance between answers."""
    return "margin_distance" in task.parameters and "margin" in loss.parameters


def _growing(task: Unit) -> str:
    """The distance with which the margins of a task may grow."""
    return next(one for one in get_args(task.parameters["margin_distance"].annotation) if one != CONSTANT)


def _given(grid: Grid, name: str, *owners: Unit) -> list[Any]:
    return _special(grid, name, *owners) or grid.settings.get(name, [None])


def _special(grid: Grid, name: str, *owners: Unit) -> list[Any] | None:
    """What the tables of these units say of a name; the first that says anything wins."""
    said = (grid.special.get((unit.kind, unit.name), {}).get(name) for unit in owners)
    return next((values for values in said if values), None)


def _energy(task: Unit, loss: Unit) -> str:
    """The default energy of a pair: the task's, unless the loss needs a reconstruction and it has none."""
    needed = loss.needs & {"reconstruct"}
    fitting = [one.name for one in units("energy").values() if needed <= one.gives.get(task.answers, frozenset())]
    return task.energy if task.energy in fitting or not fitting else fitting[0]


def _sampler(task: Unit, loss: Unit, distance: str | None) -> str:
    """The default negatives of a pair, so that one flag is enough."""
    asked = loss.needs | loss.wants
    if "negatives" in asked and _measures(task, loss):
        grows = (distance or task.parameters["margin_distance"].default) != CONSTANT
        asked |= {"distance"} if grows else set()
    return task.samplers[next((need for need in task.samplers if need in asked), "")]


def _distance(task: Unit, loss: Unit, sampler: Unit, asked: str | None) -> str:
    """A margin grows with the distance where the negatives are sought for that, or where it is asked for."""
    if not _measures(task, loss):
        return CONSTANT
    augmented = "augmented" in sampler.gives.get(task.answers, ())
    return asked or (_growing(task) if augmented else CONSTANT)


def _resolved(
    grid: Grid, task: Unit, energy: Unit, loss: Unit, sampler: Unit, fixed: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The product over all hyperparameters that this combination has, and over the seeds."""
    defaults = sampler.defaults | task.defaults | energy.defaults  # type: ignore[operator]
    axes: dict[str, list[Any]] = {}
    for owner in (None, task, energy, sampler, loss):
        for name, one in (SETTINGS if owner is None else owner.parameters).items():
            default = defaults.get(name, one.default)
            if owner is energy:
                default = following(energy, loss, name, default)
            said = _given(grid, name, *([owner] if owner else [task, loss, sampler, energy]))
            axes[name] = (
                [fixed[name]] if name in fixed else [default if v is None else _legal(owner, one, v) for v in said]
            )
    head = {"task": task.name, "loss": loss.name, "sampler": sampler.name, "energy": energy.name}
    for chosen in itertools.product(*axes.values()):
        for seed, config in itertools.product(
            grid.axes.get("seed", [0]), _every(task, dict(zip(axes, chosen, strict=True)))
        ):
            yield head | {"seed": seed} | config


def _legal(owner: Unit | None, parameter: Parameter, value: Any) -> Any:
    """The value, if this unit can have it: another unit with a hyperparameter of that name may have other ranges."""
    try:
        return legal(parameter, value)
    except UsageError as error:
        raise UsageError(f"{owner.kind} {owner.name}, {error}" if owner else str(error)) from None


def _every(task: Unit, config: dict[str, Any]) -> list[dict[str, Any]]:
    """The configuration; or where it says `all` of a hyperparameter, one for each value that the task can have."""
    asked = [name for name, value in config.items() if value == EVERY and parameter(name).repeats]
    found = [config | {name: one} for name in asked for one in parameter(name).every]
    return [one for one in found if not task.impossible(one)] if asked else [config]


def following(energy: Unit, loss: Unit, name: str, default: Any) -> Any:
    """The default of a hyperparameter of the energy, as a head is, which may follow what the loss needs or wants."""
    asked = loss.needs | loss.wants
    if isinstance(energy.nonnegative, Mapping) and "nonnegative" in asked:
        return energy.nonnegative.get(name, (default,))[0]
    return next((value for need, value in energy.follows.get(name, {}).items() if need in asked), default)


def canonical(value: Any) -> str:
    """One JSON text for one value, whatever the order of its keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def run_id(config: Mapping[str, Any]) -> str:
    """Readable words and a hash of the whole configuration: hinge-langevin-moons-s0-1a2b3c4d5e6f."""
    digest = hashlib.sha256(canonical(dict(config)).encode()).hexdigest()[:12]
    return f"{words(config)}-s{config['seed']}-{digest}"


def words(config: Mapping[str, Any]) -> str:
    """hinge-langevin-moons; of a task points:here/there.csv its file's name alone."""
    task, _, file = config["task"].partition(":")
    named = f"{task}-{Path(file).stem}" if file else task
    return re.sub(r"[^\w.-]+", "-", f"{config['loss']}-{config['sampler']}-{named}")
