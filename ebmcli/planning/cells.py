"""Cells: the runs of a grid, each with its four units and with every hyperparameter resolved.

A value is that of the flag, else of a table of the file, else of its top level, else the default of the energy, of the
task, of the sampler, of the hyperparameter itself. It carries its origin from here to the manifest.
"""

import itertools
import math
from collections import Counter
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

MOST = 1_000_000  # runs of a grid
COUNTED = 100  # combinations of units of a grid with too many runs, after which the others are not looked at
USUAL = 2  # seconds of a small run, for the rough cost of a grid that is too large to be looked at
FOLLOWS_BETA = "follows beta"  # the origin of a default that is multiplied by beta


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


def cells(grid: Grid, limit: int = MOST) -> tuple[list[Cell], int]:
    """(every run of the grid, number of duplicates).

    The runs are counted by multiplication before the first is made. Raises UsageError above the limit, or where a
    setting is a hyperparameter of no run.
    """
    products = _counted(grid, limit)
    by_id: dict[str, Cell] = {}
    repeated = sum(product.repeated for product in products)
    for product in products:
        for config in product.configs():
            resolved = cell(product.units, config, product.origins)
            repeated += resolved.id in by_id
            by_id[resolved.id] = resolved
    _check_use(grid, list(by_id.values()))
    return list(by_id.values()), repeated


def _counted(grid: Grid, limit: int) -> list["_Product"]:
    """The products whose cells are those of the grid. Raises UsageError where these are more than the limit."""
    products: list[_Product] = []
    count, more = 0, False
    for choice in _choices(grid):
        more = count > limit and len(products) >= COUNTED
        if more:
            break
        products.append(_product(grid, choice))
        count += products[-1].size
    if count > limit:
        unless = "" if limit >= MOST else " without --yes"
        raise UsageError(
            f"the grid has {'more than ' if more else ''}{count:,} runs, at {USUAL} seconds each "
            f"{count * USUAL / 3600:,.0f} hours on a core; more than {limit:,} runs are not begun{unless}"
        )
    return products


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
    times: int  # as often as the lists name it


def _choices(grid: Grid) -> Iterator[_Choice]:
    """The combinations of units that a grid asks for."""
    tasks, losses = grid.axes.get("task", Given([default_task()], "default")), grid.axes.get("loss", Given([], ""))
    energies = grid.axes.get("energy", Given([DEFAULT], ""))
    for (task_name, *of_task), (loss_name, *of_loss) in itertools.product(_times(tasks), _times(losses)):
        task, loss = find("task", task_name), find("loss", loss_name)
        samplers = _special(grid, "samplers", loss, task) or grid.axes.get("sampler", Given([DEFAULT], ""))
        distances = _distances(grid, task, loss)
        for (energy_name, *of_energy), (sampler_name, *of_sampler), (distance, *of_distance) in itertools.product(
            _times(energies), _times(samplers), distances
        ):
            energy = find("energy", _default_energy(task, loss) if energy_name == DEFAULT else energy_name)
            usual = _default_sampler(task, loss, distance)
            sampler = find("sampler", usual if sampler_name == DEFAULT else sampler_name)
            origins = {
                "task": tasks.origin,
                "loss": losses.origin,
                "sampler": "chosen for the loss and the task" if sampler_name == DEFAULT else samplers.origin,
                "energy": "chosen for the task and the loss" if energy_name == DEFAULT else energies.origin,
            }
            times = math.prod([*of_task, *of_loss, *of_energy, *of_sampler, *of_distance])
            yield _Choice(Combination(task, loss, sampler, energy), origins, distance, times)


def _times(given: Given) -> list[tuple[Any, int]]:
    """Each value once, with the number of times that it is given."""
    return list(Counter(given.values).items())


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


def _distances(grid: Grid, task: TaskUnit, loss: LossUnit) -> list[tuple[Given | None, int]]:
    """The distances that are asked for, one by one, and how often; None where the margin of the loss cannot grow."""
    if "margin_distance" not in task.parameters or "margin" not in loss.parameters:
        return [(None, 1)]
    given = _special(grid, "margin_distance", task) or grid.settings.get("margin_distance")
    if given is None:
        return [(Given([], "follows the negatives"), 1)]
    return [(Given([distance], given.origin), times) for distance, times in _times(given)]


def _distance(units: Combination, given: Given | None) -> Given:
    """A margin grows with the distance where the negatives are sought for that, or where it is asked for."""
    distance = units.task.parameters["margin_distance"]
    if given and given.values:
        return Given([_legal(units.task, distance, given.values[0])], given.origin)
    growing = next(kind for kind in get_args(distance.annotation) if kind != CONSTANT)
    grows = given is not None and Need.AUGMENTED in units.negatives_offer
    return Given([growing if grows else CONSTANT], "follows the negatives")


# --- hyperparameters -------------------------------------------------------------------------------------------------


class _Product(NamedTuple):
    """The cells of four units: the product over the values of all their hyperparameters, and over the seeds."""

    units: Combination
    names: dict[str, str]  # of the units
    axes: Table  # each value once
    seeds: list[Any]
    raised: dict[str, int]  # versions of the units
    origins: dict[str, str]
    repeated: int  # cells that are left out, since a value or a unit stands twice in a list

    @property
    def size(self) -> int:
        """The number of cells; where `all` stands for values of which the task cannot have some, at most so many."""
        return len(self.seeds) * _size(self.axes)

    def configs(self) -> Iterator[dict[str, Any]]:
        """The configuration of each cell."""
        for chosen in itertools.product(*(given.values for given in self.axes.values())):
            every = _every(self.units.task, self._scaled(dict(zip(self.axes, chosen, strict=True))))
            for seed, config in itertools.product(self.seeds, every):
                yield {**self.names, "seed": seed, **config, **self.raised}

    def _scaled(self, config: dict[str, Any]) -> dict[str, Any]:
        """A configuration in which the defaults that follow beta do, in 12 digits: 0.3, not 0.1 times 3.0."""
        following = [name for name, given in self.axes.items() if given.origin == FOLLOWS_BETA]
        return config | {name: float(f"{config[name] * config['beta']:.12g}") for name in following}


def _size(axes: Table) -> int:
    """The number of configurations that are a product of these values."""

    def meant(name: str, value: Any) -> int:
        return len(parameters()[name].every) if value == EVERY and parameters()[name].repeats else 1

    return math.prod(sum(meant(name, value) for value in given.values) for name, given in axes.items())


def _product(grid: Grid, choice: _Choice) -> _Product:
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
    distinct = {name: Given(list(dict.fromkeys(given.values)), given.origin) for name, given in axes.items()}
    repeated = len(seeds.values) * (choice.times * _size(axes) - _size(distinct))
    return _Product(four, names, distinct, seeds.values, raised, origins, repeated)


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
    if parameter.times_beta and owner and origin == _default_of(owner):
        return Given([value], FOLLOWS_BETA)
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
