"""Samples of the model, where it can be summed, and letters resampled one by one."""

from ebmcli.core.batching import negative_energies
from ebmcli.core.decorators import sampler
from ebmcli.core.lazy import Array, Key, jax, jnp
from ebmcli.core.types import (
    Batch,
    BatchShape,
    Box,
    Cost,
    Count,
    Labels,
    Model,
    Negatives,
    Sampler,
    SamplerContext,
    Strings,
)
from ebmcli.samplers._box import negatives_as, nodes_of, stateless

UNPENALISED = {"alpha": 0.0}  # exact samples bound `ml` below without a penalty


def _summed(shape: BatchShape, negatives: int, table: int = 1) -> Cost:
    space, scored = shape.space, shape.total(negatives)
    if isinstance(space, Strings):
        return Cost(shape.batch_size + scored)
    count = table**space.dims if isinstance(space, Box) else space.size
    return Cost(count * (shape.batch_size if shape.conditional else 1) + scored)


@sampler(
    needs="sample",
    continuous="negatives model",
    finite="negatives model",
    sequence="negatives model",
    defaults=UNPENALISED,
    cost=_summed,
    also="ancestral model",
)
def exact(context: SamplerContext, negatives: Count = 256, table: Count = 32) -> Sampler:
    """K answers drawn from the model: of all labels, all words, or table^D points, one in each cell of the box"""
    space = context.space
    if isinstance(space, Strings):
        return _words(context, negatives)

    def answers(key: Key) -> Array:
        if isinstance(space, Box):
            return nodes_of(space, table, jax.random.uniform(key, (table**space.dims, space.dims)))
        return jnp.arange(space.size)

    def draw(key: Key, model: Model, batch: Batch) -> Negatives:
        place, pick = jax.random.split(key)
        among = answers(place)
        share = jax.nn.softmax(-context.beta * negative_energies(model, batch, among))  # [N] or [B, N]

        def chosen(key: Key, share: Array) -> Array:
            return jax.random.choice(key, among, (negatives,), p=share)

        if share.ndim == 1:
            return Negatives(chosen(pick, share))
        return Negatives(jax.vmap(chosen)(jax.random.split(pick, len(share)), share))

    return stateless(draw)


def _words(context: SamplerContext, negatives: int) -> Sampler:
    """Words drawn by the energy's own dynamic programme, of which an example needs one."""

    def draw(key: Key, model: Model, batch: Batch) -> Negatives:
        assert model.sample is not None
        sample = model.sample
        keys = jax.random.split(key, context.shape.batch_size)
        return negatives_as(jax.vmap(lambda key, x: sample(key, x, context.beta, negatives))(keys, batch.x))

    return stateless(draw)


def _resampled(shape: BatchShape, negatives: int, chain_steps: int) -> Cost:
    space = shape.space
    if isinstance(space, Labels):
        return _summed(shape, negatives)
    visits = chain_steps * space.length  # type: ignore[union-attr]
    return Cost(shape.total(negatives) * (visits * space.labels + 1))  # type: ignore[union-attr]


@sampler(
    finite="negatives model",
    sequence="negatives model",
    defaults=UNPENALISED,
    cost=_resampled,
    reference="Geman & Geman 1984",
)
def gibbs(context: SamplerContext, negatives: Count = 256, chain_steps: Count = 1) -> Sampler:
    """K answers: each letter of y resampled given all others, chain_steps times; of one label, exact samples"""
    space = context.space
    if not isinstance(space, Strings):  # one label: what it was before does not matter
        return exact(context, negatives)
    visits = chain_steps * space.length

    def draw(key: Key, model: Model, batch: Batch) -> Negatives:
        def chain(chance: Array, x: Array, y: Array) -> Array:
            present, labels = space.present(x, y), jnp.arange(space.labels, dtype=y.dtype)

            def visit(time: Array, y: Array) -> Array:
                place = time % space.length
                energies = jax.vmap(lambda label: model.apply(x, y.at[place].set(label)))(labels)
                below = jnp.cumsum(jax.nn.softmax(-context.beta * energies))
                label = labels[jnp.argmax(below > chance[time] * below[-1])]
                return jnp.where(present[place], y.at[place].set(label), y)

            return jax.lax.fori_loop(0, visits, visit, y)

        chance = jax.random.uniform(key, (context.shape.batch_size, negatives, visits))
        return negatives_as(jax.vmap(jax.vmap(chain, (0, None, None)))(chance, batch.x, batch.y))

    return stateless(draw)
