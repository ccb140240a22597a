"""Losses that look at the right answer alone, at all answers at once, or at samples of the model."""

from typing import Annotated

from ebmcli.core.citations import LECTURE, TUTORIAL
from ebmcli.core.decorators import loss
from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.types import Energies, NonNegative, TimesBeta


@loss("", promised="none", flat="F", reference=f"{TUTORIAL}, section 2.2")
def energy(e: Energies) -> Array:
    """F+"""
    return e.positive


@loss(
    "minimum", promised="0", flat="0", reference=f"{TUTORIAL}, section 2.2; Collins 2002", also="structured-perceptron"
)
def perceptron(e: Energies) -> Array:
    """F+ - min over all y of F(y)"""
    # The minimum includes y itself, so the loss is never negative; relu makes its gradient at the tie exactly 0.
    return jax.nn.relu(e.positive - e.minimum)


@loss(
    "partition",
    promised="infinite",
    flat="ln|Y| / beta",
    estimates="density",
    reference=f"{TUTORIAL}, section 2.2",
    also="cross-entropy softmax crf likelihood log-likelihood maximum-likelihood mle negative-log-likelihood",
)
def nll(e: Energies) -> Array:
    """F+ + (1/beta) log sum over all y of exp(-beta F(y))"""
    return e.positive - e.free


@loss(
    "partition probability",
    promised="infinite",
    flat="1 - 1/|Y|",
    reference=f"{TUTORIAL}, section 2.2; Ljolje et al. 1990",
    also="minimum-empirical-error",
)
def mee(e: Energies) -> Array:
    """1 - exp(-beta F+) / sum over all y of exp(-beta F(y))"""
    return -jnp.expm1(-e.beta * jax.nn.relu(e.positive - e.free))  # free <= F+ but for rounding


@loss(
    promised="-",
    flat="2 alpha F^2",
    wants="model",
    penalty="alpha",
    reference=f"{LECTURE}; Du & Mordatch 2019 for alpha",
    also="contrastive-divergence maximum-likelihood mle likelihood",
)
def ml(e: Energies, alpha: Annotated[NonNegative, TimesBeta] = 0.1) -> Array:
    """F+ - F- + alpha ((F+)^2 + (F-)^2), y- drawn from the model: its gradient is that of nll"""
    # With G = beta F it is 1/beta times G+ - G- + (alpha/beta) ((G+)^2 + (G-)^2): hence the default times beta.
    # A sample that happens to be y counts: without it the gradient would not be that of nll.
    levels = jnp.square(e.positive) + jnp.square(e.negatives).mean()
    return e.positive - e.negatives.mean() + alpha * levels
