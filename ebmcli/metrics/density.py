"""Exact measures of an energy on the plane: everything is an integral over a grid of cell mid-points."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DATA_REGION = 0.999  # share of the true mass in the smallest region that is called the data's
WITHIN = 3.0  # standard deviations: what lies that near the centre of a mode belongs to it
STEEP = 8.0  # the nodes next to a curve lie sinh(8)/8 = 186 times as close as cells would
BETAS = 1e-3, 1e3  # between which the best inverse temperature is sought
MODE_SHARE = 0.1  # of its even share of the mass: with less of it a mode counts as missed


Area = float | np.ndarray  # of every point of a quadrature, or of each: [Q]


class Truth(NamedTuple):
    """The truth about a task on the evaluation grid of G x G cells, flattened: a density, or a curve that has none."""

    log_density: np.ndarray | None  # [G*G] nats, its mass summing to 1 on the grid; None where the data lie on a curve
    area: Area  # of a cell; [Q] of curve_nodes, where Z is integrated on these
    data_region: np.ndarray  # [G*G] bool: the smallest region that holds 99.9 % of the mass; what lies near the curve
    far: np.ndarray  # [G*G] bool: outside the data region grown by `growth`
    held_out: np.ndarray | None = None  # [N] the log-density of the held-out data
    modes: np.ndarray | None = None  # [M, G*G] bool, of a mixture: the cells within 3 sd of each centre


def grid(box: tuple[float, float], cells: int) -> np.ndarray:
    """[cells^2, 2]: the mid-points of the cells of a square, row by row (the second coordinate changes slowest)."""
    low, high = box
    middle = low + (high - low) * (np.arange(cells) + 0.5) / cells
    return np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)


def coarsen(energy: np.ndarray, cells: int, factor: int) -> np.ndarray:
    """[cells/factor, cells/factor]: means over blocks of factor x factor cells. energy: [cells^2]."""
    side = cells // factor
    return energy.reshape(side, factor, side, factor).mean(axis=(1, 3))


def truth(
    log_density: Callable[[np.ndarray], np.ndarray], box: tuple[float, float], cells: int, growth: float
) -> Truth:
    """The density on the grid, with its data region and what lies farther than `growth` from it."""
    from scipy.ndimage import distance_transform_edt

    width = (box[1] - box[0]) / cells
    log_p = log_density(grid(box, cells))
    mass = np.exp(np.sort(log_p)[::-1]) * width**2
    last = int(np.searchsorted(np.cumsum(mass), DATA_REGION * mass.sum()))
    region = log_p >= np.sort(log_p)[::-1][last]
    distance = width * distance_transform_edt(~region.reshape(cells, cells)).ravel()
    return Truth(_normalised(log_p, width**2), width**2, region, distance > growth)


def curve_truth(
    height: Callable[[np.ndarray], np.ndarray],
    box: tuple[float, float],
    ends: tuple[float, float],
    cells: int,
    nearness: float,
) -> Truth:
    """The grid about the curve y2 = height(y1), y1 between its ends: no density, only what is near; and curve_nodes."""
    x = np.linspace(*ends, 10_001)
    close = cells_near(np.stack([x, height(x)], axis=1), box, cells, nearness)
    _, area = curve_nodes(height, box, cells)
    return Truth(None, area, close, ~close)


def cells_near(points: np.ndarray, box: tuple[float, float], cells: int, distance: float) -> np.ndarray:
    """[G*G] bool: the cells whose middle lies within that distance of a point. points: [N, 2]."""
    from scipy.spatial import cKDTree

    distances, _ = cKDTree(points).query(grid(box, cells), distance_upper_bound=distance)
    return np.isfinite(distances)  # infinite where none is


def cell_area(box: tuple[float, float], cells: int) -> float:
    """Of one of cells^2 cells of a square."""
    return ((box[1] - box[0]) / cells) ** 2


def curve_nodes(
    height: Callable[[np.ndarray], np.ndarray], box: tuple[float, float], cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points [cells^2, 2] that cover the box, ever denser towards the curve y2 = height(y1), and the area that each
    stands for, [cells^2]: an energy may dig a canyon along the curve that is narrower than any cell of the grid."""
    low, high = box
    side = cells // 2
    x = low + (high - low) * (np.arange(cells) + 0.5) / cells
    t = STEEP * (np.arange(side) + 0.5) / side
    place, width = np.sinh(t) / np.sinh(STEEP), STEEP / side * np.cosh(t) / np.sinh(STEEP)  # of the way to the wall
    middle = height(x)[:, None]
    below, above = middle - low, high - middle
    y = np.concatenate([middle - below * place[::-1], middle + above * place], axis=1)
    area = np.concatenate([below * width[::-1], above * width], axis=1) * (high - low) / cells
    return np.stack([np.broadcast_to(x[:, None], y.shape), y], axis=-1).reshape(-1, 2), area.ravel()


def modes_of(centres: np.ndarray, sd: float, points: np.ndarray) -> np.ndarray:
    """[M, N] bool: the points that are nearer to a centre [M, 2] than to the others, and within 3 sd of it."""
    from scipy.spatial import cKDTree

    _, nearest = cKDTree(centres).query(points, distance_upper_bound=WITHIN * sd)  # M where none is
    return nearest == np.arange(len(centres))[:, None]


def log_partition(energy: np.ndarray, area: Area, beta: float) -> float:
    """log Z = log of the integral of exp(-beta F) over the box, nats. energy: [Q], at points of these areas."""
    exponent = -beta * energy
    top = exponent.max()
    return float(top + np.log(np.sum(np.exp(exponent - top) * area)))


