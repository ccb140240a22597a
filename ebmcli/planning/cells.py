"""Cells: the runs of a grid, each with its four units and with every hyperparameter resolved.

A value is that of the flag, else of a table of the file, else of its top level, else the default of the energy, of the
task, of the sampler, of the hyperparameter itself. It carries its origin from here to the manifest.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

from ebmcli.core.errors import UsageError
from ebmcli.core.needs import Need, Needs
from ebmcli.core.parameters import EVERY, Parameter
from ebmcli.core.registry import combination, default_task, find, units
from ebmcli.core.types import CONSTANT
from ebmcli.core.units import KINDS, Combination, EnergyUnit, LossUnit, TaskUnit, Unit
from ebmcli.planning.compatibility import Judgement, judge
from ebmcli.planning.grid import DEFAULT, SEED, Given, Grid, Table
from ebmcli.planning.identity import complete, run_id, versions
from ebmcli.planning.values import legal, parameters
from ebmcli.training.optimiser import SETTINGS

USUAL = 2  # seconds of a small run, for the rough cost of a grid that is too large to be looked at


@dataclass(frozen=True)
class Cell:
    """One run of a sweep: its units, its hyperparameters with what set each of them, and whether it is run."""

    id: str
    config: dict[str, Any]
    units: Combination
    origins: Mapping[str, str]
    judgement: Judgement


def cell(units: Combination, config: dict[str, Any], origins: Mapping[str, str]) -> Cell:
    """Identify and judge a configuration."""
    return Cell(run_id(config), config, units, origins, judge(units, config))


def cell_of_record(run: str, config: Mapping[str, Any]) -> Cell:
    """The cell of a run that a manifest or a record holds, as this version of the package has to train it."""
    units = combination(config)
    whole = complete(units, config)
    return Cell(run, whole, units, {}, judge(units, whole))


def cells(grid: Grid, limit: int | None = None) -> tuple[list[Cell], int]:
    """(every run of the grid, number of duplicates).

    Raises UsageError above the limit, or where a setting is a hyperparameter of no run.
    """
    choices = list(_choices(grid))
    total = sum(len(group.seeds) * len(group.configs) for group in _resolved(grid, choices))
    if limit and total > limit:
        raise UsageError(
            f"the grid has {total:,} runs, at {USUAL} seconds each {total * USUAL / 3600:,.0f} hours on a core; "
            f"more than {limit:,} runs are not begun without --yes"
        )
    by_id: dict[str, Cell] = {}
    for group in _resolved(grid, choices):
        for seed, config in itertools.product(group.seeds, group.configs):
            resolved = cell(group.units, {**group.names, "seed": seed, **config}, group.origins)
            by_id[resolved.id] = resolved
    _check_use(grid, list(by_id.values()))
    return list(by_id.values()), total - len(by_id)


def _check_use(grid: Grid, resolved: Sequence[Cell]) -> None:
    """Raise UsageError where a setting of the grid is a hyperparameter of none of its cells."""
    # A distance matters only to a loss that has a margin.
    used = {name for cell in resolved for name in cell.config if name != "margin_distance" or "margin" in cell.config}
    for name in grid.settings:
        if name not in used:
            owners = [
                f"{kind} {unit.name}" for kind in KINDS for unit in units(kind).values() if name in unit.parameters
            ]
            belongs = f" (it belongs to {', '.join(owners)})" if owners else ""
            raise UsageError(f"{name}: no run of this grid has that hyperparameter{belongs}")


# --- units -----------------------------------------------------------------------------------------------------------


class _Choice(NamedTuple):
    """The four units of some cells, and what chose each of them."""

    units: Combination
    origins: dict[str, str]
    distance: Given | None  # what was asked for as margin_distance; None where the margin cannot grow


def _choices(grid: Grid) -> Iterator[_Choice]:
    """The combinations of units that a grid asks for."""
    tasks, losses = grid.axes.get("task", Given([default_task()], "default")), grid.axes.get("loss", Given([], ""))
    energies = grid.axes.get("energy", Given([DEFAULT], ""))
    for task_name, loss_name in itertools.product(tasks.values, losses.values):
        task, loss = find("task", task_name), find("loss", loss_name)
        samplers = _special(grid, "samplers", loss, task) or grid.axes.get("sampler", Given([DEFAULT], ""))
        distances = _distances(grid, task, loss)
        for energy_name, sampler_name, distance in itertools.product(energies.values, samplers.values, distances):
            energy = find("energy", _default_energy(task, loss) if energy_name == DEFAULT else energy_name)
            usual = _default_sampler(task, loss, distance)
            sampler = find("sampler", usual if sampler_name == DEFAULT else sampler_name)
            origins = {
                "task": tasks.origin,
                "loss": losses.origin,
                "sampler": "chosen for the loss and the task" if sampler_name == DEFAULT else samplers.origin,
                "energy": "chosen for the task and the loss" if energy_name == DEFAULT else energies.origin,
            }
            yield _Choice(Combination(task, loss, sampler, energy), origins, distance)


def _special(grid: Grid, name: str, *owners: Unit[Any]) -> Given | None:
    """The values that the tables of these units give for a name; the first that gives any wins."""
    tables: list[Table] = [grid.special.get((unit.kind, unit.name), {}) for unit in owners]
    return next((table[name] for table in tables if table.get(name)), None)


def _default_energy(task: TaskUnit, loss: LossUnit) -> str:
    """The default energy of a pair: the task's, unless the loss needs a reconstruction and it has none."""
    needed, answers = loss.traits.needs & {Need.RECONSTRUCT}, task.traits.answers
    fitting = [unit.name for unit in units("energy").values() if needed <= unit.traits.gives.get(answers, frozenset())]
    return task.traits.energy if task.traits.energy in fitting or not fitting else fitting[0]


