"""Our own side of the benchmarks: training alone, as many lanes as cores."""

from collections.abc import Mapping
from typing import Any

from ebmcli import engine
from ebmcli.config import cells, grid
from ebmcli.engine import Engine
from ebmcli.plan import program_of


def steps_per_second(seconds: float, axes: Mapping[str, Any], settings: Mapping[str, Any], trial: int = 100) -> float:
    """Of all lanes together, compiled before the clock starts. trial: steps from which the length is found."""
    engine.start()
    lanes = engine.width()

    def asked(steps: int) -> list[dict[str, Any]]:
        return cells(grid(dict(axes) | {"seed": f"0..{lanes - 1}"}, dict(settings) | {"steps": steps}))[0]

    machine = Engine(program_of(asked(trial)[0]))

    def rate(steps: int) -> float:
        *_, last = machine.launch(asked(steps))
        return lanes * steps / last.seconds

    return rate(max(engine.CHUNKS, int(rate(trial) / lanes * seconds)))
