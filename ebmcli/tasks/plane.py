"""Unconditional F(y) on the plane, its truth known exactly: the set of FFJORD (Grathwohl et al. 2019)."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ebmcli.core import streams
from ebmcli.core.decorators import task
from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.types import Task
from ebmcli.metrics import density
from ebmcli.tasks import _log_densities as densities
from ebmcli.tasks import _pinwheel
from ebmcli.tasks._defaults import EMPIRICAL, PLANE
from ebmcli.tasks._log_densities import LogDensity
from ebmcli.tasks._plane import BOX, DATA_GROWTH, GRID, HELD_OUT, HELD_OUT_SEED, on_the_plane

MIXTURE = PLANE | {"measures": f"{PLANE['measures']} modes high_quality"}
ROUGH = PLANE | {"smooth": False}
CURVE = ROUGH | {"measures": EMPIRICAL["measures"]}

Draw = Callable[[Key, int], Array]  # (key, size) -> [size, 2], in jax


def plane(draw: Draw, log_density: LogDensity, centres: np.ndarray | None = None, sd: float = 0.0) -> Task:
    """A task from its sampler and its log-density; centres [M, 2] and sd where it is an even mixture."""
    held_out = _held_out(draw)

    @lru_cache
    def known(fine: bool) -> density.Truth:
        at_data = log_density(held_out()[: HELD_OUT[fine]].astype(np.float64))
        points = density.grid(BOX[:2], GRID[fine])
        modes = None if centres is None else density.modes_of(centres, sd, points)
        return truth(log_density, fine)._replace(held_out=at_data, modes=modes)

    return on_the_plane(_afresh(draw), held_out, known)._replace(truth=log_density)


def curve(draw: Draw, height: Callable[[np.ndarray], np.ndarray], ends: tuple[float, float]) -> Task:
    """A task whose data lie on the curve y2 = height(y1): there is no density to compare with, and what counts as the
    data's region is what lies within DATA_GROWTH of the curve."""

    @lru_cache
    def known(fine: bool) -> density.Truth:
        return density.curve_truth(height, BOX[:2], ends, GRID[fine], DATA_GROWTH)

    nodes = lru_cache(lambda fine: density.curve_nodes(height, BOX[:2], GRID[fine])[0])
    return on_the_plane(_afresh(draw), _held_out(draw), known, nodes)


def _afresh(draw: Draw) -> Callable[..., Array]:
    return lambda key, data, size: draw(key, size)


def _held_out(draw: Draw) -> Callable[[], np.ndarray]:
    size = max(HELD_OUT.values())
    return lru_cache(lambda: np.asarray(jax.jit(lambda key: draw(key, size))(streams.of_tests(HELD_OUT_SEED))))


@lru_cache
def truth(log_density: LogDensity, fine: bool) -> density.Truth:
    """The truth about a density on the evaluation grid; computed once."""
    return density.truth(log_density, BOX[:2], GRID[fine], DATA_GROWTH)


# --- the densities ---------------------------------------------------------------------------------------------------


def _gaussians(centres: np.ndarray, sd: float) -> Task:
    """An even mixture of round Gaussians. centres: [M, 2]."""

    def draw(key: Key, size: int) -> Array:
        which, noise = jax.random.split(key)
        chosen = jnp.asarray(centres, jnp.float32)[jax.random.randint(which, (size,), 0, len(centres))]
        return chosen + sd * jax.random.normal(noise, (size, 2))

    return plane(draw, densities.gaussians(tuple(map(tuple, centres.tolist())), sd), centres, sd)


@task(**PLANE, default=True, also="two-moons make-moons half-moons")
def moons() -> Task:
    """two interleaved half circles of radius 2 with Gaussian noise of sd 0.2"""

    def draw(key: Key, size: int) -> Array:
        which, angle, noise = jax.random.split(key, 3)
        t = jax.random.uniform(angle, (size,), maxval=jnp.pi)
        upper = jnp.stack([jnp.cos(t), jnp.sin(t)], axis=1)
        lower = jnp.stack([1 - jnp.cos(t), 0.5 - jnp.sin(t)], axis=1)
        arcs = jnp.where(jax.random.bernoulli(which, 0.5, (size, 1)), upper, lower)
        return 2 * (arcs + 0.1 * jax.random.normal(noise, (size, 2))) + jnp.array([[-1.0, -0.2]])

    return plane(draw, densities.moons())


@task(**MIXTURE, also="gaussians gmm mixture 8-gaussians eight-gaussians")
def _8gaussians() -> Task:
    """eight Gaussians of sd 0.35 on a circle of radius 2.83"""
    angle = 2 * np.pi * np.arange(8) / 8
    return _gaussians(4 * np.stack([np.cos(angle), np.sin(angle)], axis=1) / 1.414, 0.5 / 1.414)


