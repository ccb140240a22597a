"""Unconditional densities on the plane, known exactly: the set of FFJORD (Grathwohl et al. 2019), its parameters."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ebmcli.lazy import Array, jax, jnp
from ebmcli.metrics import collapse, density, margin
from ebmcli.registry import task
from ebmcli.types import Batch, Box, Task

BOX = Box(-5.0, 5.0)  # model, chains, uniform negatives and evaluation share this square
GRID = {True: 512, False: 64}  # cells a side, for the last and for the running evaluation
PICTURE = 4  # cells of the fine grid a side that are averaged for the picture
HELD_OUT = {True: 5_000, False: 1_000}  # points
HELD_OUT_SEED = 2006  # one held-out set a task, the same for every run
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

LogDensity = Callable[[np.ndarray], np.ndarray]  # [N, 2] -> [N], nats


def plane(draw: Callable[[Array, int], Array], log_density: LogDensity) -> Task:
    """A task from its sampler, (key, size) -> [size, 2] in jax, and its log-density in numpy."""

    def probe(model, data, targets):
        def at(points):
            return jax.lax.map(lambda y: model.apply(None, y), points, batch_size=4096)

        return {name: at(points) for name, points in targets.items()}

    def measure(probed, fine, beta, threshold):
        return measures(probed["grid"], probed["data"], truth(log_density, fine), beta, threshold)

    return Task(
        data=dict,
        draw=lambda key, data, size: Batch(None, draw(key, size)),
        distance=lambda y, other: jnp.ones(()),
        targets=lambda fine: {
            "grid": density.grid(BOX[:2], GRID[fine]).astype(np.float32),
            "data": draw(jax.random.key(HELD_OUT_SEED), max(HELD_OUT.values()))[: HELD_OUT[fine]],
        },
        probe=probe,
        measure=measure,
        keep=lambda probed: {"energy": density.coarser(probed["grid"], GRID[True], PICTURE)},
        space=BOX,
    )


@lru_cache
def truth(log_density: LogDensity, fine: bool) -> density.Truth:
    """What a task knows of itself on the evaluation grid; computed once."""
    return density.truth(log_density, BOX[:2], GRID[fine], GROWTH)


def measures(
    grid: np.ndarray, data: np.ndarray, truth: density.Truth, beta: float, threshold: float
) -> dict[str, float | None]:
    """All measures of an energy, from its values on the evaluation grid [G*G] and on held-out data [N]."""
    grid, data = grid.astype(np.float64), data.astype(np.float64)
    beta_star = density.fit_beta(grid, data, truth.area)
    gaps = density.far_minimum(grid, truth) - data
    return {
        "nll": density.nll(grid, data, truth.area, beta),
        "kl": density.kl(grid, truth, beta),
        "beta_star": beta_star,
        "kl_beta_star": density.kl(grid, truth, beta_star),
        "tv": density.total_variation(grid, truth, beta),
        "spurious_mass": density.spurious_mass(grid, truth, beta),
        "auroc": collapse.auroc(data, grid),
        "low_energy_share": density.low_energy_share(grid, data, truth),
        "energy_spread": float(np.std(grid)),
        "energy_level": float(np.mean(data)),
        **margin.summary(gaps, threshold),
    }


# --- the densities ---------------------------------------------------------------------------------------------------


def _gaussians(centres: np.ndarray, sd: float) -> Task:
    """An even mixture of round Gaussians. centres: [M, 2]."""

    def draw(key, size):
        which, noise = jax.random.split(key)
        chosen = jnp.asarray(centres, jnp.float32)[jax.random.randint(which, (size,), 0, len(centres))]
        return chosen + sd * jax.random.normal(noise, (size, 2))

    return plane(draw, _mixture(tuple(map(tuple, centres.tolist())), sd))


@lru_cache
def _mixture(centres: tuple[tuple[float, float], ...], sd: float, weights: tuple[float, ...] = ()) -> LogDensity:
    """The log-density of a mixture of round Gaussians, one per centre; even weights unless given."""
    middle = np.asarray(centres)
    share = np.log(weights if weights else np.full(len(middle), 1 / len(middle)))

    def log_density(y: np.ndarray) -> np.ndarray:
        total = np.full(len(y), -np.inf)
        for centre, weight in zip(middle, share, strict=True):  # a loop keeps memory at one value a point
            squared = np.square(y[:, 0] - centre[0]) + np.square(y[:, 1] - centre[1])
            total = np.logaddexp(total, weight - squared / (2 * sd**2))
        return total - np.log(2 * np.pi * sd**2)

    return log_density


@task(**PLANE)
def moons() -> Task:
    """two interleaved half circles of radius 2 with Gaussian noise of sd 0.2"""

    def draw(key, size):
        which, angle, noise = jax.random.split(key, 3)
        t = jax.random.uniform(angle, (size,), maxval=jnp.pi)
        upper = jnp.stack([jnp.cos(t), jnp.sin(t)], axis=1)
        lower = jnp.stack([1 - jnp.cos(t), 0.5 - jnp.sin(t)], axis=1)
        arcs = jnp.where(jax.random.bernoulli(which, 0.5, (size, 1)), upper, lower)
        return 2 * (arcs + 0.1 * jax.random.normal(noise, (size, 2))) + jnp.array([-1.0, -0.2])

    return plane(draw, _moons_density())


@lru_cache
def _moons_density() -> LogDensity:
    # The angle is integrated by Gauss-Legendre: 64 nodes lie half a standard deviation apart, far past convergence.
    node, weight = np.polynomial.legendre.leggauss(64)
    t = (node + 1) * np.pi / 2
    upper = np.stack([np.cos(t), np.sin(t)], axis=1)
    lower = np.stack([1 - np.cos(t), 0.5 - np.sin(t)], axis=1)
    centres = 2 * np.concatenate([upper, lower]) + np.array([-1.0, -0.2])
    return _mixture(tuple(map(tuple, centres.tolist())), 0.2, tuple(np.tile(weight / 4, 2)))


@task(**PLANE)
def _8gaussians() -> Task:
    """eight Gaussians of sd 0.35 on a circle of radius 2.83"""
    angle = 2 * np.pi * np.arange(8) / 8
    return _gaussians(4 * np.stack([np.cos(angle), np.sin(angle)], axis=1) / 1.414, 0.5 / 1.414)
