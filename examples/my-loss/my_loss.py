"""A loss from another package: that of AdaBoost, on energies."""

from ebmcli.plugin import Array, Energies, Positive, jnp, loss, mean


@loss(promised="infinite", flat="1", reference="Freund & Schapire 1997; of pairs: Freund et al. 2003")
def exponential(e: Energies, rate: Positive = 1.0) -> Array:
    """exp(rate (F+ - F-))"""
    return mean(e, jnp.exp(rate * (e.positive - e.negatives)))
