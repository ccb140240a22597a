"""What tests of tasks share: tasks that are built once, batches that are drawn once, the measures of a known energy."""

from functools import cache
from pathlib import Path

import jax
import numpy as np

from ebmcli.core import registry
from ebmcli.core.types import Model
from ebmcli.training import evaluate

TASKS = registry.units("task")
POINTS = Path(__file__).parents[1] / "tasks" / "points.csv"
MANY = 5_000  # examples of a batch of points


def asked(name):
    """A task as a command names it: `points` with a file."""
    return f"{name}:{POINTS}" if TASKS[name].traits.file else name


@cache
def build(name, **values):
    return registry.find("task", asked(name)).build(values)


@cache
def drawer(name, size, **values):
    """(key, data) -> a batch of that size, compiled."""
    return jax.jit(lambda key, data: build(name, **values).draw(key, data, size))


@cache
def drawn(name, size=MANY, seed=0, **values):
    """A batch of numpy arrays, to be read only."""
    batch = drawer(name, size, **values)(jax.random.key(seed), build(name, **values).data())
    return jax.tree.map(np.asarray, batch)


def measured(name, energy, fine=True):
    """The measures of an energy (x, y) -> [] that is known, on the fine targets or on the coarse ones."""
    task = build(name)
    probed = jax.jit(lambda targets: task.probe(Model(energy), {}, targets))(task.targets(fine))
    return evaluate.measures(task.measure(jax.tree.map(np.asarray, probed), fine, 1.0, 0.5))