def _default_sampler(task: TaskUnit, loss: LossUnit, distance: Given | None) -> str:
    """The default negatives of a pair, so that one flag is enough."""
    needs: Needs = loss.traits.needs | loss.traits.wants
    if Need.NEGATIVES in needs and distance is not None:
        kind = distance.values[0] if distance.values else task.parameters["margin_distance"].default
        needs |= {Need.AUGMENTED} if kind != CONSTANT else set()
    return next((name for need, name in task.traits.samplers.items() if need == "" or need in needs))


# --- margins that grow with the distance -----------------------------------------------------------------------------


def _distances(grid: Grid, task: TaskUnit, loss: LossUnit) -> list[Given | None]:
    """The distances that are asked for, one by one; [None] where the margin of the loss cannot grow."""
    if "margin_distance" not in task.parameters or "margin" not in loss.parameters:
        return [None]
    given = _special(grid, "margin_distance", task) or grid.settings.get("margin_distance")
    if given is None:
        return [Given([], "follows the negatives")]
    return [Given([distance], given.origin) for distance in given.values]


def _distance(units: Combination, given: Given | None) -> Given:
    """A margin grows with the distance where the negatives are sought for that, or where it is asked for."""
    distance = units.task.parameters["margin_distance"]
    if given and given.values:
        return Given([_legal(units.task, distance, given.values[0])], given.origin)
    growing = next(kind for kind in get_args(distance.annotation) if kind != CONSTANT)
    grows = given is not None and Need.AUGMENTED in units.negatives_offer
    return Given([growing if grows else CONSTANT], "follows the negatives")


# --- hyperparameters -------------------------------------------------------------------------------------------------


class _Resolved(NamedTuple):
    """Cells that differ in the seed, and in what the task repeats, alone: the product of both."""

    units: Combination
    names: dict[str, str]  # of the units
    seeds: list[Any]
    configs: list[dict[str, Any]]
    origins: dict[str, str]


def _resolved(grid: Grid, choices: Sequence[_Choice]) -> Iterator[_Resolved]:
    for choice in choices:
        yield from _with_values(grid, choice)


