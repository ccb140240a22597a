"""Losses that look at the right answer alone, or at all answers at once."""

from ebmcli.lazy import Array, jax
from ebmcli.losses import TUTORIAL
from ebmcli.registry import loss
from ebmcli.types import Energies


@loss("", promised="none", reference=f"{TUTORIAL}, section 2.2")
def energy(e: Energies) -> Array:
    """F+"""
    return e.positive


@loss("minimum", promised="0", reference=f"{TUTORIAL}, section 2.2; Collins 2002")
def perceptron(e: Energies) -> Array:
    """F+ - min over all y of F(y)"""
    # The minimum includes y itself, so the loss is never negative; relu makes its gradient at the tie exactly 0.
    return jax.nn.relu(e.positive - e.minimum)


@loss("partition", promised="infinite", reference=f"{TUTORIAL}, section 2.2")
def nll(e: Energies) -> Array:
    """F+ + (1/beta) log sum over all y of exp(-beta F(y))"""
    return e.positive - e.free
