"""Exact log-densities on the plane, in numpy: functions of points [N, 2] that return [N] nats.

Those that have something to prepare are made once, so that the same density is the same function.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

LogDensity = Callable[[np.ndarray], np.ndarray]  # [N, 2] -> [N], nats

FLOOR = -700.0  # nats: stands for the log of nothing, for p log p must be 0 there, not nan
BLOCK = 4_000_000  # values that a sum over components may hold at once


def legendre(low: float, high: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes [count] of an interval, and their shares of it (they sum to 1)."""
    node, weight = np.polynomial.legendre.leggauss(count)
    return low + (high - low) * (node + 1) / 2, weight / 2


def mixture(centres: np.ndarray, sd: float, weights: np.ndarray | None = None, width: float = 0.0) -> LogDensity:
    """Round Gaussians about centres [M, 2], even unless weights [M] are given; each first spread evenly over a square
    of this width about its centre.

    A component is a product over the two axes, so on a grid the whole sum is one product of two matrices.
    """
    shares = np.full(len(centres), 1 / len(centres)) if weights is None else weights

    def axis(values: np.ndarray, middle: np.ndarray) -> np.ndarray:
        """[U, M]: the density of each component along one axis."""
        from scipy.special import ndtr

        away = np.abs(values[:, None] - middle)
        if width == 0:
            return np.exp(-np.square(away / sd) / 2) / (np.sqrt(2 * np.pi) * sd)
        return (ndtr((width / 2 - away) / sd) - ndtr((-width / 2 - away) / sd)) / width  # far out, small minus small

    def log_density(y: np.ndarray) -> np.ndarray:
        (first, at_first), (second, at_second) = (np.unique(column, return_inverse=True) for column in y.T)
        if len(first) * len(second) <= 2 * len(y):  # a grid
            table = (axis(first, centres[:, 0]) * shares) @ axis(second, centres[:, 1]).T
            return logarithm(table[at_first, at_second])
        blocks = np.array_split(y, 1 + len(y) * len(centres) // BLOCK)
        total = [(axis(b[:, 0], centres[:, 0]) * axis(b[:, 1], centres[:, 1])) @ shares for b in blocks]
        return logarithm(np.concatenate(total))

    return log_density


def logarithm(p: np.ndarray) -> np.ndarray:
    """log p, and FLOOR where that is less."""
    return np.log(np.maximum(p, np.exp(FLOOR)))


@lru_cache
def gaussians(centres: tuple[tuple[float, float], ...], sd: float) -> LogDensity:
    """An even mixture of round Gaussians."""
    return mixture(np.array(centres), sd)


@lru_cache
def rings(radii: tuple[float, ...], sd: float) -> LogDensity:
    """Circles about the origin, equally likely, each convolved with a round Gaussian: log of a mean of
    exp(-(r - R)^2/2s^2) i0e(r R/s^2) / (2 pi s^2)."""

    def log_density(y: np.ndarray) -> np.ndarray:
        from scipy.special import i0e, logsumexp

        r, radius = np.hypot(*y.T), np.array(radii)[:, None]
        terms = np.log(i0e(r * radius / sd**2)) - np.square((r - radius) / sd) / 2
        return logsumexp(terms, axis=0) - np.log(2 * np.pi * sd**2 * len(radii))

    return log_density


@lru_cache
def moons() -> LogDensity:
    """Two half circles of radius 2, about (-1, -0.2) and (1, 0.8); sd 0.2. The nodes lie at most 0.8 of that apart."""
    t, weight = legendre(0, np.pi, 64)
    upper = np.stack([np.cos(t), np.sin(t)], axis=1)
    lower = np.stack([1 - np.cos(t), 0.5 - np.sin(t)], axis=1)
    return mixture(2 * np.concatenate([upper, lower]) + [-1.0, -0.2], 0.2, np.tile(weight / 2, 2))


@lru_cache
def swissroll() -> LogDensity:
    """(t cos t, t sin t)/5, t uniform between 1.5 and 4.5 pi; sd 0.2. The nodes lie at most 0.8 of that apart."""
    t, weight = legendre(1.5 * np.pi, 4.5 * np.pi, 256)
    return mixture(np.stack([t * np.cos(t), t * np.sin(t)], axis=1) / 5, 0.2, weight)


@lru_cache
def two_spirals() -> LogDensity:
    """+-((-n cos n, n sin n) + a point of [0, 1/2]^2)/3, n = 3 pi sqrt(u); sd 0.1. As close."""
    n, weight = legendre(0, 3 * np.pi, 400)
    weight = weight * 2 * n / (3 * np.pi)  # the density of n is 2 n/(3 pi)^2
    middle = (np.stack([-n * np.cos(n), n * np.sin(n)], axis=1) + 1 / 4) / 3  # of the square
    return mixture(np.concatenate([middle, -middle]), 0.1, np.tile(weight / 2, 2), width=1 / 6)


def checkerboard(y: np.ndarray) -> np.ndarray:
    """Uniform on eight squares of side 2: where row and column of the board [-4, 4]^2 add up to an even number."""
    column, row = np.floor(y.T / 2)
    on = ((y >= -4) & (y < 4)).all(axis=1) & ((column + row) % 2 == 0)
    return np.where(on, -np.log(32.0), FLOOR)
