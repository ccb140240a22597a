"""Measures of an energy F(y) on the plane, where everything can be integrated."""

import numpy as np

from ebmcli.metrics import collapse, density, margin


def measures(
    grid: np.ndarray,
    data: np.ndarray,
    truth: density.Truth,
    beta: float,
    threshold: float,
    nodes: np.ndarray | None = None,
) -> dict[str, float | None]:
    """All measures of an energy, from its values on the evaluation grid [G*G], on held-out data [N] and, where Z is not
    integrated on the grid, at the nodes [Q] where it is."""
    grid, data = grid.astype(np.float64), data.astype(np.float64)
    cover = grid if nodes is None else nodes.astype(np.float64)
    beta_star = density.fit_beta(cover, data, truth.area)
    offending = density.far_minimum(grid, truth)
    return {
        "nll": density.nll(cover, data, truth.area, beta),
        "nll_error": density.nll_error(cover, truth.area, beta),
        "beta_star": beta_star,
        "nll_beta_star": density.nll(cover, data, truth.area, beta_star),
        **_against_the_density(grid, data, truth, beta, beta_star),
        "auroc": collapse.auroc(data, grid),
        "low_energy_share": density.low_energy_share(grid, data, truth),
        "energy_spread": float(np.std(grid)),
        "energy_level": float(np.mean(data)),
        "offending_level": offending,
        **margin.summary(offending - data, threshold),
    }


def _against_the_density(
    grid: np.ndarray, data: np.ndarray, truth: density.Truth, beta: float, beta_star: float
) -> dict[str, float | None]:
    """What compares the model with the true density; None on a curve, which has none."""
    names = ("kl", "kl_error", "kl_beta_star", "tv", "spurious_mass", "mse_log_density")
    if truth.log_density is None:
        return dict.fromkeys(names)
    found = [
        density.kl(grid, truth, beta),
        density.kl_error(grid, truth, beta),
        density.kl(grid, truth, beta_star),
        density.total_variation(grid, truth, beta),
        density.spurious_mass(grid, truth, beta),
        None if truth.held_out is None else density.mse_log_density(grid, data, truth, beta),
    ]
    of_a_mixture = {"modes": density.modes, "high_quality": density.high_quality} if truth.modes is not None else {}
    return dict(zip(names, found, strict=True)) | {
        name: function(grid, truth, beta) for name, function in of_a_mixture.items()
    }
