"""Negatives that do not look at the energy."""

from ebmcli.lazy import jax, jnp
from ebmcli.registry import sampler
from ebmcli.types import Count, Negatives, Sampler, Setting


@sampler(continuous="", sequence="")
def none(at: Setting) -> Sampler:
    """no negatives"""
    return Sampler(lambda key: (), lambda key, state, model, batch: (Negatives(None), state), 0, 0)


@sampler(continuous="negatives")
def uniform(at: Setting, negatives: Count = 256) -> Sampler:
    """K points drawn uniformly on the box of the task"""
    low, high = at.box  # type: ignore[misc]

    def draw(key, state, model, batch):
        return Negatives(jax.random.uniform(key, (negatives, 2), jnp.float32, low, high)), state

    return Sampler(lambda key: (), draw, evaluations=negatives, gradients=0)


@sampler(continuous="negatives partition minimum")
def quadrature(at: Setting, nodes: Count = 32) -> Sampler:
    """all of the box: a point of each of nodes x nodes cells, drawn anew in its cell at every step, with its weight"""
    low, high = at.box  # type: ignore[misc]
    width = (high - low) / nodes

    def draw(key, state, model, batch):
        corner = low + width * jnp.arange(nodes, dtype=jnp.float32)
        cells = jnp.stack(jnp.meshgrid(corner, corner), axis=-1).reshape(-1, 2)
        points = cells + width * jax.random.uniform(key, cells.shape)
        return Negatives(points, jnp.full(nodes**2, 2 * jnp.log(width), jnp.float32)), state

    return Sampler(lambda key: (), draw, evaluations=nodes**2, gradients=0)
