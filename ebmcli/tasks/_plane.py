"""Points on the plane, for the tasks that share them: the box, the grids of the evaluation, the held-out data."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.types import Batch, Box, Model, Task, Units
from ebmcli.metrics import density
from ebmcli.metrics.plane import PlaneEvaluation

BOX = Box(-5.0, 5.0)  # model, chains, uniform negatives and evaluation share this square
# Cells a side, for the last and for the running evaluation. No cell may lie across an edge of the checkerboard, also
# with half as many: these edges are 2 apart.
GRID = {True: 500, False: 60}
PICTURE = 4  # cells of the fine grid a side that are averaged for the picture
HELD_OUT = {True: 5_000, False: 1_000}  # points
HELD_OUT_SEED = 2006  # one held-out set a task, the same for every run
DATA_GROWTH = 0.1  # by how much the data region is grown before the most offending energy is looked for


def on_the_plane(
    draw: Callable[[Key, Any, int], Array],  # (key, data, size) -> [size, 2]
    held_out: Callable[[], np.ndarray],
    known: Callable[[bool], density.Truth],
    nodes: Callable[[bool], np.ndarray] | None = None,  # where Z is integrated, if not on the grid
    units: Units | None = None,
) -> Task:
    """Make a task of points in BOX that is measured on a grid, from its data and what is known of them."""

    def targets(fine: bool) -> dict[str, np.ndarray]:
        points = {"grid": density.grid(BOX[:2], GRID[fine]), "data": held_out()[: HELD_OUT[fine]]}
        return {n: p.astype(np.float32) for n, p in (points | ({"nodes": nodes(fine)} if nodes else {})).items()}

    def measure(probed: dict[str, np.ndarray], fine: bool, beta: float, threshold: float) -> PlaneEvaluation:
        energy = {name: array.astype(np.float64) for name, array in probed.items()}
        at = energy["grid"], energy["data"]
        volume = units.log_volume if units else 0.0
        return PlaneEvaluation(*at, known(fine), beta, threshold, energy.get("nodes"), volume)

    def probe(model: Model, data: Any, targets: dict[str, Array]) -> dict[str, Array]:
        def energies(points: Array) -> Array:
            return jax.lax.map(lambda y: model.apply(None, y), points, batch_size=4096)

        return {name: energies(points) for name, points in targets.items()}

    return Task(
        data=dict,
        draw=lambda key, data, size: Batch(None, draw(key, data, size)),
        distance=lambda y, other: jnp.ones(()),
        targets=targets,
        probe=probe,
        measure=measure,
        keep=lambda probed: {"energy": density.coarsen(probed["grid"], GRID[True], PICTURE)},
        space=BOX,
        units=units,
        film=lambda probed: {"energy": probed["grid"].reshape(GRID[False], GRID[False])},
        test_seed=HELD_OUT_SEED,
    )
