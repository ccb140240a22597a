"""Our own side of the benchmarks: training alone, as many lanes as there are devices."""

import sys
from collections.abc import Mapping
from typing import Any

from ebmcli.core.lazy import jax
from ebmcli.planning.config import cells, grid
from ebmcli.planning.plan import program_of
from ebmcli.training import engine
from ebmcli.training.engine import Engine

EBM = [sys.executable, "-m", "ebmcli"]
TRIAL = 100  # steps from which the length of a repetition is found


def steps_per_second(
    seconds: float, axes: Mapping[str, Any], settings: Mapping[str, Any], repetitions: int = 1
) -> list[float]:
    """Of all lanes together, for each repetition, compiled before the clock starts."""
    engine.start()
    lanes = jax.device_count()

    def asked(steps: int) -> list[dict[str, Any]]:
        return cells(grid(dict(axes) | {"seed": f"0..{lanes - 1}"}, dict(settings) | {"steps": steps}))[0]

    machine = Engine(program_of(asked(TRIAL)[0]))

    def rate(steps: int) -> float:
        *_, last = machine.launch(asked(steps))
        return lanes * steps / last.seconds

    steps = max(engine.CHUNKS, int(rate(TRIAL) / lanes * seconds))
    return [rate(steps) for _ in range(repetitions)]
