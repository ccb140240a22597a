"""From cells to programs: which runs share what is compiled."""

from collections.abc import Mapping, Sequence
from typing import Any

from ebmcli.core.needs import Need, Needs
from ebmcli.core.registry import units
from ebmcli.core.units import Combination
from ebmcli.planning.cells import Cell
from ebmcli.planning.values import parameters
from ebmcli.training.loop import Program

OWN_PROGRAM: Needs = frozenset({Need.VIEW, Need.RECONSTRUCT})  # losses that need these are compiled apart


def program_of(units_of_cell: Combination, config: Mapping[str, Any]) -> Program:
    """The program of a cell.

    It depends on the registry and the static settings alone, never on the other cells, so that a run is the same alone
    and in any sweep: its losses are all that its sampler admits at this cost.
    """
    task, sampler, energy, loss = (
        units_of_cell.task,
        units_of_cell.sampler,
        units_of_cell.energy,
        units_of_cell.loss,
    )
    known = parameters()
    static = tuple(sorted((name, value) for name, value in config.items() if name in known and not known[name].traced))
    offered, costly = units_of_cell.offers(config), sampler.traits.costly | OWN_PROGRAM
    needed = loss.traits.needs & costly
    admitted = [
        unit for unit in units("loss").values() if unit.traits.needs <= offered and unit.traits.needs & costly == needed
    ]
    needs: Needs = frozenset().union(*(unit.traits.needs for unit in admitted))
    return Program(task, energy, sampler, static, tuple(admitted), needs)


def programs(cells: Sequence[Cell]) -> list[tuple[Program, list[Cell]]]:
    """The cells by program, in their order."""
    groups: dict[Any, tuple[Program, list[Cell]]] = {}
    for cell in cells:
        program = program_of(cell.units, cell.config)
        key = (program.task.name, program.energy.name, program.sampler.name, program.static, program.needs)
        groups.setdefault(key, (program, []))[1].append(cell)
    return list(groups.values())
