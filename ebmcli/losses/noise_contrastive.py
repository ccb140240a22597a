"""Losses that tell the right answer from K others, knowing the density q of the distribution that drew these."""

from ebmcli.core.decorators import loss
from ebmcli.core.lazy import Array, jax, jnp
from ebmcli.core.types import Energies, Positive


def _scores(e: Energies, beta: Array) -> Array:
    """[1 + K]: -beta F - log q of the right answer and of the others."""
    return jnp.concatenate([(-beta * e.positive - e.log_q_positive)[None], -beta * e.negatives - e.log_q])


@loss(
    promised="infinite",
    flat="ln(1 + K)",
    wants="independent",
    reference="van den Oord et al. 2018; Ma & Collins 2018 for log q",
    also="info-nce contrastive softmax nt-xent simclr cpc n-pair",
)
def infonce(e: Energies) -> Array:
    """-log of the share of y in a softmax over y and K others, with scores -beta F - log q"""
    scores = _scores(e, e.beta)
    return jax.nn.logsumexp(scores) - scores[0]


@loss(
    "negatives log_q",
    promised="infinite",
    flat="(1 + K) ln(1 + K) - K ln K",
    reference="Gutmann & Hyvärinen 2010",
    also="noise-contrastive noise-contrastive-estimation binary-cross-entropy bce",
)
def nce(e: Energies) -> Array:
    """log(1 + exp(-G+)) + sum over K of log(1 + exp(G-)), G = -beta F - c - log(K q), with a learned c = log Z"""
    log_odds = _scores(e, e.beta) - e.log_z - jnp.log(len(e.negatives))
    return jax.nn.softplus(-log_odds[0]) + jax.nn.softplus(log_odds[1:]).sum()


@loss(
    promised="infinite",
    flat="(1 + K) ln(1 + K) - K ln K",
    wants="independent",
    reference="Misra & van der Maaten 2020, with 1 + K in the softmax",
)
def pirl(e: Energies, tau: Positive = 1.0) -> Array:
    """-log h+ - sum over K of log(1 - h-), h the softmax share with scores -beta F / tau - log q"""
    scores = _scores(e, e.beta / tau)
    shares = jax.nn.log_softmax(scores)
    # 1 - h of the largest share is the sum of the others: 1 - exp(log h) would lose all its digits there.
    largest = jnp.arange(len(scores)) == jnp.argmax(scores)
    others = jax.nn.logsumexp(jnp.where(largest, -jnp.inf, shares))
    rest = jnp.where(largest, others, jnp.log1p(-jnp.exp(jnp.where(largest, -1.0, shares))))
    return -shares[0] - rest[1:].sum()
