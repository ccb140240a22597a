"""Images per second of training on `words`: `python benchmarks/words.py [LOSS ...]`.

One run on each device, compiled before the clock starts; the median of several chunks of steps.
"""

import statistics
import sys
import time

import numpy as np

from ebmcli import config, engine, plan
from ebmcli.lazy import jax

STEPS, REPETITIONS = 100, 7


def images_per_second(loss: str) -> list[float]:
    """Of all devices together, for each repetition."""
    seeds = list(range(engine.width()))
    cells, _ = config.cells(config.grid({"task": "words", "loss": loss, "seed": seeds}, {}))
    machine = engine.Engine(plan.program_of(cells[0]))
    lanes = machine._put(jax.tree.map(lambda *leaves: np.stack(leaves), *map(machine._lane, cells)))
    state = machine._run("init", (lanes,), (machine.data,))
    found = []
    for number in range(REPETITIONS + 1):  # the first compiles
        stop = machine._put(np.full(len(cells), STEPS * (number + 1), np.int32))
        began = time.monotonic()
        state, _ = jax.block_until_ready(machine._run("advance", (lanes, state, stop), (machine.data,)))
        found.append(len(cells) * STEPS * cells[0]["batch_size"] / (time.monotonic() - began))
    return found[1:]


if __name__ == "__main__":
    engine.start(cache=engine.cache_folder())
    for loss in sys.argv[1:] or ["hinge", "nll", "log"]:
        speeds = images_per_second(loss)
        spread = f"{min(speeds):,.0f} to {max(speeds):,.0f}"
        print(f"{loss}: {statistics.median(speeds):,.0f} images/s on {engine.width()} devices ({spread})")
