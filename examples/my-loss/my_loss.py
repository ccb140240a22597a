"""A loss from another package: that of AdaBoost, on energies."""

from ebmcli.lazy import Array, jnp
from ebmcli.losses import mean
from ebmcli.registry import loss
from ebmcli.types import Energies, Positive


@loss(promised="infinite", flat="1", reference="Freund & Schapire 1997; of pairs: Freund et al. 2003")
def exponential(e: Energies, rate: Positive = 1.0) -> Array:
    """exp(rate (F+ - F-))"""
    return mean(e, jnp.exp(rate * (e.positive - e.negatives)))