def nll(energy: np.ndarray, data: np.ndarray, area: Area, beta: float) -> float:
    """Negative log-likelihood of held-out data, nats an example: beta E[F] + log Z. data: [N] their energies."""
    return beta * float(data.mean()) + log_partition(energy, area, beta)


def kl(energy: np.ndarray, truth: Truth, beta: float) -> float:
    """KL(true || model) = integral of p (log p + beta F) + log Z, nats; free of sampling noise.

    p is made to sum to 1 on the grid: so the level of F does not matter, and kl is never negative.
    """
    return _kl(energy, _density_of(truth), truth.area, beta)


def _kl(energy: np.ndarray, log_p: np.ndarray, area: Area, beta: float) -> float:
    return float(np.sum(np.exp(log_p) * (log_p + beta * energy)) * area) + log_partition(energy, area, beta)


def kl_error(energy: np.ndarray, truth: Truth, beta: float) -> float:
    """By how much kl differs, at most, on one of the four grids of half the cells a side: an upper bound on how far
    the quadrature is off, where it converges."""
    log_p, area = _density_of(truth), 4 * truth.area
    thinned = [_kl(energy[part], _normalised(log_p[part], area), area, beta) for part in _halves(len(energy))]
    return float(np.abs(np.array(thinned) - kl(energy, truth, beta)).max())


def nll_error(energy: np.ndarray, area: Area, beta: float) -> float:
    """By how much nll differs, at most, on one of the four grids of half the cells a side: its only integral is Z."""
    whole = log_partition(energy, area, beta)
    each = np.broadcast_to(area, energy.shape)
    return max(abs(log_partition(energy[part], 4 * each[part], beta) - whole) for part in _halves(len(energy)))


def _halves(size: int) -> list[np.ndarray]:
    """The four grids that have every other point of one of `size` = G^2 points, G even, as places in it."""
    place = np.arange(size).reshape(math.isqrt(size), -1)
    return [place[row::2, column::2].ravel() for row in (0, 1) for column in (0, 1)]


def _normalised(log_p: np.ndarray, area: Area) -> np.ndarray:
    """A log-density that sums to exactly 1 over points of these areas."""
    return log_p - log_partition(-log_p, area, 1.0)


def _density_of(truth: Truth) -> np.ndarray:
    assert truth.log_density is not None, "a curve has no density"
    return truth.log_density


def mse_log_density(energy: np.ndarray, data: np.ndarray, truth: Truth, beta: float) -> float:
    """Mean square of log model - log true density, nats squared, on held-out data; the model is normalised on the box.

    data: [N] the energies of the held-out data, whose true log-densities are truth.held_out.
    """
    assert truth.held_out is not None, "the density is not known there"
    log_model = -beta * data - log_partition(energy, truth.area, beta)
    return float(np.mean(np.square(log_model - truth.held_out)))


def fit_beta(energy: np.ndarray, data: np.ndarray, area: Area) -> float:
    """beta* = the inverse temperature in [1e-3, 1e3] at which held-out data are likeliest, to a millionth.

    The nll is convex in beta: its slope, the mean energy of the data less that of the model, has at most one root.
    """
    from scipy.optimize import brentq

    right = data.mean()

    def slope(log_beta: float) -> float:
        exponent = -math.exp(log_beta) * energy
        weight = np.exp(exponent - exponent.max()) * area
        return float(right - weight @ energy / weight.sum())

    low, high = map(math.log, BETAS)
    if slope(low) >= 0:
        return BETAS[0]
    if slope(high) <= 0:
        return BETAS[1]
    return math.exp(brentq(slope, low, high, xtol=1e-6))


def _model(energy: np.ndarray, truth: Truth, beta: float) -> np.ndarray:
    return np.exp(-beta * energy - log_partition(energy, truth.area, beta))


def total_variation(energy: np.ndarray, truth: Truth, beta: float) -> float:
    """Half the integral of |p - model|, between 0 and 1."""
    return float(0.5 * np.abs(np.exp(_density_of(truth)) - _model(energy, truth, beta)).sum() * truth.area)


def spurious_mass(energy: np.ndarray, truth: Truth, beta: float) -> float:
    """The model's mass outside the 99.9 % data region (the true density has 0.001)."""
    return float(_model(energy, truth, beta)[~truth.data_region].sum() * truth.area)


def high_quality(energy: np.ndarray, truth: Truth, beta: float) -> float:
    """The model's mass within 3 sd of a centre: the share of exact draws from it that are called good.

    The true density has 98.89 % within 3 sd of the centre that a point was drawn about, slightly more within 3 sd of
    the nearest one (99.01 % on 8gaussians), which is what is counted: never 100 %.
    """
    return float(_mode_mass(energy, truth, beta).sum())


def modes(energy: np.ndarray, truth: Truth, beta: float) -> int:
    """The number of centres with at least a tenth of their even share of the model's mass within 3 sd of them."""
    mass = _mode_mass(energy, truth, beta)
    return int(np.sum(mass >= MODE_SHARE / len(mass)))


def _mode_mass(energy: np.ndarray, truth: Truth, beta: float) -> np.ndarray:
    """[M]: the model's mass within 3 sd of each centre, every cell counted for the nearest one."""
    assert truth.modes is not None, "only a mixture has modes"
    return truth.modes @ _model(energy, truth, beta) * truth.area


def low_energy_share(energy: np.ndarray, data: np.ndarray, truth: Truth) -> float:
    """The share of the far region whose energy lies below the 95th percentile of the data's."""
    return float(np.mean(energy[truth.far] < np.quantile(data, 0.95)))


def far_minimum(energy: np.ndarray, truth: Truth) -> float:
    """The most offending energy on the plane: the lowest outside the grown data region."""
    return float(energy[truth.far].min())
