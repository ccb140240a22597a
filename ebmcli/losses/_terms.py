"""Sums and means over the wrong answers of one example."""

from ebmcli.core.lazy import Array, jnp
from ebmcli.core.types import Energies


def total(e: Energies, terms: Array) -> Array:
    """[]: the sum of the terms [K] of wrong answers; a negative at distance 0 is the right answer and not counted."""
    return jnp.sum(jnp.where(e.distance > 0, terms, 0))


def mean(e: Energies, terms: Array) -> Array:
    """[]: the mean of the terms [K] of wrong answers; 0 where there is no wrong answer."""
    return total(e, terms) / jnp.maximum(jnp.sum(e.distance > 0), 1)