def _with_values(grid: Grid, choice: _Choice) -> Iterator[_Resolved]:
    """The product over all hyperparameters that a combination has."""
    four = choice.units
    owners: list[Unit[Any] | None] = [None, four.task, four.energy, four.sampler, four.loss]
    axes: Table = {}
    for owner in owners:
        for name, parameter in (SETTINGS if owner is None else owner.parameters).items():
            axes[name] = _axis(grid, choice, owner, parameter)
    seeds = grid.axes.get("seed", Given([SEED.default], "default"))
    names = {"task": four.task.name, "loss": four.loss.name, "sampler": four.sampler.name, "energy": four.energy.name}
    of_values, raised = {name: given.origin for name, given in axes.items()}, versions(four)
    origins = choice.origins | {"seed": seeds.origin} | of_values | dict.fromkeys(raised, "version of the unit")
    for chosen in itertools.product(*(given.values for given in axes.values())):
        configs = [config | raised for config in _every(four.task, dict(zip(axes, chosen, strict=True)))]
        yield _Resolved(four, names, seeds.values, configs, origins)


def _axis(grid: Grid, choice: _Choice, owner: Unit[Any] | None, parameter: Parameter) -> Given:
    """The values of one hyperparameter of a unit (None: of the training), and what set them."""
    four, name = choice.units, parameter.name
    if name == "margin_distance" and owner is four.task:
        return _distance(four, choice.distance)
    tables = [owner] if owner else [four.task, four.loss, four.sampler, four.energy]
    given = _special(grid, name, *tables) or grid.settings.get(name)
    if given:
        return Given([_legal(owner, parameter, value) for value in given.values], given.origin)
    return _default(four, owner, parameter)


def _default(units: Combination, owner: Unit[Any] | None, parameter: Parameter) -> Given:
    """The default of a hyperparameter beside these units, and whose default it is."""
    name = parameter.name
    value, origin = parameter.default, _default_of(owner) if owner else "default"
    for unit in (units.sampler, units.task, units.energy):  # the last wins
        if name in unit.traits.defaults:
            value, origin = unit.traits.defaults[name], _default_of(unit)
    if name == "data" and owner is units.task and units.task.traits.file:
        return Given([value], "digest of the file")
    if owner is units.energy:
        following = follows(units.energy, units.loss, name, value)
        return Given([following], origin if following == value else "follows the loss")
    return Given([value], origin)


def _default_of(unit: Unit[Any]) -> str:
    """The origin of a unit's default, whatever file a task is of."""
    return f"default of {unit.kind} {unit.name.partition(':')[0]}"


def follows(energy: EnergyUnit, loss: LossUnit, name: str, default: Any) -> Any:
    """The default of a hyperparameter of the energy, as a head is, which may follow what the loss needs or wants."""
    needs = loss.traits.needs | loss.traits.wants
    if isinstance(energy.traits.nonnegative, Mapping) and Need.NONNEGATIVE in needs:
        return energy.traits.nonnegative.get(name, (default,))[0]
    return next((value for need, value in energy.traits.follows.get(name, {}).items() if need in needs), default)


def _legal(owner: Unit[Any] | None, parameter: Parameter, value: Any) -> Any:
    """The value, if this unit can have it: another unit with a hyperparameter of that name may have other ranges."""
    try:
        return legal(parameter, value)
    except UsageError as error:
        raise UsageError(f"{owner.kind} {owner.name}, {error}" if owner else str(error)) from None


def _every(task: TaskUnit, config: dict[str, Any]) -> list[dict[str, Any]]:
    """The configuration; or where it says `all` of a hyperparameter, one for each value that the task can have."""
    repeated = [name for name, value in config.items() if value == EVERY and parameters()[name].repeats]
    configs = [config | {name: value} for name in repeated for value in parameters()[name].every]
    return [each for each in configs if not task.traits.impossible(each)] if repeated else [config]
