"""Exact measures of an energy on the plane: everything is an integral over a grid of cell mid-points."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DATA_REGION = 0.999  # share of the true mass in the smallest region that is called the data's


class Truth(NamedTuple):
    """A density on the evaluation grid of G x G cells, flattened."""

    log_density: np.ndarray  # [G*G] nats
    area: float  # of a cell
    data_region: np.ndarray  # [G*G] bool: the smallest region that holds 99.9 % of the mass
    far: np.ndarray  # [G*G] bool: outside the data region grown by `growth`


def grid(box: tuple[float, float], cells: int) -> np.ndarray:
    """[cells^2, 2]: the mid-points of the cells of a square, row by row (the second coordinate changes slowest)."""
    low, high = box
    middle = low + (high - low) * (np.arange(cells) + 0.5) / cells
    return np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)


def coarser(energy: np.ndarray, cells: int, factor: int) -> np.ndarray:
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
    return Truth(log_p, width**2, region, distance > growth)


def log_partition(energy: np.ndarray, area: float, beta: float) -> float:
    """log Z = log of the integral of exp(-beta F) over the box, nats. energy: [G*G]."""
    exponent = -beta * energy
    top = exponent.max()
    return float(top + np.log(np.exp(exponent - top).sum() * area))


def nll(energy: np.ndarray, data: np.ndarray, area: float, beta: float) -> float:
    """Negative log-likelihood of held-out data, nats an example: beta E[F] + log Z. data: [N] their energies."""
    return beta * float(data.mean()) + log_partition(energy, area, beta)


def kl(energy: np.ndarray, truth: Truth, beta: float) -> float:
    """KL(true || model) = integral of p (log p + beta F) + log Z, nats; free of sampling noise."""
    p = np.exp(truth.log_density)
    return float(np.sum(p * (truth.log_density + beta * energy)) * truth.area) + log_partition(energy, truth.area, beta)


def fit_beta(energy: np.ndarray, data: np.ndarray, area: float) -> float:
    """beta* = the inverse temperature in [1e-3, 1e3] at which held-out data are likeliest (the nll is convex in it)."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_beta: nll(energy, data, area, float(np.exp(log_beta))),
        bounds=(np.log(1e-3), np.log(1e3)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def _model(energy: np.ndarray, truth: Truth, beta: float) -> np.ndarray:
    return np.exp(-beta * energy - log_partition(energy, truth.area, beta))


def total_variation(energy: np.ndarray, truth: Truth, beta: float) -> float:
    """Half the integral of |p - model|, between 0 and 1."""
    return float(0.5 * np.abs(np.exp(truth.log_density) - _model(energy, truth, beta)).sum() * truth.area)


def spurious_mass(energy: np.ndarray, truth: Truth, beta: float) -> float:
    """The model's mass outside the 99.9 % data region (the true density has 0.001)."""
    return float(_model(energy, truth, beta)[~truth.data_region].sum() * truth.area)


def low_energy_share(energy: np.ndarray, data: np.ndarray, truth: Truth) -> float:
    """The share of the far region whose energy lies below the 95th percentile of the data's."""
    return float(np.mean(energy[truth.far] < np.quantile(data, 0.95)))


def far_minimum(energy: np.ndarray, truth: Truth) -> float:
    """The most offending energy on the plane: the lowest outside the grown data region."""
    return float(energy[truth.far].min())
