"""The cost of cells: energy evaluations exactly, from what units declare, and seconds roughly."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ebmcli.core.errors import UsageError
from ebmcli.core.needs import Need
from ebmcli.core.parameters import arguments_for
from ebmcli.core.texts import quoted
from ebmcli.core.types import BatchShape, Cost, Space, Task
from ebmcli.core.units import Combination, TaskUnit
from ebmcli.planning.cells import Cell, cell
from ebmcli.planning.programs import programs

# Rough costs on one core, for estimates only: measured on the default settings, and stated as rough wherever shown.
COMPILE_SECONDS = 4.0
FIXED_SECONDS = 2.0  # of a run: evaluation, picture, saving


def step_cost(units: Combination, config: Mapping[str, Any]) -> Cost | None:
    """The cost of a training step of a cell; None where its sampler does not declare it."""
    size, own = config["batch_size"], units.loss.traits.cost
    spent, slopes = size * own.evaluations, size * own.gradients
    if Need.VIEW in units.loss.traits.needs:  # then no negatives are drawn
        return Cost(spent, slopes)
    declared = units.sampler.traits.cost
    if declared is None:
        return None
    shape = BatchShape(size, _space(units.task, config), units.task.traits.conditional)
    drawn = declared(shape, **arguments_for(declared, config))
    return Cost(spent + drawn.evaluations, slopes + drawn.gradients)


def _space(task: TaskUnit, config: Mapping[str, Any]) -> Space:
    """The answers of a task."""
    return _task(task, config).space


def remarks(cells: Sequence[Cell]) -> list[str]:
    """What is to be said of the data that these cells are of, each with the name of the task."""
    named = {cell.units.task.name: cell for cell in cells if cell.units.task.traits.file}
    return [
        f"{quoted(name)}: {text}"
        for name, cell in named.items()
        for text in _task(cell.units.task, cell.config).remarks
    ]


def _task(task: TaskUnit, config: Mapping[str, Any]) -> Task:
    """A task, which is built once for all cells that share its settings."""
    return _built(task.name, task.function, tuple((name, config[name]) for name in task.parameters if name in config))


@lru_cache(maxsize=64)
def _built(name: str, function: Callable[..., Task], settings: tuple[tuple[str, Any], ...]) -> Task:
    return function(**dict(settings))


def within(budget: int, one: Cell) -> Cell:
    """The cell with as many steps as a number of energy evaluations allows; a refused one is left as it is.

    Raises UsageError where that is not one step, or where nobody knows what a step costs.
    """
    if one.judgement.refusal:
        return one
    config, step = one.config, step_cost(one.units, one.config)
    if step is None:
        raise UsageError(
            f"budget: {one.units.sampler.name} does not declare what its negatives cost (cost=...), say --steps instead"
        )
    if budget < step.evaluations:
        raise UsageError(
            f"budget: {budget:,} energy evaluations are not enough for a step of {config['loss']} with "
            f"{config['sampler']} on {config['task']}, which takes {step.evaluations:,}"
        )
    origin = f"follows from the budget of {budget:,} energy evaluations"
    return cell(one.units, {**config, "steps": budget // step.evaluations}, {**one.origins, "steps": origin})


def estimate(cells: Sequence[Cell], cores: int) -> float:
    """Roughly how many seconds these cells will take on so many cores."""
    compile_time = COMPILE_SECONDS * len(programs(cells))
    return compile_time + sum(map(_work, cells)) / min(cores, max(len(cells), 1))


def _work(one: Cell) -> float:
    """Seconds of one run on one core."""
    step, (an_answer, a_question) = step_cost(one.units, one.config), one.units.energy.traits.seconds
    answers = int(one.config["batch_size"]) if step is None else step.evaluations
    return FIXED_SECONDS + float(one.config["steps"] * (an_answer * answers + a_question * one.config["batch_size"]))
