"""Exact samples of the model, where it can be summed."""

from typing import Any

from ebmcli.lazy import Array, jax, jnp
from ebmcli.objective import scored
from ebmcli.registry import sampler
from ebmcli.samplers import nodes_of
from ebmcli.types import Batch, Box, Count, Energy, Negatives, Sampler, Setting

UNPENALISED = {"alpha": 0.0}  # exact samples bound `ml` below without a penalty


@sampler(continuous="negatives model", finite="negatives model", defaults=UNPENALISED)
def exact(at: Setting, negatives: Count = 256, table: Count = 32) -> Sampler:
    """K answers drawn from the model: among all labels, or among table^D points, one in each cell of the box"""
    space: Any = at.space
    count = table**space.dims if isinstance(space, Box) else space.size

    def draw(key: Array, state: Any, model: Energy, batch: Batch) -> tuple[Negatives, Any]:
        place, pick = jax.random.split(key)
        if isinstance(space, Box):
            answers = nodes_of(space, table, jax.random.uniform(place, (count, space.dims)))
        else:
            answers = jnp.arange(count)
        share = jax.nn.softmax(-at.beta * scored(model, batch, answers))  # [N] or [B, N]

        def chosen(key, share):
            return jax.random.choice(key, answers, (negatives,), p=share)

        if share.ndim == 1:
            return Negatives(chosen(pick, share)), state
        return Negatives(jax.vmap(chosen)(jax.random.split(pick, len(share)), share)), state

    summed = count * (at.batch_size if at.conditional else 1)
    return Sampler(lambda key, first: (), draw, evaluations=summed + at.total(negatives), gradients=0)


@sampler(finite="negatives model", defaults=UNPENALISED, reference="Geman & Geman 1984")
def gibbs(at: Setting, negatives: Count = 256) -> Sampler:
    """K answers, each label resampled given all others; an answer of one label is then an exact sample of the model"""
    return exact(at, negatives)
