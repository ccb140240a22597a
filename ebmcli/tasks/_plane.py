"""What the tasks of points on the plane share."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.types import Batch, Box, Task
from ebmcli.metrics import density
from ebmcli.metrics import plane as unconditional
from ebmcli.tasks._log_densities import ACROSS, ALONG, ARMS, SCALE, TWIST

BOX = Box(-5.0, 5.0)  # model, chains, uniform negatives and evaluation share this square
# Cells a side, for the last and for the running evaluation. No cell may lie across an edge of the checkerboard, also
# with half as many: these edges are 2 apart.
GRID = {True: 500, False: 60}
PICTURE = 4  # cells of the fine grid a side that are averaged for the picture
HELD_OUT = {True: 5_000, False: 1_000}  # points
GROWTH = 0.1  # by how much the data region is grown before the most offending energy is looked for
PLANE: dict[str, Any] = {
    "answers": "continuous",
    "energy": "mlp",
    "samplers": {
        "log_q": "gaussian",
        "independent": "uniform",
        "model": "pcd",
        "partition": "quadrature",
        "minimum": "quadrature",
        "all": "quadrature",
        "negatives": "langevin",
        "": "none",
    },
    "defaults": {"steps": 2_000, "batch_size": 256, "lr": 5e-3},
    "measures": "auroc kl kl_beta_star spurious_mass",
    "reference": "Grathwohl et al., FFJORD (2019)",
}
EMPIRICAL = PLANE | {"measures": "auroc nll nll_beta_star"}


def pinwheel(key: Array, size: int) -> tuple[Array, Array]:
    """Points [size, 2] of the pinwheel and the arms [size] that they lie on (see densities.pinwheel)."""
    arm, noise = jax.random.split(key)
    y = jax.random.randint(arm, (size,), 0, ARMS)
    spread = jnp.array([ALONG, ACROSS])
    along, across = (spread * jax.random.normal(noise, (size, 2)) + jnp.array([1.0, 0.0])).T
    angle = -(2 * jnp.pi * y / ARMS + TWIST * jnp.exp(along))  # clockwise
    turned = [along * jnp.cos(angle) - across * jnp.sin(angle), along * jnp.sin(angle) + across * jnp.cos(angle)]
    return SCALE * jnp.stack(turned, axis=1), y


def on_the_plane(
    draw: Callable[..., Array],  # (key, data, size) -> [size, 2]
    held_out: Callable[[], np.ndarray],
    known: Callable[[bool], density.Truth],
    nodes: Callable[[bool], np.ndarray] | None = None,  # where Z is integrated, if not on the grid
) -> Task:
    """A task of points in BOX that is measured on a grid: its training and held-out data, and what is known of them."""

    def targets(fine):
        points = {"grid": density.grid(BOX[:2], GRID[fine]), "data": held_out()[: HELD_OUT[fine]]}
        return {n: p.astype(np.float32) for n, p in (points | ({"nodes": nodes(fine)} if nodes else {})).items()}

    def measure(probed, fine, beta, threshold):
        return unconditional.measures(probed["grid"], probed["data"], known(fine), beta, threshold, probed.get("nodes"))

    def probe(model, data, targets):
        def at(points):
            return jax.lax.map(lambda y: model.apply(None, y), points, batch_size=4096)

        return {name: at(points) for name, points in targets.items()}

    return Task(
        data=dict,
        draw=lambda key, data, size: Batch(None, draw(key, data, size)),
        distance=lambda y, other: jnp.ones(()),
        targets=targets,
        probe=probe,
        measure=measure,
        keep=lambda probed: {"energy": density.coarser(probed["grid"], GRID[True], PICTURE)},
        space=BOX,
    )
