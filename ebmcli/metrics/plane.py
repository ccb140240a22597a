"""Measures of an energy F(y) on the plane, where everything can be integrated."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ebmcli.core.decorators import measure
from ebmcli.metrics import collapse, density


@dataclass(frozen=True)
class PlaneEvaluation:
    """An energy at the points of the plane on which it is measured, and the truth there."""

    grid: np.ndarray  # [G*G] float64, the energy on the evaluation grid
    data: np.ndarray  # [N] float64, the energy of the held-out data
    truth: density.Truth
    beta: float
    threshold: float  # the gap that counts as kept
    nodes: np.ndarray | None = None  # [Q] float64, the energy where Z is integrated, if that is not on the grid
    log_volume: float = 0.0  # of a unit volume of the plane, nats, in the units in which densities are told

    @property
    def cover(self) -> np.ndarray:
        """[Q]: the energy where Z is integrated."""
        return self.grid if self.nodes is None else self.nodes

    @cached_property
    def beta_star(self) -> float:
        """The inverse temperature at which the held-out data are likeliest."""
        return density.fit_beta(self.cover, self.data, self.truth.area)

    @cached_property
    def offending(self) -> float:
        """The lowest energy outside the data region."""
        return density.far_minimum(self.grid, self.truth)

    @cached_property
    def gaps(self) -> np.ndarray:
        """[N]: how far the most offending energy lies above that of each datum."""
        return self.offending - self.data


def _has_density(e: PlaneEvaluation) -> bool:
    return e.truth.log_density is not None


def _is_mixture(e: PlaneEvaluation) -> bool:
    return e.truth.modes is not None


# --- as a density ----------------------------------------------------------------------------------------------------


@measure(
    better="lower",
    accuracy=True,
    curve=True,
    note="kl: KL(true || model), nats, at the β of training; at β*: at the inverse temperature best for new data.",
)
def kl(e: PlaneEvaluation) -> float | None:
    """KL(true || model), nats, at the beta of training; None where the data lie on a curve."""
    return density.kl(e.grid, e.truth, e.beta) if _has_density(e) else None


@measure(heading="kl at β*", better="lower", accuracy=True)
def kl_beta_star(e: PlaneEvaluation) -> float | None:
    """KL(true || model), nats, at the inverse temperature best for held-out data."""
    return density.kl(e.grid, e.truth, e.beta_star) if _has_density(e) else None


@measure()
def kl_error(e: PlaneEvaluation) -> float | None:
    """By how much kl differs, at most, on a grid of half the cells a side."""
    return density.kl_error(e.grid, e.truth, e.beta) if _has_density(e) else None


@measure(
    better="lower",
    accuracy=True,
    curve=True,
    note="nll: of held-out data, nats an example, at the β of training; at β*: at the inverse temperature best for "
    "new data.",
)
def nll(e: PlaneEvaluation) -> float:
    """Negative log-likelihood of held-out data, nats an example, at the beta of training."""
    return density.nll(e.cover, e.data, e.truth.area, e.beta) + e.log_volume


@measure(heading="nll at β*", better="lower", accuracy=True)
def nll_beta_star(e: PlaneEvaluation) -> float:
    """Negative log-likelihood of held-out data, nats an example, at the inverse temperature best for them."""
    return density.nll(e.cover, e.data, e.truth.area, e.beta_star) + e.log_volume


@measure()
def nll_error(e: PlaneEvaluation) -> float:
    """By how much nll differs, at most, on a grid of half the cells a side."""
    return density.nll_error(e.cover, e.truth.area, e.beta)


@measure(heading="β*")
def beta_star(e: PlaneEvaluation) -> float:
    """The inverse temperature at which held-out data are likeliest."""
    return e.beta_star


@measure(better="lower", accuracy=True, note="tv: half the integral of |true - model density|.")
def tv(e: PlaneEvaluation) -> float | None:
    """Half the integral of |true - model density|, between 0 and 1."""
    return density.total_variation(e.grid, e.truth, e.beta) if _has_density(e) else None


@measure(
    heading="spurious mass",
    better="lower",
    accuracy=True,
    note="spurious mass: the model's mass outside the region that holds 99.9 % of the true mass.",
)
def spurious_mass(e: PlaneEvaluation) -> float | None:
    """The model's mass outside the region that holds 99.9 % of the true mass."""
    return density.spurious_mass(e.grid, e.truth, e.beta) if _has_density(e) else None


@measure(
    heading="mse of log-density",
    better="lower",
    accuracy=True,
    note="mse of log-density: mean square of log model - log true density at held-out data, nats².",
)
def mse_log_density(e: PlaneEvaluation) -> float | None:
    """Mean square of log model - log true density at held-out data, nats squared."""
    if not _has_density(e) or e.truth.held_out is None:
        return None
    return density.mse_log_density(e.grid, e.data, e.truth, e.beta)


@measure(
    better="higher",
    accuracy=True,
    when=_is_mixture,
    note="modes: centres of the mixture with at least a tenth of their even share of the model's mass within 3 sd.",
)
def modes(e: PlaneEvaluation) -> float:
    """The number of centres of the mixture that the model covers."""
    return density.modes(e.grid, e.truth, e.beta)


@measure(
    heading="high quality",
    better="higher",
    accuracy=True,
    when=_is_mixture,
    note="high quality: the model's mass within 3 sd of a centre; a perfect model has 0.99.",
)
def high_quality(e: PlaneEvaluation) -> float:
    """The model's mass within 3 sd of a centre of the mixture."""
    return density.high_quality(e.grid, e.truth, e.beta)


# --- as an energy ----------------------------------------------------------------------------------------------------


@measure(
    better="higher",
    accuracy=True,
    curve=True,
    note="auroc: probability that a right answer has a lower energy than another one; chance is 0.5.",
)
def auroc(e: PlaneEvaluation) -> float:
    """The probability that a held-out datum has a lower energy than a point of the box."""
    return collapse.auroc(e.data, e.grid)


@measure()
def low_energy_share(e: PlaneEvaluation) -> float:
    """The share of the region far from the data whose energies are as low as the data's."""
    return density.low_energy_share(e.grid, e.data, e.truth)


@measure()
def energy_spread(e: PlaneEvaluation) -> float:
    """The standard deviation of the energy over the box."""
    return float(np.std(e.grid))


@measure()
def energy_level(e: PlaneEvaluation) -> float:
    """The mean energy of the held-out data."""
    return float(np.mean(e.data))


@measure()
def offending_level(e: PlaneEvaluation) -> float:
    """The lowest energy outside the data region."""
    return e.offending
