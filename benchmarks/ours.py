"""Our own side of the benchmarks: training alone, as many lanes as there are devices."""

import sys
from collections.abc import Mapping
from typing import Any

from ebmcli.core.lazy import jax
from ebmcli.planning.cells import Cell, cells
from ebmcli.planning.grid import grid
from ebmcli.planning.programs import program_of
from ebmcli.training import devices, engine
from ebmcli.training.engine import Engine

EBM = [sys.executable, "-m", "ebmcli"]
TRIAL = 100  # steps from which the length of a repetition is found


def planned(axes: Mapping[str, Any], settings: Mapping[str, Any]) -> list[Cell]:
    """The cells of a grid."""
    return cells(grid(axes, settings))[0]


def machine(cell: Cell) -> Engine:
    """The engine that trains a cell, and all of its program."""
    return Engine(program_of(cell.units, cell.config))


def steps_per_second(
    seconds: float, axes: Mapping[str, Any], settings: Mapping[str, Any], repetitions: int = 1
) -> list[float]:
    """Of all lanes together, for each repetition, compiled before the clock starts."""
    devices.start()
    lanes = jax.device_count()

    def runs(steps: int) -> list[Cell]:
        return planned(dict(axes) | {"seed": f"0..{lanes - 1}"}, dict(settings) | {"steps": steps})

    trained = machine(runs(TRIAL)[0])

    def rate(steps: int) -> float:
        *_, last = trained.launch([cell.config for cell in runs(steps)])
        return lanes * steps / last.seconds

    steps = max(engine.CHUNKS, int(rate(TRIAL) / lanes * seconds))
    return [rate(steps) for _ in range(repetitions)]
