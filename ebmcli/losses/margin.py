"""Losses of a pair: the energy of the right answer against that of a wrong one, lifted to K by the mean."""

from ebmcli.lazy import Array, jax, jnp
from ebmcli.losses import TUTORIAL
from ebmcli.registry import loss
from ebmcli.types import Energies, Positive


@loss(promised="m", reference=f"{TUTORIAL}, section 2.2; Taskar et al. 2003 for m(y, y-)")
def hinge(e: Energies, margin: Positive = 1.0) -> Array:
    """[m + F+ - F-]+"""
    return jax.nn.relu(margin * e.distance + e.positive - e.negatives).mean()


@loss(promised="infinite", reference=f"{TUTORIAL}, section 2.2")
def log(e: Energies) -> Array:
    """log(1 + exp(F+ - F-))"""
    return jax.nn.softplus(e.positive - e.negatives).mean()


@loss(promised="m, absolute", reference=f"{TUTORIAL}, section 2.2, with []+ on F+; LeCun & Huang 2005")
def square_square(e: Energies, margin: Positive = 1.0) -> Array:
    """([F+]+)^2 + ([m - F-]+)^2"""
    # The []+ on F+ makes an energy of either sign legal. The lecture's table prints a minus: that one collapses.
    return jnp.square(jax.nn.relu(e.positive)) + jnp.square(jax.nn.relu(margin * e.distance - e.negatives)).mean()
