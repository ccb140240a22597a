"""Losses of a pair: the energy of the right answer against that of a wrong one, lifted to K by the mean."""

from ebmcli.core.citations import LECTURE, TUTORIAL
from ebmcli.core.decorators import loss
from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.types import Energies, Positive
from ebmcli.losses._terms import mean, total

# --- on the difference of the two: a constant added to the energy changes nothing ------------------------------------


@loss(
    promised="m",
    flat="m",
    reference=f"{TUTORIAL}, section 2.2; Taskar et al. 2003 for m(y, y-)",
    also="triplet triplet-margin margin max-margin margin-ranking ranking svm",
)
def hinge(e: Energies, margin: Positive = 1.0) -> Array:
    """[m + F+ - F-]+"""
    return mean(e, jax.nn.relu(margin * e.distance + e.positive - e.negatives))


@loss(promised="infinite", flat="ln 2", reference=f"{TUTORIAL}, section 2.2", also="logistic softplus ranknet bpr")
def log(e: Energies) -> Array:
    """log(1 + exp(F+ - F-))"""
    return mean(e, jax.nn.softplus(e.positive - e.negatives))


@loss(promised="0", flat="0", reference=LECTURE)
def lvq2(e: Energies, cap: Positive = 1.0) -> Array:
    """min(M, [F+ - F-]+), M = cap"""
    return mean(e, jnp.minimum(cap, jax.nn.relu(e.positive - e.negatives)))


@loss("negatives nonnegative", promised="0", flat="0", reference=f"{TUTORIAL}, section 2.2; Kohonen et al. 1988")
def lvq2_ratio(e: Energies, delta: Positive = 1.0) -> Array:
    """min(1, [(F+ - F-)/(delta F-)]+)"""
    over, scale = e.positive - e.negatives, delta * e.negatives
    inside = (over > 0) & (over < scale)  # where the ratio is neither 0 nor saturated its denominator is positive
    return mean(e, jnp.where(inside, over / jnp.where(inside, scale, 1), jnp.where(over > 0, 1.0, 0.0)))


@loss(
    promised="infinite",
    flat="1/2",
    reference=f"{TUTORIAL}, section 2.2; Juang et al. 1997",
    also="sigmoid minimum-classification-error",
)
def mce(e: Energies) -> Array:
    """sigmoid(F+ - F-)"""
    return mean(e, jax.nn.sigmoid(e.positive - e.negatives))


@loss(
    promised="m", flat="sum of m", wants="all", reference=LECTURE, also="crammer-singer multiclass-hinge multi-margin"
)
def margin_sum(e: Energies, margin: Positive = 1.0) -> Array:
    """sum over all y- of [F+ - F- + m(y, y-)]+"""
    return total(e, jax.nn.relu(margin * e.distance + e.positive - e.negatives))


# --- on each of the two: they pin levels -----------------------------------------------------------------------------


@loss(promised="m, absolute", flat="m, where 0 <= F <= m", reference=f"{LECTURE}; Bromley et al. 1993")
def simple(e: Energies, margin: Positive = 1.0) -> Array:
    """[F+]+ + [m - F-]+"""
    return jax.nn.relu(e.positive) + mean(e, jax.nn.relu(margin * e.distance - e.negatives))


@loss("negatives nonnegative", promised="m, absolute", flat="m, where 0 <= F <= m", reference=LECTURE)
def min_hinge(e: Energies, margin: Positive = 1.0) -> Array:
    """F+ + [m - F-]+"""
    return e.positive + mean(e, jax.nn.relu(margin * e.distance - e.negatives))


@loss(
    promised="m, absolute",
    flat="m^2/2 at F = m/2",
    reference=f"{TUTORIAL}, section 2.2, with []+ on F+; LeCun & Huang 2005",
    also="contrastive siamese",
)
def square_square(e: Energies, margin: Positive = 1.0) -> Array:
    """([F+]+)^2 + ([m - F-]+)^2"""
    # The []+ on F+ makes an energy of either sign legal. The lecture's table prints a minus: that one collapses.
    return jnp.square(jax.nn.relu(e.positive)) + mean(e, jnp.square(jax.nn.relu(margin * e.distance - e.negatives)))


@loss("negatives nonnegative", promised="m, absolute", flat="m^2/2 at F = m/2", reference=LECTURE, also="squared-hinge")
def square_hinge(e: Energies, margin: Positive = 1.0) -> Array:
    """(F+)^2 + ([m - F-]+)^2"""
    return jnp.square(e.positive) + mean(e, jnp.square(jax.nn.relu(margin * e.distance - e.negatives)))


@loss(
    promised="infinite",
    flat="0.827 at F = 0.352 (gamma = rate = 1)",
    wants="nonnegative",
    reference=f"{TUTORIAL}, section 2.2; Osadchy et al. 2005",
)
def square_exp(e: Energies, gamma: Positive = 1.0, rate: Positive = 1.0) -> Array:
    """(F+)^2 + gamma exp(-rate F-)"""
    wrong = jnp.where(e.distance > 0, e.negatives, 0)  # masked before exp: 0 times an overflow has a slope of NaN
    return jnp.square(e.positive) + mean(e, gamma * jnp.exp(-rate * wrong))