@task(**MIXTURE)
def _25gaussians() -> Task:
    """twenty-five Gaussians of sd 0.14 on a square lattice, 1.41 apart"""
    return _gaussians(density.grid((-5.0, 5.0), 5) / 1.414, 0.2 / 1.414)


def _circles(radii: tuple[float, ...], sd: float) -> Task:
    """Circles about the origin, equally likely, with Gaussian noise."""

    def draw(key: Key, size: int) -> Array:
        which, angle, noise = jax.random.split(key, 3)
        radius = jnp.asarray(radii)[jax.random.randint(which, (size, 1), 0, len(radii))]
        t = jax.random.uniform(angle, (size,), maxval=2 * jnp.pi)
        return radius * jnp.stack([jnp.cos(t), jnp.sin(t)], axis=1) + sd * jax.random.normal(noise, (size, 2))

    return plane(draw, densities.rings(radii, sd))


@task(**PLANE, also="make-circles")
def circles() -> Task:
    """two circles of radius 3 and 1.5 with Gaussian noise of sd 0.24"""
    return _circles((3.0, 1.5), 0.24)


@task(**PLANE)
def rings() -> Task:
    """four circles of radius 3, 2.25, 1.5 and 0.75 with Gaussian noise of sd 0.08"""
    return _circles((3.0, 2.25, 1.5, 0.75), 0.08)


@task(**PLANE, also="swiss-roll")
def swissroll() -> Task:
    """the spiral (t cos t, t sin t)/5, t between 1.5 and 4.5 pi, with Gaussian noise of sd 0.2"""

    def draw(key: Key, size: int) -> Array:
        angle, noise = jax.random.split(key)
        t = jax.random.uniform(angle, (size, 1), minval=1.5 * jnp.pi, maxval=4.5 * jnp.pi)
        roll = t * jnp.concatenate([jnp.cos(t), jnp.sin(t)], axis=1)
        return (roll + jax.random.normal(noise, (size, 2))) / 5

    return plane(draw, densities.swissroll())


@task(**PLANE)
def pinwheel() -> Task:
    """five arms, each a Gaussian of sd 0.6 along and 0.2 across, bent clockwise (Johnson et al. 2016)"""
    return plane(lambda key, size: _pinwheel.draw(key, size)[0], _pinwheel.log_density)


# With nll and 3 seeds, 2,000 steps leave a kl of 0.04 to 0.07, these 0.010 to 0.014; more nodes or units help less.
@task(**PLANE | {"defaults": PLANE["defaults"] | {"steps": 4_000}}, also="spirals two-spirals")
def _2spirals() -> Task:
    """two spirals (-n cos n, n sin n)/3, n = 3 pi sqrt(u), each with noise of a square of side 1/6 and of sd 0.1"""

    def draw(key: Key, size: int) -> Array:
        which, along, square, noise = jax.random.split(key, 4)
        n = 3 * jnp.pi * jnp.sqrt(jax.random.uniform(along, (size, 1)))
        arm = n * jnp.concatenate([-jnp.cos(n), jnp.sin(n)], axis=1) + 0.5 * jax.random.uniform(square, (size, 2))
        both = jnp.where(jax.random.bernoulli(which, 0.5, (size, 1)), arm, -arm)
        return both / 3 + 0.1 * jax.random.normal(noise, (size, 2))

    return plane(draw, densities.two_spirals())


@task(**ROUGH)
def checkerboard() -> Task:
    """uniform on eight squares of side 2, those of one colour of a board of sixteen: a density with jumps"""

    def draw(key: Key, size: int) -> Array:
        column, place, row = jax.random.split(key, 3)
        first = jax.random.uniform(column, (size,), minval=-2.0, maxval=2.0)
        second = jax.random.uniform(place, (size,)) - 2 * jax.random.randint(row, (size,), 0, 2)
        return 2 * jnp.stack([first, second + jnp.floor(first) % 2], axis=1)

    return plane(draw, densities.checkerboard)


# --- curves: no density ----------------------------------------------------------------------------------------------


def _graph(height: Callable[[Any, Any], Any]) -> Task:
    """Points (x, height), x uniform between -2.5 and 2.5. height: (x, the module, numpy or jax.numpy, that x is of)."""

    def draw(key: Key, size: int) -> Array:
        x = jax.random.uniform(key, (size,), minval=-2.5, maxval=2.5)
        return jnp.stack([x, height(x, jnp)], axis=1)

    return curve(draw, lambda x: height(x, np), (-2.5, 2.5))


@task(**CURVE)
def line() -> Task:
    """the points y2 = y1, y1 between -2.5 and 2.5: a curve, which has no density (no kl, no spurious mass)"""
    return _graph(lambda x, module: x)


@task(**CURVE)
def cos() -> Task:
    """the points y2 = 2.5 sin y1, y1 between -2.5 and 2.5: a curve, which has no density (no kl, no spurious mass)"""
    return _graph(lambda x, module: 2.5 * module.sin(x))
